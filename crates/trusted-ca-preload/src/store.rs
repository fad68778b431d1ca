//! The private way: a file is put into somebody's own store, out of the cache where it is there.
//!
//! Any doubt ends in [`None`], and the caller lets OpenSSL's own function do it.

use std::ffi::{CStr, c_char, c_void};

use bundle_cache::{Bundle, X509Store};

use crate::crypto::Crypto;
use crate::settings::{Way, settings};
use crate::{log, running};

/// Loads a file into a store; `None` if that is left to OpenSSL.
///
/// # Safety
///
/// `store` is a live store of this libcrypto, `file` a C string or null.
#[allow(unsafe_code)]
pub(crate) unsafe fn load(
    crypto: &'static Crypto,
    store: *mut X509Store,
    file: *const c_char,
    libctx: *mut c_void,
    properties: *const c_char,
) -> Option<()> {
    if store.is_null() || file.is_null() || running::crypto().is_some() {
        return None;
    }
    if settings().way == Way::Off {
        log::passed_on();
        return None;
    }
    // SAFETY: a C string as the caller promises.
    let file = unsafe { CStr::from_ptr(file) };
    let usual = properties.is_null() && crypto.is_default_context(libctx);
    let bundle = usual.then(|| find(crypto, file)).flatten();
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
pub(crate) fn find(crypto: &'static Crypto, file: &CStr) -> Option<Bundle> {
    crypto.cache.as_ref()?.bundle(file).ok()
}
