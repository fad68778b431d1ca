//! What a context's store holds.
//!
//! # Safety
//!
//! The store's list is borrowed for the length of one call on a context that nobody else can
//! change meanwhile: the context is not `Sync`, and changing it needs `&mut`.
#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_uchar};
use std::ptr;

use openssl_sys::{X509, X509_OBJECT};

use crate::{SslContext, ffi};

/// One object of a store, in DER.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreItem {
    /// A certificate, followed by its trust settings if it has any (`TRUSTED CERTIFICATE`).
    Certificate(Vec<u8>),
    /// A revocation list.
    Crl(Vec<u8>),
}

impl SslContext {
    /// How many certificates the store holds; duplicates count once.
    pub fn certificate_count(&self) -> usize {
        self.count_objects(ffi::X509_LU_X509)
    }

    /// How many revocation lists the store holds; duplicates count once.
    pub fn crl_count(&self) -> usize {
        self.count_objects(ffi::X509_LU_CRL)
    }

    /// Everything in the store, in the store's order.
    ///
    /// The order is OpenSSL's: up to 3.x it sorts by subject while it looks for duplicates, so it
    /// is not the order of the file; two stores filled by the same sequence of calls agree.
    pub fn contents(&self) -> Vec<StoreItem> {
        self.objects()
            .filter_map(|object| match kind(object) {
                ffi::X509_LU_X509 => {
                    let certificate = certificate(object);
                    // SAFETY: the encoder gets a live certificate.
                    let der = encode(|out| unsafe { ffi::i2d_X509_AUX(certificate, out) });
                    Some(StoreItem::Certificate(der))
                }
                ffi::X509_LU_CRL => {
                    // SAFETY: the object is alive and a CRL, which it keeps.
                    let crl = unsafe { ffi::X509_OBJECT_get0_X509_CRL(object) };
                    // SAFETY: the encoder gets a live CRL.
                    let der = encode(|out| unsafe { openssl_sys::i2d_X509_CRL(crl, out) });
                    Some(StoreItem::Crl(der))
                }
                _ => None,
            })
            .collect()
    }

    /// The subjects of the certificates in the store's order, in RFC 2253 form
    /// (`CN=…,O=…,C=…`, UTF-8).
    pub fn subjects(&self) -> Vec<String> {
        self.objects()
            .filter(|&object| kind(object) == ffi::X509_LU_X509)
            .map(|object| subject(certificate(object)))
            .collect()
    }

    fn count_objects(&self, wanted: c_int) -> usize {
        self.objects().filter(|&object| kind(object) == wanted).count()
    }

    fn objects(&self) -> impl Iterator<Item = *mut X509_OBJECT> + '_ {
        // SAFETY: the store is alive; the stack that comes back is its own, never null.
        let stack = unsafe { openssl_sys::X509_STORE_get0_objects(self.store()) };
        // SAFETY: as above; nobody changes the stack while `self` is borrowed.
        let count = unsafe { openssl_sys::OPENSSL_sk_num(stack.cast()) };
        (0..count).map(move |index| {
            // SAFETY: the index is within the stack.
            unsafe { openssl_sys::OPENSSL_sk_value(stack.cast(), index) }.cast()
        })
    }
}

fn kind(object: *const X509_OBJECT) -> c_int {
    // SAFETY: only called with objects of a store that is borrowed.
    unsafe { ffi::X509_OBJECT_get_type(object) }
}

fn certificate(object: *const X509_OBJECT) -> *mut X509 {
    // SAFETY: only called with objects of a store that is borrowed; they keep the certificate.
    unsafe { openssl_sys::X509_OBJECT_get0_X509(object) }
}

/// Runs one of OpenSSL's `i2d_` functions: first for the length, then for the bytes.
fn encode(encoder: impl Fn(*mut *mut c_uchar) -> c_int) -> Vec<u8> {
    let len = usize::try_from(encoder(ptr::null_mut())).unwrap_or(0);
    let mut der = vec![0_u8; len];
    let mut end = der.as_mut_ptr();
    let written = encoder(&mut end);
    // An object in a store was parsed from DER, so that encoding it back cannot fail half-way.
    der.truncate(usize::try_from(written).unwrap_or(0));
    der
}

fn subject(certificate: *const X509) -> String {
    // SAFETY: the certificate is alive and owns the name.
    let name = unsafe { openssl_sys::X509_get_subject_name(certificate) };
    // SAFETY: returns a static table.
    let method = unsafe { openssl_sys::BIO_s_mem() };
    // SAFETY: the table from above; null comes back when memory is short.
    let bio = unsafe { openssl_sys::BIO_new(method) };
    if bio.is_null() {
        return String::new();
    }
    // SAFETY: both are alive; the text goes to the BIO's own buffer.
    unsafe { ffi::X509_NAME_print_ex(bio, name, 0, ffi::SUBJECT_FLAGS) };
    let mut text: *mut c_char = ptr::null_mut();
    // SAFETY: a memory BIO lends its bytes until it is freed.
    let len = unsafe { openssl_sys::BIO_get_mem_data(bio, &mut text) };
    let bytes = match usize::try_from(len) {
        // SAFETY: OpenSSL says that `len` bytes are there; they are copied before the BIO goes.
        Ok(len) if !text.is_null() => unsafe { std::slice::from_raw_parts(text.cast::<u8>(), len) },
        _ => &[],
    };
    let subject = String::from_utf8_lossy(bytes).into_owned();
    // SAFETY: made above and in no chain; `bytes` isn't used any more.
    unsafe { openssl_sys::BIO_free_all(bio) };
    subject
}
