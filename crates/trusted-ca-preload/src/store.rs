//! The private way: a file is put into somebody's own store, out of the cache where it is there.
//!
//! Any doubt ends in [`None`], and the caller lets OpenSSL's own function do it.

use std::ffi::{CStr, c_char, c_void};

use bundle_cache::{Bundle, X509Store};

use crate::crypto::Crypto;
use crate::settings::{SharingMode, settings};
use crate::{log, query};

/// Loads a file into a store; `None` if that is left to OpenSSL.
///
/// # Safety
///
/// `store` is a live store of this libcrypto, `file` and `properties` are C strings or null.
#[allow(unsafe_code)]
pub(crate) unsafe fn load(
    crypto: &'static Crypto,
    store: *mut X509Store,
    file: *const c_char,
    libctx: *mut c_void,
    properties: *const c_char,
) -> Option<()> {
    if store.is_null() || file.is_null() || Crypto::is_running() {
        return None;
    }
    if settings().way == SharingMode::Off {
        log::passed_on();
        return None;
    }
    // SAFETY: a C string as the caller promises.
    let file = unsafe { CStr::from_ptr(file) };
    // SAFETY: a C string as the caller promises.
    let properties = (!properties.is_null()).then(|| unsafe { CStr::from_ptr(properties) });
    let plain = properties.is_none_or(|query| query::is_plain(query.to_bytes()));
    let bundle = (plain && crypto.is_default_context(libctx))
        .then(|| find(crypto, file, properties))
        .flatten();
    // SAFETY: a live store as the caller promises.
    let bundle = bundle.filter(|bundle| unsafe { bundle.add_to(store) }.is_ok());
    match bundle {
        Some(bundle) => {
            log::loaded(&bundle);
            Some(())
        }
        None => {
            log::passed_on();
            None
        }
    }
}

/// A bundle out of the cache, or parsed for it.
pub(crate) fn find(
    crypto: &'static Crypto,
    file: &CStr,
    properties: Option<&CStr>,
) -> Option<Bundle> {
    crypto.cache.as_ref()?.bundle_for(file, properties).ok()
}
