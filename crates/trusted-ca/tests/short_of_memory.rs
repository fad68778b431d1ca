//! Loads in which OpenSSL gets no more memory from some allocation on, each in turn: where OpenSSL
//! tells of it, the file isn't called damaged, and a load with memory enough succeeds afterwards.
//!
//! OpenSSL takes an allocator only before its first allocation, so this is a program of its own with
//! one test.

use suite as _;

mod common;

use common::data_path;
use std::cell::Cell;
use std::ffi::{c_char, c_int, c_void};
use trusted_ca::{Cycle, LoadError, LoadStage, Nginx, SslContext};

thread_local! {
    /// How many allocations of this thread still succeed; `None`: all.
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
}

type Allocate = extern "C" fn(usize, *const c_char, c_int) -> *mut c_void;
type Reallocate = extern "C" fn(*mut c_void, usize, *const c_char, c_int) -> *mut c_void;
type Free = extern "C" fn(*mut c_void, *const c_char, c_int);

unsafe extern "C" {
    /// OPENSSL_malloc(3)
    fn CRYPTO_set_mem_functions(allocate: Allocate, reallocate: Reallocate, free: Free) -> c_int;
}

fn succeeds() -> bool {
    LEFT.with(|left| match left.get() {
        None => true,
        Some(0) => false,
        Some(some) => {
            left.set(Some(some - 1));
            true
        }
    })
}

extern "C" fn allocate(bytes: usize, _: *const c_char, _: c_int) -> *mut c_void {
    if bytes == 0 || !succeeds() {
        return std::ptr::null_mut();
    }
    // SAFETY: any size may be asked for.
    unsafe { libc::malloc(bytes) }
}

extern "C" fn reallocate(
    block: *mut c_void,
    bytes: usize,
    _: *const c_char,
    _: c_int,
) -> *mut c_void {
    if bytes > 0 && !succeeds() {
        return std::ptr::null_mut();
    }
    // SAFETY: OpenSSL passes null or a block that it got from one of these functions.
    unsafe { libc::realloc(block, bytes) }
}

extern "C" fn free(block: *mut c_void, _: *const c_char, _: c_int) {
    // SAFETY: as for `reallocate`.
    unsafe { libc::free(block) }
}

/// Loads with so many allocations, and says how many of them were left.
fn load(allocations: usize, since_1_27_2: bool) -> (Result<(), LoadError>, usize) {
    let mut context = SslContext::new().unwrap();
    let mut cycle = Cycle::new();
    let nginx = match since_1_27_2 {
        true => Nginx::Since1_27_2(&mut cycle),
        false => Nginx::Before1_27_2,
    };
    let bundle = data_path("alpha.pem");
    LEFT.set(Some(allocations));
    let result = context.load_trusted(&bundle, nginx);
    let left = LEFT.take().unwrap_or_default();
    (result.map(drop), left)
}

#[test]
fn a_failed_allocation_is_not_a_damaged_file() {
    // SAFETY: called before anything else of OpenSSL; the functions keep to malloc(3)'s contract.
    let taken = unsafe { CRYPTO_set_mem_functions(allocate, reallocate, free) };
    assert_eq!(taken, 1, "OpenSSL has allocated already");
    const PLENTY: usize = 1_000_000;
    for since_1_27_2 in [false, true] {
        // What is set up once is no part of what is counted.
        load(PLENTY, since_1_27_2).0.unwrap();
        let (result, left) = load(PLENTY, since_1_27_2);
        result.unwrap();
        let needed = PLENTY - left;
        assert!(needed > 10, "{needed} allocations for a certificate");
        let mut told = 0;
        for allocations in 0..needed {
            let Err(error) = load(allocations, since_1_27_2).0 else {
                continue;
            };
            let text = error.to_string();
            let said = error.queue.to_string().contains("malloc failure");
            let blamed = matches!(error.stage, LoadStage::Parse | LoadStage::NothingFound);
            assert!(!(said && blamed), "{allocations}: {text}");
            if error.stage == LoadStage::Memory {
                assert!(said && text.contains("memory ran out"), "{text}");
                told += 1;
            }
        }
        assert!(told > needed / 2, "since 1.27.2: {since_1_27_2}: {told} of {needed}");
        load(PLENTY, since_1_27_2).0.unwrap();
    }
}
