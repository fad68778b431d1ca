//! What the integration tests share: each way of loading a file, run from a clean slate, and
//! OpenSSL's own verdict to hold it against.

#![allow(dead_code, unused_imports, reason = "each test binary uses a part of this")]

use std::ffi::CString;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

pub use fuzz_bundles::{data, data_path};
use trusted_ca::{
    BundleCache, Cycle, ErrorQueue, LoadError, Loaded, Nginx, ReadMethod, Sharing, SslContext,
    StoreItem,
};

/// What became of one load.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether the file was accepted.
    pub accepted: bool,
    /// What the store held afterwards, in order.
    pub contents: Vec<StoreItem>,
    /// OpenSSL's words in case of a refusal.
    pub queue: Vec<String>,
}

/// OpenSSL's own verdict: the one call, on a context of its own, with nothing of ours around it.
pub fn by_openssl(path: &Path) -> Outcome {
    let context = SslContext::new().expect("a context");
    let c_path = CString::new(path.as_os_str().as_bytes()).expect("no NUL in a test's path");
    // SAFETY: the context is alive and the path a C string.
    let loaded = unsafe {
        openssl_sys::SSL_CTX_load_verify_locations(
            context.as_ptr(),
            c_path.as_ptr(),
            std::ptr::null(),
        )
    };
    let queue = ErrorQueue::drain();
    Outcome {
        accepted: loaded == 1,
        contents: context.contents(),
        queue: if loaded == 1 { Vec::new() } else { texts(&queue) },
    }
}

/// As nginx before 1.27.2.
pub fn by_load(path: &Path) -> Outcome {
    let mut context = SslContext::new().expect("a context");
    let result = context.load_trusted(path, Nginx::Before1_27_2);
    outcome(&context, result)
}

/// As nginx since 1.27.2, in a cycle of its own.
pub fn by_cycle(path: &Path) -> Outcome {
    let mut context = SslContext::new().expect("a context");
    let result = context.load_trusted(path, Nginx::Since1_27_2(&mut Cycle::new()));
    outcome(&context, result)
}

/// From a mapping.
pub fn by_mapping(path: &Path) -> Outcome {
    mapped(path).0
}

/// From a mapping, with the way it was read.
pub fn mapped(path: &Path) -> (Outcome, Option<ReadMethod>) {
    let mut context = SslContext::new().expect("a context");
    // SAFETY: test files belong to one test, which does not change them while it loads them.
    let result = unsafe { context.load_trusted_mapped(path) };
    let reading = result.as_ref().ok().copied();
    (outcome(&context, result.map(|_| ())), reading)
}

/// Through a cache, with the way it came.
pub fn cached(
    path: &Path,
    cache: &BundleCache,
    sharing: Sharing,
) -> (Outcome, Option<Loaded>, SslContext) {
    let mut context = SslContext::new().expect("a context");
    let result = context.load_trusted_cached(path, cache, sharing);
    let loaded = result.as_ref().ok().copied();
    (outcome(&context, result.map(|_| ())), loaded, context)
}

/// Through a cache of its own, twice in each way; contexts that share a store change it, too.
pub fn by_cache(path: &Path) {
    let cache = BundleCache::new();
    for sharing in [Sharing::Objects, Sharing::Store, Sharing::Objects, Sharing::Store] {
        let (_, _, mut context) = cached(path, &cache, sharing);
        context.load_crl(data_path("alpha.crl.pem"), Nginx::Before1_27_2).expect("loaded");
    }
}

fn outcome(context: &SslContext, result: Result<(), LoadError>) -> Outcome {
    assert_eq!(
        ErrorQueue::drain(),
        ErrorQueue::default(),
        "a load leaves the error queue empty, whatever its result"
    );
    Outcome {
        accepted: result.is_ok(),
        contents: context.contents(),
        queue: result.err().map_or_else(Vec::new, |error| texts(&error.queue)),
    }
}

fn texts(queue: &ErrorQueue) -> Vec<String> {
    queue.entries().iter().map(|entry| entry.text.clone()).collect()
}

/// Both readers must agree with OpenSSL in verdict, contents, order and words. Returns the outcome.
pub fn assert_readers_agree(what: &str, path: &Path) -> Outcome {
    let expected = by_openssl(path);
    assert_eq!(by_load(path), expected, "load_trusted: {what}");
    assert_eq!(by_mapping(path), expected, "load_trusted_mapped: {what}");
    expected
}

/// How many certificates and CRLs.
pub fn count(contents: &[StoreItem]) -> (usize, usize) {
    let certificates =
        contents.iter().filter(|item| matches!(item, StoreItem::Certificate(_))).count();
    (certificates, contents.len() - certificates)
}

/// Says why a test did not test: on the real stderr, which the test harness doesn't capture.
pub fn skip(test: &str, why: &str) {
    writeln!(std::io::stderr(), "{test}: skipped: {why}").expect("stderr");
}
