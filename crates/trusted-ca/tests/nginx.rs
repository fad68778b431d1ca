//! The rest of what the directive does: verification settings, CRLs, and the cycle's cache.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use crate::common::{data, data_path};
use trusted_ca::{Cycle, LoadStage, Nginx, ParsedBundle, SslContext};

unsafe extern "C" {
    fn SSL_CTX_get_verify_depth(ctx: *const openssl_sys::SSL_CTX) -> i32;
    fn SSL_CTX_get_verify_callback(ctx: *const openssl_sys::SSL_CTX) -> *const libc::c_void;
    fn X509_STORE_get0_param(store: *const openssl_sys::X509_STORE) -> *mut libc::c_void;
    fn X509_VERIFY_PARAM_get_flags(param: *const libc::c_void) -> libc::c_ulong;
}

/// (verify mode, verify depth, is there a callback)
fn verification(context: &SslContext) -> (i32, i32, bool) {
    // SAFETY: the context is alive.
    let mode = unsafe { openssl_sys::SSL_CTX_get_verify_mode(context.as_ptr()) };
    // SAFETY: the context is alive.
    let depth = unsafe { SSL_CTX_get_verify_depth(context.as_ptr()) };
    // SAFETY: the context is alive.
    let callback = unsafe { SSL_CTX_get_verify_callback(context.as_ptr()) };
    (mode, depth, !callback.is_null())
}

fn checks_crls(context: &SslContext) -> bool {
    // SAFETY: the context is alive.
    let store = unsafe { openssl_sys::SSL_CTX_get_cert_store(context.as_ptr()) };
    // SAFETY: the store belongs to the context.
    let param = unsafe { X509_STORE_get0_param(store) };
    // SAFETY: the parameters belong to the store.
    let flags = unsafe { X509_VERIFY_PARAM_get_flags(param) };
    let wanted = openssl_sys::X509_V_FLAG_CRL_CHECK | openssl_sys::X509_V_FLAG_CRL_CHECK_ALL;
    flags & wanted == wanted
}

#[test]
fn the_verify_mode_is_kept_and_the_depth_is_set() {
    let alpha = data_path("alpha.pem");
    let mut context = SslContext::new().expect("a context");
    assert_eq!(verification(&context), (0, -1, false));
    context.load_trusted(&alpha, Nginx::Before1_27_2).expect("loaded");
    assert_eq!(verification(&context), (0, 1, true));
    context.set_verify_depth(5);
    // SAFETY: a committed file, which nobody changes during a test.
    unsafe { context.load_trusted_mapped(&alpha) }.expect("loaded");
    assert_eq!(verification(&context), (0, 5, true));

    let mut context = SslContext::new().expect("a context");
    let mut cycle = Cycle::new();
    context.load_trusted(&alpha, Nginx::Since1_27_2(&mut cycle)).expect("loaded");
    assert_eq!(verification(&context), (0, 1, true));
}

#[test]
fn crls_are_checked_only_where_they_were_asked_for() {
    let crl = data_path("alpha.crl.pem");
    let mut cycle = Cycle::new();
    for since in [false, true] {
        let mut load = |path: &Path| {
            let mut context = SslContext::new().expect("a context");
            let nginx = if since { Nginx::Since1_27_2(&mut cycle) } else { Nginx::Before1_27_2 };
            context.load_crl(path, nginx).map(|()| context)
        };
        let with = load(&crl).expect("loaded");
        assert_eq!((with.certificate_count(), with.crl_count()), (0, 1));
        assert!(checks_crls(&with));

        let without = load(Path::new("")).expect("an empty path does nothing");
        assert_eq!(without.contents(), []);
        assert!(!checks_crls(&without));

        let error = load(&data_path("missing.pem")).expect_err("refused");
        assert_eq!(error.stage, LoadStage::Open);
    }
    // Certificates in place of CRLs: the old way takes them, the new one finds no CRL.
    let alpha = data_path("alpha.pem");
    let mut context = SslContext::new().expect("a context");
    context.load_crl(&alpha, Nginx::Before1_27_2).expect("loaded");
    let error = context.load_crl(&alpha, Nginx::Since1_27_2(&mut cycle)).expect_err("refused");
    assert_eq!(error.stage, LoadStage::NothingFound);
}

#[test]
fn a_cycle_parses_a_file_once() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("bundle.pem");
    fs::write(&path, data("alpha.pem")).expect("written");
    let mut cycle = Cycle::new();
    let first = cycle.bundle(&path).expect("parsed");
    fs::remove_file(&path).expect("removed");
    let mut context = SslContext::new().expect("a context");
    context
        .load_trusted(&path, Nginx::Since1_27_2(&mut cycle))
        .expect("the file is not needed any more");
    assert_eq!(context.certificate_count(), 1);
    let second = cycle.bundle(&path).expect("kept");
    assert!(Arc::ptr_eq(&first, &second));
    let error = Cycle::new().bundle(&path).expect_err("refused");
    assert_eq!(error.stage, LoadStage::Open);
}

#[test]
fn the_next_cycle_takes_over_what_did_not_change() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("bundle.pem");
    fs::write(&path, data("alpha.pem")).expect("written");
    let mut first = Cycle::new();
    let parsed = first.bundle(&path).expect("parsed");

    let mut second = Cycle::after(&first);
    assert!(Arc::ptr_eq(&parsed, &second.bundle(&path).expect("taken over")));

    let later = SystemTime::now() + Duration::from_secs(10);
    let file = File::options().write(true).open(&path).expect("opened");
    file.set_modified(later).expect("touched");
    let mut third = Cycle::after(&second);
    assert!(!Arc::ptr_eq(&parsed, &third.bundle(&path).expect("parsed anew")));

    // The lists of a cycle that is gone are gone with it.
    let mut fourth = Cycle::after(&third);
    drop((first, second, third));
    fs::remove_file(&path).expect("removed");
    assert_eq!(fourth.bundle(&path).expect_err("refused").stage, LoadStage::Open);
}

#[test]
fn a_parsed_bundle_and_its_contexts_may_go_in_any_order() {
    let path = data_path("alpha.pem");
    let bundle = ParsedBundle::read(&path).expect("parsed");
    assert_eq!((bundle.len(), bundle.is_empty()), (1, false));
    assert_eq!(bundle.path(), path);
    let mut first = SslContext::new().expect("a context");
    let mut second = SslContext::new().expect("a context");
    first.add_parsed(&bundle).expect("added");
    second.add_parsed(&bundle).expect("added");
    drop(first);
    drop(bundle);
    assert_eq!(second.subjects(), ["CN=Alpha Test CA,O=Example,C=XX"]);
}

#[test]
fn threads_share_a_parsed_bundle() {
    let bundle = ParsedBundle::read(data_path("beta.trusted.pem")).expect("parsed");
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let mut context = SslContext::new().expect("a context");
                    context.add_parsed(&bundle).expect("added");
                    assert_eq!(context.contents().len(), 1);
                }
            });
        }
    });
}
