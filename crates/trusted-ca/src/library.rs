//! OpenSSL as a whole: set up once, named in reports, and as a table of the functions that this crate is
//! linked against.
//!
//! # Safety
//!
//! `OPENSSL_init_ssl` may be called any number of times from any thread; the indices that are
//! asked for here are process-wide and never given back. In the table each name is made of the function's
//! own; all are linked from one OpenSSL, which stays for as long as the process.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int, c_void};
use std::ptr;
use std::sync::OnceLock;

use bundle_cache::OpenSsl;

use crate::{ContextError, error_queue, ffi};

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
            Ok(ExData { server_conf: ex_data_slot()?, ssl: ex_data_slot()? })
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
/// OpenSSL_version(3).
pub fn openssl_version() -> &'static str {
    // SAFETY: takes a plain number and always returns a static NUL-terminated string.
    let text = unsafe { openssl_sys::OpenSSL_version(OPENSSL_VERSION) };
    // SAFETY: see above; the string lives as long as the library is loaded, which is until exit.
    unsafe { CStr::from_ptr(text) }.to_str().unwrap_or("OpenSSL (version text is not UTF-8)")
}

/// The table.
pub(crate) fn openssl() -> &'static OpenSsl {
    static TABLE: OnceLock<OpenSsl> = OnceLock::new();
    TABLE.get_or_init(|| {
        // SAFETY: `address` knows the functions by their names.
        let table = unsafe { OpenSsl::resolve(address) };
        table.expect("every function of the table is linked: a unit test resolves it")
    })
}

/// The address of the function of this name, if it is one of these.
macro_rules! address {
    ($name:expr; $($library:ident::$function:ident)*) => {
        match $name.to_bytes() {
            $(name if name == stringify!($function).as_bytes() => {
                $library::$function as *const c_void
            })*
            _ => ptr::null(),
        }
    };
}

fn address(name: &CStr) -> *const c_void {
    address! { name;
        openssl_sys::BIO_new_fp openssl_sys::BIO_new_mem_buf ffi::BIO_free ffi::ERR_peek_error
        openssl_sys::ERR_clear_error ffi::PEM_X509_INFO_read_bio ffi::X509_INFO_free
        openssl_sys::OPENSSL_sk_num openssl_sys::OPENSSL_sk_value openssl_sys::OPENSSL_sk_pop_free
        openssl_sys::X509_up_ref openssl_sys::X509_free openssl_sys::X509_get_extension_flags
        openssl_sys::X509_CRL_up_ref openssl_sys::X509_CRL_free openssl_sys::X509_STORE_new
        ffi::X509_STORE_up_ref openssl_sys::X509_STORE_free openssl_sys::X509_STORE_add_cert
        ffi::X509_STORE_add_crl openssl_sys::X509_STORE_add_lookup openssl_sys::X509_LOOKUP_file
    }
}

#[cfg(test)]
mod tests {

    #[test]
    fn every_function_of_the_table_is_linked() {
        super::openssl();
    }
}
