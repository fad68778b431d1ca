//! OpenSSL's error queue: empty after success, complete in the error after a failure, and not
//! touched before the load, because nginx doesn't either.

use std::fs;
use std::path::Path;

use crate::common::{by_cycle, by_load, by_mapping, by_openssl, count, data, data_path};
use trusted_ca::{ErrorQueue, LoadStage, Nginx, SslContext};

const EMPTY_BLOCK: &[u8] = b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n";

/// Leaves "no start line" as the newest entry, as a careless program may.
fn leave_no_start_line() {
    let text = b"no certificate here\n";
    // SAFETY: the BIO reads from a static slice of that length.
    let bio = unsafe { openssl_sys::BIO_new_mem_buf(text.as_ptr().cast(), text.len() as i32) };
    assert!(!bio.is_null());
    // SAFETY: the BIO is alive, and null is allowed for the rest.
    let none = unsafe {
        openssl_sys::PEM_read_bio_X509(bio, std::ptr::null_mut(), None, std::ptr::null_mut())
    };
    assert!(none.is_null());
    // SAFETY: made above, freed once.
    unsafe { openssl_sys::BIO_free_all(bio) };
}

#[test]
fn success_empties_the_queue_of_stale_entries_too() {
    let path = data_path("alpha.pem");
    for load in [by_load, by_mapping, by_cycle] {
        leave_no_start_line();
        // `load` itself asserts that the queue is empty afterwards.
        assert!(load(&path).accepted);
    }
}

#[test]
fn a_stale_entry_sways_both_readers_as_it_sways_openssl() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("bundle.pem");
    let bytes = [&data("alpha.pem"), EMPTY_BLOCK, &data("beta.pem")].concat();
    fs::write(&path, bytes).expect("written");

    assert!(!by_openssl(&path).accepted);
    let swayed = |load: fn(&Path) -> crate::common::Outcome| {
        leave_no_start_line();
        load(&path)
    };
    let expected = swayed(by_openssl);
    assert!(expected.accepted, "an empty block reports nothing, so the old entry is believed");
    assert_eq!(count(&expected.contents), (1, 0));
    assert_eq!(swayed(by_load), expected);
    assert_eq!(swayed(by_mapping), expected);
}

#[test]
fn the_error_holds_every_entry_oldest_first() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("cut.pem");
    let alpha = data("alpha.pem");
    fs::write(&path, &alpha[..alpha.len() / 2]).expect("written");
    let error = SslContext::new()
        .expect("a context")
        .load_trusted(&path, Nginx::Before1_27_2)
        .expect_err("refused");
    assert_eq!(error.stage, LoadStage::Parse);
    let texts: Vec<&str> = error.queue.entries().iter().map(|e| e.text.as_str()).collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[0].contains("bad end line"), "{texts:?}");
    assert!(texts[1].ends_with("PEM lib"), "{texts:?}");
    let shown = error.to_string();
    assert!(shown.contains("holds a damaged PEM block"), "{shown}");
    assert!(shown.contains(&texts.join("; ")), "{shown}");
}

#[test]
fn a_refusal_without_a_reason_says_so() {
    assert_eq!(ErrorQueue::default().to_string(), "no reason given");
}
