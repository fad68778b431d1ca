//! What one context is given stays in that context: certificates added to it, CRLs, flags.

use std::path::PathBuf;
use std::process::Command;

use super::material::{Bundles, MACHINE, python};
use crate::common::{Authority, Issued, MODES, Preload, Ran, compiled, same_in_every_way};

/// The machine's bundle, and an authority that isn't in it.
struct Scene {
    _authority: Authority,
    _bundles: Bundles,
    good: Issued,
    revoked: Issued,
    machine: PathBuf,
    extra: PathBuf,
    crl: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let authority = Authority::new("Extra");
        let [good, revoked] = ["good", "revoked"].map(|name| authority.issue(name));
        let crl = authority.revocations(&[&revoked]);
        let mut bundles = Bundles::new();
        let machine = bundles.joined("machine", &[MACHINE.as_ref()]);
        let extra = bundles.joined("extra", &[&authority.certificate()]);
        let crl = bundles.joined("crl", &[&crl]);
        bundles.settle();
        Self { _authority: authority, _bundles: bundles, good, revoked, machine, extra, crl }
    }
}

#[test]
fn nothing_leaks_from_one_context_into_another() {
    let scene = Scene::new();
    let ran = same_in_every_way(|| {
        let mut command = python("isolation.py");
        command
            .args([&scene.machine, &scene.extra, &scene.crl])
            .args([&scene.good.certificate, &scene.good.key])
            .args([&scene.revoked.certificate, &scene.revoked.key]);
        command
    });
    for (with, mode) in ran.iter().zip(MODES) {
        assert!(with.status.success(), "{mode:?}: {}", with.stderr);
        let counts = with.only_counts();
        assert_eq!(counts.parses, 3, "{mode:?}: {counts:?}");
        assert!(counts.shared > 10, "{mode:?}: {counts:?}");
    }
}

/// With a store of its own every context is listed as without the library, used or not. A copy of
/// a shared store can't tell which of the contexts was used: it has all, in the order of loading.
#[test]
fn contexts_are_listed_alike_after_use() {
    let scene = Scene::new();
    let program = || -> Command {
        let mut command = python("after_use.py");
        command
            .args([&scene.machine, &scene.extra])
            .args([&scene.good.certificate, &scene.good.key]);
        command
    };
    let [without, private, shared] = [Preload::Without, Preload::Private, Preload::SharedStore]
        .map(|way| {
            let ran = Ran::to_end(&mut program(), way);
            assert!(ran.status.success(), "{way:?}: {}", ran.stderr);
            ran
        });
    assert_eq!(private.said(), without.said());
    let in_any_order = |ran: &Ran| {
        let mut lines: Vec<String> = ran.stdout.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(in_any_order(&shared), in_any_order(&without));
    for ran in [private, shared] {
        assert!(ran.only_counts().shared > 5, "{:?}", ran.counts);
    }
}

/// What a certificate is trusted for belongs to the object, of which there must be two, then.
#[test]
fn a_program_that_changes_certificates_has_its_own() {
    let scene = Scene::new();
    let libraries = ["-Wl,--no-as-needed", "-lssl", "-lcrypto"];
    let changing = compiled("programs/changing.c", "changing", &libraries);
    let ran = same_in_every_way(|| {
        let mut command = Command::new(&changing);
        command.args([&scene.extra, &scene.good.certificate]);
        command
    });
    for with in &ran {
        let rejected = "first: ok\nsecond: ok\nfirst: certificate rejected\nsecond: ok\n";
        assert_eq!((with.status.success(), &*with.stdout), (true, rejected), "{with:?}");
        let counts = with.only_counts();
        assert_eq!((counts.shared, counts.passed_on), (0, 2), "{counts:?}");
    }
}
