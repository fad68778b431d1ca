//! The OpenSSL that this crate is linked against, as a table of functions.
//!
//! # Safety
//!
//! Each name stands beside the function of that name; all are linked from one OpenSSL, which stays
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

fn address(name: &CStr) -> *const c_void {
    match name.to_bytes() {
        b"BIO_new_fp" => openssl_sys::BIO_new_fp as *const c_void,
        b"BIO_new_mem_buf" => openssl_sys::BIO_new_mem_buf as *const c_void,
        b"BIO_free" => ffi::BIO_free as *const c_void,
        b"ERR_peek_error" => ffi::ERR_peek_error as *const c_void,
        b"ERR_clear_error" => openssl_sys::ERR_clear_error as *const c_void,
        b"PEM_X509_INFO_read_bio" => ffi::PEM_X509_INFO_read_bio as *const c_void,
        b"X509_INFO_free" => ffi::X509_INFO_free as *const c_void,
        b"OPENSSL_sk_num" => openssl_sys::OPENSSL_sk_num as *const c_void,
        b"OPENSSL_sk_value" => openssl_sys::OPENSSL_sk_value as *const c_void,
        b"OPENSSL_sk_pop_free" => openssl_sys::OPENSSL_sk_pop_free as *const c_void,
        b"X509_up_ref" => openssl_sys::X509_up_ref as *const c_void,
        b"X509_free" => openssl_sys::X509_free as *const c_void,
        b"X509_get_extension_flags" => openssl_sys::X509_get_extension_flags as *const c_void,
        b"X509_CRL_up_ref" => openssl_sys::X509_CRL_up_ref as *const c_void,
        b"X509_CRL_free" => openssl_sys::X509_CRL_free as *const c_void,
        b"X509_STORE_new" => openssl_sys::X509_STORE_new as *const c_void,
        b"X509_STORE_up_ref" => ffi::X509_STORE_up_ref as *const c_void,
        b"X509_STORE_free" => openssl_sys::X509_STORE_free as *const c_void,
        b"X509_STORE_add_cert" => openssl_sys::X509_STORE_add_cert as *const c_void,
        b"X509_STORE_add_crl" => ffi::X509_STORE_add_crl as *const c_void,
        b"X509_STORE_add_lookup" => openssl_sys::X509_STORE_add_lookup as *const c_void,
        b"X509_LOOKUP_file" => openssl_sys::X509_LOOKUP_file as *const c_void,
        _ => ptr::null(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_function_of_the_table_is_linked() {
        super::openssl();
    }
}
