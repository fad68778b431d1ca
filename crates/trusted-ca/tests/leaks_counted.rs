//! Every byte is given back: OpenSSL's own allocations and Rust's are counted over cycles of
//! loading and freeing every kind of file in every way.
//!
//! A test binary of its own with one test, because OpenSSL takes another allocator only before
//! its first allocation.

use suite as _;

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::{c_char, c_int, c_void};
use std::fs;
use std::path::PathBuf;
use std::ptr;
use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};

use common::{by_cache, by_cycle, by_load, by_mapping, data_path};
use fuzz_bundles::cases;
use trusted_ca::{BundleInfo, Cycle, Nginx, SslContext};

/// Bytes that OpenSSL holds.
static OPENSSL: AtomicIsize = AtomicIsize::new(0);
/// Bytes that Rust code holds.
static RUST: AtomicIsize = AtomicIsize::new(0);

type Malloc = unsafe extern "C" fn(usize, *const c_char, c_int) -> *mut c_void;
type Realloc = unsafe extern "C" fn(*mut c_void, usize, *const c_char, c_int) -> *mut c_void;
type Free = unsafe extern "C" fn(*mut c_void, *const c_char, c_int);

unsafe extern "C" {
    fn CRYPTO_set_mem_functions(malloc: Malloc, realloc: Realloc, free: Free) -> c_int;
}

/// Stands before each block, which stays aligned as malloc's are.
const HEADER: usize = 16;

/// Where malloc made a block of OpenSSL's: its header.
fn header(block: *mut c_void) -> *mut usize {
    block.wrapping_byte_sub(HEADER).cast()
}

/// How many bytes were asked of a block; 0 of none. Not its usable size, which is 16 bytes more
/// where malloc found no use for the rest of the chunk that it took.
///
/// # Safety
/// Null, or a live block of [`counted_realloc`].
unsafe fn asked(block: *mut c_void) -> isize {
    if block.is_null() {
        return 0;
    }
    // SAFETY: each block has a header before it.
    unsafe { *header(block) as isize }
}

unsafe extern "C" fn counted_malloc(bytes: usize, file: *const c_char, line: c_int) -> *mut c_void {
    // SAFETY: null is a block to be made.
    unsafe { counted_realloc(ptr::null_mut(), bytes, file, line) }
}

unsafe extern "C" fn counted_realloc(
    old: *mut c_void,
    bytes: usize,
    file: *const c_char,
    line: c_int,
) -> *mut c_void {
    if bytes == 0 {
        // SAFETY: null or a live block of this function, which OpenSSL uses no more.
        unsafe { counted_free(old, file, line) };
        return ptr::null_mut();
    }
    // SAFETY: OpenSSL passes null or a live block of this function.
    let before = unsafe { asked(old) };
    let start = if old.is_null() { ptr::null_mut() } else { header(old) };
    // SAFETY: null, or where malloc made the block.
    let start = unsafe { libc::realloc(start.cast(), HEADER + bytes) };
    if start.is_null() {
        return start;
    }
    OPENSSL.fetch_add(bytes as isize - before, Relaxed);
    // SAFETY: there is room for the header, at malloc's alignment.
    unsafe { start.cast::<usize>().write(bytes) };
    start.wrapping_byte_add(HEADER)
}

unsafe extern "C" fn counted_free(block: *mut c_void, _: *const c_char, _: c_int) {
    if block.is_null() {
        return;
    }
    // SAFETY: OpenSSL passes a live block of the functions above.
    OPENSSL.fetch_sub(unsafe { asked(block) }, Relaxed);
    // SAFETY: where malloc made it; OpenSSL frees it once.
    unsafe { libc::free(header(block).cast()) }
}

struct CountedRust;

// SAFETY: hands everything to the system's allocator unchanged and only adds up sizes.
unsafe impl GlobalAlloc for CountedRust {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        RUST.fetch_add(layout.size() as isize, Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        RUST.fetch_sub(layout.size() as isize, Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: CountedRust = CountedRust;

fn held() -> (isize, isize) {
    (OPENSSL.load(Relaxed), RUST.load(Relaxed))
}

/// Loads every file in every way, good or bad, and frees all of it again.
fn round(files: &[PathBuf]) {
    for file in files {
        by_load(file);
        by_mapping(file);
        by_cycle(file);
        by_cache(file);
        let _ = BundleInfo::read(file);
    }
    // One cycle with several contexts, CRLs, and a second cycle that takes lists over.
    let mut cycle = Cycle::new();
    for _ in 0..3 {
        let mut context = SslContext::new().expect("a context");
        context
            .load_trusted(data_path("alpha.pem"), Nginx::Since1_27_2(&mut cycle))
            .expect("loaded");
        context
            .load_crl(data_path("alpha.crl.pem"), Nginx::Since1_27_2(&mut cycle))
            .expect("loaded");
        context.load_crl(data_path("alpha.crl.pem"), Nginx::Before1_27_2).expect("loaded");
        context.load_crl(data_path("make.sh"), Nginx::Before1_27_2).expect_err("refused");
        assert_eq!(context.subjects().len(), 1);
    }
    let mut next = Cycle::after(&cycle);
    next.bundle(&data_path("alpha.pem")).expect("taken over");
}

#[test]
fn what_is_taken_is_given_back() {
    // SAFETY: three functions that keep malloc's contract; OpenSSL has not been used yet.
    let set = unsafe { CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free) };
    assert_eq!(set, 1, "OpenSSL had allocated before this test began");

    let dir = tempfile::tempdir().expect("temporary directory");
    let mut files = vec![dir.path().join("missing.pem"), dir.path().to_owned()];
    for (number, case) in cases::all().into_iter().enumerate() {
        let file = dir.path().join(format!("{number}.pem"));
        fs::write(&file, case.bytes).expect("written");
        files.push(file);
    }

    // OpenSSL fills caches and grows tables in the first rounds.
    for _ in 0..3 {
        round(&files);
    }
    let before = held();
    assert!(before.0 > 0, "nothing was counted");
    for _ in 0..10 {
        round(&files);
    }
    assert_eq!(held(), before, "bytes held by (OpenSSL, Rust) after 10 rounds more");

    // The counter would see a leak: one context that is never freed.
    std::mem::forget(SslContext::new().expect("a context"));
    assert!(held().0 > before.0);
}
