//! What the environment asks for. Read once, at the first load: programs change their environment.
//!
//! # Safety
//!
//! Strings of the environment are copied or compared at once, as early as this library can.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use bundle_cache::lock;

use crate::setters;

unsafe extern "C" {
    /// getenv(3), but null in programs that run with more rights than their user has: those
    /// mustn't write to files that he names.
    fn secure_getenv(name: *const c_char) -> *const c_char;
    /// glibc, musl: the program's name without its directory.
    static program_invocation_short_name: *const c_char;
}

/// How the library acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SharingMode {
    /// It keeps out: `TRUSTED_CA=off`, and anything that it doesn't know.
    Off,
    /// Parsed objects are shared, stores are private. The default.
    Private,
    /// Contexts share whole stores, too: `TRUSTED_CA=shared-store`.
    SharedStore,
}

/// What the environment asks for.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) way: SharingMode,
    /// `TRUSTED_CA` is something that isn't known.
    pub(crate) unknown: bool,
    /// `TRUSTED_CA_LOG`: a file to append to, or `stderr`.
    pub(crate) log: Option<CString>,
    /// The program's name, for the log. Read now, as programs overwrite it, too.
    pub(crate) program: String,
}

static SETTINGS: AtomicPtr<Settings> = AtomicPtr::new(ptr::null_mut());

/// The settings of this process.
pub(crate) fn settings() -> &'static Settings {
    // The order of atomics would do; what checks threads only sees that of locks.
    let guard = lock();
    let known = SETTINGS.load(Ordering::Acquire);
    drop(guard);
    if !known.is_null() {
        // SAFETY: only ever set to what is never freed.
        return unsafe { &*known };
    }
    let fresh = Box::into_raw(Box::new(read()));
    let _guard = lock();
    match SETTINGS.compare_exchange(ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire) {
        // SAFETY: set for good.
        Ok(_) => unsafe { &*fresh },
        Err(earlier) => {
            // SAFETY: made above, and not published.
            drop(unsafe { Box::from_raw(fresh) });
            // SAFETY: only ever set to what is never freed.
            unsafe { &*earlier }
        }
    }
}

/// How the library acts in this process as it is now.
pub(crate) fn mode() -> SharingMode {
    match settings().way {
        SharingMode::Off => SharingMode::Off,
        _ if setters::are_imported() => SharingMode::Off,
        way => way,
    }
}

fn read() -> Settings {
    let asked = variable(c"TRUSTED_CA");
    let known = match asked.as_deref().map(CStr::to_bytes) {
        None | Some(b"" | b"private") => Some(SharingMode::Private),
        Some(b"shared-store") => Some(SharingMode::SharedStore),
        Some(b"off") => Some(SharingMode::Off),
        Some(_) => None,
    };
    Settings {
        way: known.unwrap_or(SharingMode::Off),
        unknown: known.is_none(),
        log: variable(c"TRUSTED_CA_LOG").filter(|log| !log.is_empty()),
        program: program(),
    }
}

/// A variable of the environment, unless the program runs with more rights than its user has.
pub(crate) fn variable(name: &CStr) -> Option<CString> {
    // SAFETY: a C string.
    let value = unsafe { secure_getenv(name.as_ptr()) };
    // SAFETY: a C string of the environment, copied at once.
    (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) }.to_owned())
}

fn program() -> String {
    // SAFETY: libc sets it before any library is used.
    let name = unsafe { program_invocation_short_name };
    if name.is_null() {
        return "?".to_owned();
    }
    // SAFETY: a C string, copied at once.
    let name = unsafe { CStr::from_ptr(name) };
    name.to_string_lossy().into_owned()
}
