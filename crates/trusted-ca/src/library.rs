//! OpenSSL as a whole: set up once, named in reports.
//!
//! # Safety
//!
//! `OPENSSL_init_ssl` may be called any number of times from any thread; the indices that are
//! asked for here are process-wide and never given back.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int};
use std::ptr;
use std::sync::OnceLock;

use crate::{ContextError, error_queue};

/// `OPENSSL_INIT_LOAD_CONFIG`: read openssl.cnf, as nginx has OpenSSL do.
const OPENSSL_INIT_LOAD_CONFIG: u64 = 0x40;
/// `OPENSSL_VERSION`: the key for the version text.
const OPENSSL_VERSION: c_int = 0;

/// The two slots that nginx attaches to every `SSL_CTX`: its server configuration and its
/// `ngx_ssl_t`.
pub(crate) struct ExData {
    pub(crate) server_conf: c_int,
    pub(crate) ssl: c_int,
}

/// Sets OpenSSL up once per process, as nginx's `ngx_ssl_init` does, and leaves the error queue
/// empty: initialising may leave entries in it although it succeeds.
pub(crate) fn set_up() -> Result<&'static ExData, ContextError> {
    static SET_UP: OnceLock<Result<ExData, ContextError>> = OnceLock::new();
    SET_UP
        .get_or_init(|| {
            // SAFETY: null settings mean the defaults.
            if unsafe { openssl_sys::OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, ptr::null()) } == 0
            {
                return Err(ContextError::new("OPENSSL_init_ssl"));
            }
            error_queue::clear();
            Ok(ExData {
                server_conf: ex_data_slot()?,
                ssl: ex_data_slot()?,
            })
        })
        .as_ref()
        .map_err(Clone::clone)
}

fn ex_data_slot() -> Result<c_int, ContextError> {
    // SAFETY: no callbacks and no argument: the slot is a plain pointer that OpenSSL never
    // dereferences.
    let slot =
        unsafe { openssl_sys::SSL_CTX_get_ex_new_index(0, ptr::null_mut(), None, None, None) };
    if slot < 0 {
        return Err(ContextError::new("SSL_CTX_get_ex_new_index"));
    }
    Ok(slot)
}

/// The version text of the OpenSSL that is *running*, for example `OpenSSL 3.0.19 27 Jan 2026`.
///
/// With a shared library this may be newer than the headers that the crate was built with.
///
/// # References
///
/// OpenSSL_version(3).
pub fn openssl_version() -> &'static str {
    // SAFETY: takes a plain number and always returns a static NUL-terminated string.
    let text = unsafe { openssl_sys::OpenSSL_version(OPENSSL_VERSION) };
    // SAFETY: see above; the string lives as long as the library is loaded, which is until exit.
    unsafe { CStr::from_ptr(text) }
        .to_str()
        .unwrap_or("OpenSSL (version text is not UTF-8)")
}
