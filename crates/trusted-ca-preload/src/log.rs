//! One line at the end of a process that loaded something: what was shared.
//!
//! # Safety
//!
//! Calls into libc with buffers and C strings of this file.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int, c_void};
use std::fmt::Write;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::Relaxed};

use bundle_cache::Bundle;

use crate::setters;
use crate::settings::settings;

unsafe extern "C" {
    /// What atexit(3) is made of; that itself needs the start files that this library lacks.
    fn __cxa_atexit(
        function: unsafe extern "C" fn(*mut c_void),
        argument: *mut c_void,
        object: *mut c_void,
    ) -> c_int;
}

static LOADS: AtomicU64 = AtomicU64::new(0);
static PARSES: AtomicU64 = AtomicU64::new(0);
static SHARED: AtomicU64 = AtomicU64::new(0);
static BYTES_SPARED: AtomicU64 = AtomicU64::new(0);
static PASSED_ON: AtomicU64 = AtomicU64::new(0);
/// Whose figures these are: a forked child begins with none.
static PROCESS: AtomicI32 = AtomicI32::new(0);
static REGISTERED: AtomicBool = AtomicBool::new(false);

/// Counts a load that this library did.
pub(crate) fn loaded(bundle: &Bundle) {
    begin();
    LOADS.fetch_add(1, Relaxed);
    if bundle.parsed_now() {
        PARSES.fetch_add(1, Relaxed);
    } else {
        SHARED.fetch_add(1, Relaxed);
        BYTES_SPARED.fetch_add(bundle.file_bytes(), Relaxed);
    }
}

/// Counts a load that was left to OpenSSL.
pub(crate) fn passed_on() {
    begin();
    LOADS.fetch_add(1, Relaxed);
    PASSED_ON.fetch_add(1, Relaxed);
}

fn begin() {
    if settings().log.is_none() {
        return;
    }
    if PROCESS.swap(process(), Relaxed) != process() {
        for figure in [&LOADS, &PARSES, &SHARED, &BYTES_SPARED, &PASSED_ON] {
            figure.swap(0, Relaxed);
        }
    }
    if !REGISTERED.swap(true, Relaxed) {
        // SAFETY: a function of the declared type. Without memory for it there is no line.
        unsafe { __cxa_atexit(write_line, ptr::null_mut(), ptr::null_mut()) };
    }
}

unsafe extern "C" fn write_line(_: *mut c_void) {
    let Some(log) = &settings().log else { return };
    if PROCESS.load(Relaxed) != process() {
        return;
    }
    let mut line = String::new();
    let said = write!(
        line,
        "trusted-ca: pid {} ({}): loads {}, parses {}, shared {}, bytes spared {}, passed on {}{}",
        process(),
        settings().program,
        LOADS.load(Relaxed),
        PARSES.load(Relaxed),
        SHARED.load(Relaxed),
        BYTES_SPARED.load(Relaxed),
        PASSED_ON.load(Relaxed),
        if settings().unknown {
            "; kept out: TRUSTED_CA is none of private, shared-store, off\n"
        } else if setters::are_imported() {
            "; kept out: the program has functions that change certificates\n"
        } else {
            "\n"
        },
    );
    if said.is_ok() {
        append(log, line.as_bytes());
    }
}

/// In one write(2), so that lines of several processes don't mix.
fn append(log: &CStr, line: &[u8]) {
    if log == c"stderr" {
        // SAFETY: a buffer and its length. Nobody is left to tell if it can't be written.
        unsafe { libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len()) };
        return;
    }
    let access = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND;
    // Nobody may be there to read from a FIFO, and a program that ends must not wait for them.
    let flags = access | libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: a C string, valid flags, and the mode that O_CREAT wants.
    let file = unsafe { libc::open(log.as_ptr(), flags, 0o644) };
    if file < 0 {
        return;
    }
    if is_regular(file) {
        // SAFETY: a buffer and its length.
        unsafe { libc::write(file, line.as_ptr().cast(), line.len()) };
    }
    // SAFETY: opened above.
    unsafe { libc::close(file) };
}

fn is_regular(file: c_int) -> bool {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: as much as fstat writes.
    if unsafe { libc::fstat(file, status.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: fstat has written it.
    let status = unsafe { status.assume_init() };
    status.st_mode & libc::S_IFMT == libc::S_IFREG
}

fn process() -> i32 {
    // SAFETY: no precondition.
    unsafe { libc::getpid() }
}
