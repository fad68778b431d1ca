//! For every kind of file: our verdict is OpenSSL's, from either reader, and what is loaded is
//! the same, in the same order.

use std::fs;

use crate::common::{Outcome, by_cycle, by_openssl, count, data_path, mapped, skip};
use fuzz_bundles::cases::{self, Expect};
use trusted_ca::{Nginx, ReadMethod, SslContext};

/// Holds an outcome against what was worked out by hand.
fn assert_expected(what: &str, outcome: &Outcome, expected: Expect) {
    match expected {
        Expect::Holds(certificates, crls) => {
            assert!(outcome.accepted, "{what}: refused: {:?}", outcome.queue);
            assert_eq!(count(&outcome.contents), (certificates, crls), "{what}");
        }
        Expect::Refused => {
            assert!(!outcome.accepted, "{what}: accepted");
            assert_eq!(outcome.contents, [], "{what}: something stayed in the store");
        }
        Expect::AsThisOpenSsl => {}
    }
}

#[test]
fn both_readers_judge_every_content_as_openssl_does() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let file = dir.path().join("bundle.pem");
    for case in cases::all() {
        fs::write(&file, &case.bytes).expect("written");
        let outcome = crate::common::assert_readers_agree(case.name, &file);
        assert_expected(case.name, &outcome, case.before);
    }
}

#[test]
fn nginx_since_1_27_2_judges_as_worked_out_by_hand() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let file = dir.path().join("bundle.pem");
    for case in cases::all() {
        fs::write(&file, &case.bytes).expect("written");
        let since = by_cycle(&file);
        assert_expected(case.name, &since, case.since);
        if case.before == case.since {
            assert_eq!(since.contents, by_openssl(&file).contents, "{}", case.name);
        }
    }
}

#[test]
fn a_regular_file_is_mapped_and_the_result_says_so() {
    let path = data_path("alpha.pem");
    let bytes = path.metadata().expect("test data").len();
    let (outcome, reading) = mapped(&path);
    assert!(outcome.accepted);
    assert_eq!(reading, Some(ReadMethod::Mapped { bytes }));
}

#[test]
fn loading_appends_and_keeps_the_order_of_openssl() {
    let [alpha, beta, gamma] = ["alpha.pem", "beta.pem", "gamma.pem"].map(data_path);
    let mut by_file = SslContext::new().expect("a context");
    let mut by_map = SslContext::new().expect("a context");
    for path in [&gamma, &alpha, &beta, &alpha] {
        by_file.load_trusted(path, Nginx::Before1_27_2).expect("loaded");
        // SAFETY: committed files, which nobody changes during a test.
        unsafe { by_map.load_trusted_mapped(path) }.expect("loaded");
    }
    assert_eq!(by_file.certificate_count(), 3);
    assert_eq!(by_file.contents(), by_map.contents());
    let mut subjects = by_file.subjects();
    subjects.sort();
    assert_eq!(
        subjects,
        [
            "CN=Alpha Test CA,O=Example,C=XX",
            "CN=Beta Test CA,O=Example,C=XX",
            "CN=Gamma Test CA,O=Exämple,C=XX",
        ]
    );
}

#[test]
fn a_refused_file_leaves_what_was_loaded_before() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let file = dir.path().join("cut.pem");
    let alpha = crate::common::data("alpha.pem");
    fs::write(&file, &alpha[..alpha.len() / 2]).expect("written");
    let mut context = SslContext::new().expect("a context");
    context.load_trusted(data_path("beta.pem"), Nginx::Before1_27_2).expect("loaded");
    let before = context.contents();
    context.load_trusted(&file, Nginx::Before1_27_2).expect_err("refused");
    // SAFETY: this test's own file.
    unsafe { context.load_trusted_mapped(&file) }.expect_err("refused");
    assert_eq!(context.contents(), before);
}

#[test]
fn the_bundle_of_this_machine() {
    let bundle = match trusted_ca::default_bundle() {
        Ok(bundle) => bundle,
        Err(error) => return skip("the_bundle_of_this_machine", &error.to_string()),
    };
    let outcome = crate::common::assert_readers_agree("this machine's bundle", &bundle);
    assert!(outcome.accepted);
    assert_eq!(by_cycle(&bundle).contents, outcome.contents);
    let info = trusted_ca::BundleInfo::read(&bundle).expect("weighed");
    assert_eq!(info.certificates, count(&outcome.contents).0);
    assert_eq!(info.bytes, bundle.metadata().expect("metadata").len());
}
