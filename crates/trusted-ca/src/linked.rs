//! The OpenSSL that this crate is linked against, as a table of functions.
//!
//! # Safety
//!
//! Each name is made of the function's own; all are linked from one OpenSSL, which stays
//! for as long as the process.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_void};
use std::ptr;
use std::sync::OnceLock;

use bundle_cache::OpenSsl;

use crate::ffi;

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
