//! What Python finds in its contexts, byte for byte and in order, after loads of every kind.

use std::fs;
use std::process::Command;

use super::material::{Bundles, MACHINE, python, sample};
use crate::common::{MODES, same_in_every_way};

/// Files that are accepted, each with something special about it.
fn good(bundles: &mut Bundles) {
    let [alpha, beta, gamma] = ["alpha.pem", "beta.pem", "gamma.pem"].map(sample);
    let [crl, trusted] = ["alpha.crl.pem", "beta.trusted.pem"].map(sample);
    bundles.joined("plain", &[&alpha, &beta]);
    bundles.joined("duplicates", &[&alpha, &beta, &alpha, &alpha]);
    bundles.joined("crl", &[&alpha, &crl, &beta]);
    bundles.joined("only-crl", &[&crl]);
    bundles.joined("trusted", &[&alpha, &trusted]);
    bundles.joined("trusted-and-plain", &[&trusted, &beta, &gamma]);
    let text = |name| fs::read_to_string(sample(name)).expect("PEM is text");
    let crlf = (text("alpha.pem") + &text("gamma.pem")).replace('\n', "\r\n");
    bundles.written("crlf", crlf.as_bytes());
    let [alpha, gamma] = ["alpha.pem", "gamma.pem"].map(text);
    let between = format!("# Alpha\n\n{alpha}Issuer: Gamma\n=====\n{gamma}the end\n");
    bundles.written("text-between", between.as_bytes());
}

/// Files that are refused.
fn bad(bundles: &mut Bundles) {
    let alpha = fs::read_to_string(sample("alpha.pem")).expect("PEM is text");
    let cut = &alpha[..alpha.len() / 2];
    let no_base64 = alpha.replacen("MII", "!!!", 1);
    bundles.written("empty", b"");
    bundles.written("no-pem", b"no certificate is in here\n");
    bundles.written("cut", format!("{alpha}{cut}").as_bytes());
    bundles.written("damaged", format!("{alpha}{no_base64}").as_bytes());
    bundles.joined("only-a-key", &[&sample("key.pem")]);
    fs::create_dir(bundles.directory().join("directory")).expect("our own directory");
}

#[test]
fn every_context_holds_what_it_would_hold_without_the_library() {
    let mut bundles = Bundles::new();
    good(&mut bundles);
    bad(&mut bundles);
    let capath = bundles.directory().join("capath");
    fs::create_dir(&capath).expect("our own directory");
    fs::copy(sample("gamma.pem"), capath.join("gamma.pem")).expect("our own directory");
    let rehash = Command::new("openssl").arg("rehash").arg(&capath).status();
    assert!(rehash.expect("openssl's command line").success());
    bundles.settle();

    let ran = same_in_every_way(|| {
        let mut command = python("contents.py");
        command
            .current_dir(bundles.directory())
            .arg("2")
            .arg(sample("gamma.pem"))
            .arg("capath")
            .args(&bundles.names)
            .args(["directory", "missing"]);
        command
    });
    for (with, mode) in ran.iter().zip(MODES) {
        assert!(with.status.success(), "{mode:?}: {}", with.stderr);
        // By hand: alpha and beta are two; a CRL is listed as one.
        assert!(with.stdout.contains("cafile plain\n    crl 0 x509 2 x509_ca 2\n"));
        assert!(with.stdout.contains("cafile duplicates\n    crl 0 x509 2 x509_ca 2\n"));
        assert!(with.stdout.contains("cafile crl\n    crl 1 x509 2 x509_ca 2\n"));
        assert!(with.stdout.contains("cafile missing\n   refused: FileNotFoundError"));
        let counts = with.only_counts();
        assert!(counts.shared > counts.parses, "{mode:?}: {counts:?}");
        assert!(counts.passed_on > 0, "bad files are OpenSSL's: {counts:?}");
    }
}

#[test]
fn the_machines_bundle_is_listed_alike() {
    let mut bundles = Bundles::new();
    let machine = bundles.joined("machine", &[MACHINE.as_ref()]);
    let more = bundles.joined("more", &[&sample("beta.pem"), &machine]);
    bundles.settle();
    let ran = same_in_every_way(|| {
        let mut command = python("contents.py");
        command.arg("1").arg(sample("gamma.pem")).arg(bundles.directory()).args([&machine, &more]);
        command
    });
    for (with, mode) in ran.iter().zip(MODES) {
        assert!(with.status.success(), "{mode:?}: {}", with.stderr);
        let counts = with.only_counts();
        assert_eq!(counts.parses, 2, "{mode:?}: {counts:?}");
        assert!(counts.shared > 10, "{mode:?}: {counts:?}");
    }
}
