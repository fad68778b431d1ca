//! What openssl-sys does not declare.
//!
//! Every function here is exported by OpenSSL 1.1.1, 3.x and 4.x alike; the newer `_ex` forms
//! are left alone so that one binary interface serves them all. Signatures were taken from
//! `include/openssl/{bio,err,pem,ssl,x509,x509_vfy}.h`.
//!
//! # Safety
//!
//! Declarations only. Each call site states why its arguments are valid.
#![allow(unsafe_code, non_camel_case_types)]

use std::ffi::{c_char, c_int, c_uchar, c_ulong, c_void};

use openssl_sys::{
    BIO, SSL, SSL_CTX, X509, X509_CRL, X509_NAME, X509_OBJECT, X509_STORE, pem_password_cb,
    stack_st_X509,
};

/// `BIO_CLOSE`: freeing the BIO closes its `FILE` too.
pub const BIO_CLOSE: c_int = 1;
/// `BIO_C_GET_FILE_PTR`: the command behind the macro `BIO_get_fp`.
pub const BIO_C_GET_FILE_PTR: c_int = 107;
/// `X509_L_FILE_LOAD`: the command behind the macro `X509_LOOKUP_load_file`.
pub const X509_L_FILE_LOAD: c_int = 1;
/// `X509_LU_X509` and `X509_LU_CRL`: kinds of object in a store.
pub const X509_LU_X509: c_int = 1;
/// See [`X509_LU_X509`].
pub const X509_LU_CRL: c_int = 2;
/// `ERR_LIB_X509`.
pub const ERR_LIB_X509: c_int = 11;
/// `X509_R_NO_CERTIFICATE_OR_CRL_FOUND`.
pub const X509_R_NO_CERTIFICATE_OR_CRL_FOUND: c_int = 136;
/// `X509_F_X509_LOAD_CERT_CRL_FILE`: the function of an entry, which codes name up to 1.1.1.
pub const X509_F_X509_LOAD_CERT_CRL_FILE: c_int = 132;
/// `ERR_R_PEM_LIB`: "the reason is in the PEM library's entry before this one".
pub const ERR_R_PEM_LIB: c_int = openssl_sys::ERR_LIB_PEM | ERR_RFLAG_COMMON;
#[cfg(ossl300)]
const ERR_RFLAG_COMMON: c_int = 0x2 << 18;
#[cfg(not(ossl300))]
const ERR_RFLAG_COMMON: c_int = 0;
/// What is left of a reason code without the flag bits that OpenSSL 3 adds.
pub const REASON_MASK: c_int = 0x3ffff;
/// Reasons that point at another library's entry: `ERR_R_SYS_LIB`, `ERR_R_BIO_LIB`,
/// `ERR_R_X509_LIB`; and `ERR_R_MALLOC_FAILURE`. Without flag bits.
pub const REASON_SYS: c_int = 2;
/// See [`REASON_SYS`].
pub const REASON_BIO: c_int = 32;
/// See [`REASON_SYS`].
pub const REASON_X509: c_int = 11;
/// See [`REASON_SYS`].
#[cfg(ossl300)]
pub const REASON_MALLOC: c_int = 256;
/// See [`REASON_SYS`].
#[cfg(not(ossl300))]
pub const REASON_MALLOC: c_int = 1 | 64;
/// `SSL_OP_NO_ANTI_REPLAY`, since 1.1.1.
pub const SSL_OP_NO_ANTI_REPLAY: SslOptions = 0x0100_0000;
/// The integer that holds option bits: wider since 3.0.
#[cfg(ossl300)]
pub type SslOptions = u64;
/// The integer that holds option bits: wider since 3.0.
#[cfg(not(ossl300))]
pub type SslOptions = c_ulong;
/// `XN_FLAG_RFC2253` without `ASN1_STRFLGS_ESC_MSB`: subjects as UTF-8, most specific part first.
pub const SUBJECT_FLAGS: c_ulong = 0x0111_0317 & !4;

/// `STACK_OF(X509_INFO)`.
pub enum stack_st_X509_INFO {}

/// The head of `X509_INFO`: what one entry of a PEM file held.
///
/// Only ever seen behind a pointer that OpenSSL made; the fields after these two (a private
/// key and its cipher) are none of this crate's business and are freed by `X509_INFO_free`.
#[repr(C)]
pub struct X509_INFO {
    pub x509: *mut X509,
    pub crl: *mut X509_CRL,
    _rest: [u8; 0],
}

unsafe extern "C" {
    pub fn BIO_free(bio: *mut BIO) -> c_int;
    pub fn BIO_new_file(filename: *const c_char, mode: *const c_char) -> *mut BIO;
    pub fn ERR_error_string_n(code: c_ulong, buf: *mut c_char, len: usize);
    pub fn ERR_peek_error() -> c_ulong;
    pub fn ERR_set_mark() -> c_int;
    pub fn ERR_pop_to_mark() -> c_int;
    pub fn PEM_X509_INFO_read_bio(
        bio: *mut BIO,
        into: *mut stack_st_X509_INFO,
        password: pem_password_cb,
        user_data: *mut c_void,
    ) -> *mut stack_st_X509_INFO;
    pub fn PEM_read_bio_X509_AUX(
        bio: *mut BIO,
        out: *mut *mut X509,
        password: pem_password_cb,
        user_data: *mut c_void,
    ) -> *mut X509;
    pub fn SSL_CTX_set_info_callback(
        ctx: *mut SSL_CTX,
        callback: Option<unsafe extern "C" fn(*const SSL, c_int, c_int)>,
    );
    pub fn X509_INFO_free(info: *mut X509_INFO);
    pub fn X509_NAME_print_ex(
        out: *mut BIO,
        name: *const X509_NAME,
        indent: c_int,
        flags: c_ulong,
    ) -> c_int;
    pub fn X509_OBJECT_get_type(object: *const X509_OBJECT) -> c_int;
    pub fn X509_OBJECT_get0_X509_CRL(object: *const X509_OBJECT) -> *mut X509_CRL;
    pub fn X509_STORE_up_ref(store: *mut X509_STORE) -> c_int;
    pub fn X509_STORE_add_crl(store: *mut X509_STORE, crl: *mut X509_CRL) -> c_int;
    pub fn X509_chain_up_ref(chain: *mut stack_st_X509) -> *mut stack_st_X509;
    pub fn i2d_X509_AUX(cert: *const X509, out: *mut *mut c_uchar) -> c_int;
}
