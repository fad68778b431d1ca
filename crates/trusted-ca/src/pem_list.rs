//! Reads the PEM blocks of one kind out of a file, as nginx's object cache does.
//!
//! # Safety
//!
//! Each kind is bound to the OpenSSL function that makes it, so that a list cannot get objects of
//! another type.
#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_void};
use std::path::Path;
use std::ptr::{self, NonNull};

use openssl_sys::{BIO, X509, X509_CRL, pem_password_cb};

use crate::bio::FileBio;
use crate::error::c_path;
use crate::stack::{Certificate, Crl, Element, OpenSslStack};
use crate::{LoadError, LoadStage, error_queue, ffi};

/// One of OpenSSL's `PEM_read_bio_` functions.
type Reader<T> =
    unsafe extern "C" fn(*mut BIO, *mut *mut T, pem_password_cb, *mut c_void) -> *mut T;

/// A kind of object that PEM files hold.
pub(crate) trait FromPem: Element {
    /// Returns the next object of this kind, passing over blocks of other kinds; null at the end
    /// and for a damaged block.
    const READER: Reader<Self::Raw>;
}

impl FromPem for Certificate {
    /// The form that takes `CERTIFICATE` and `TRUSTED CERTIFICATE` and keeps trust settings.
    const READER: Reader<X509> = ffi::PEM_read_bio_X509_AUX;
}

impl FromPem for Crl {
    const READER: Reader<X509_CRL> = openssl_sys::PEM_read_bio_X509_CRL;
}

/// Reads until there are no more.
///
/// # Errors
///
/// When the file cannot be opened, one block is damaged, or none is there.
pub(crate) fn read<T: FromPem>(file: &Path) -> Result<OpenSslStack<T>, LoadError> {
    let c_path = c_path(file)?;
    let failed = |stage| LoadError::now(file, stage);
    let mut list = OpenSslStack::<T>::new().ok_or_else(|| failed(LoadStage::Store))?;
    let bio = FileBio::open(&c_path).ok_or_else(|| failed(LoadStage::Open))?;
    while let Some(object) = next::<T>(&bio) {
        // SAFETY: a new object, whose one reference passes to the list.
        if !unsafe { list.push(object) } {
            return Err(failed(LoadStage::Store));
        }
    }
    if !at_end() {
        return Err(failed(LoadStage::Parse));
    }
    if list.len() == 0 {
        return Err(failed(LoadStage::NothingFound));
    }
    error_queue::clear();
    Ok(list)
}

fn next<T: FromPem>(bio: &FileBio<'_>) -> Option<NonNull<T::Raw>> {
    let password = Some(refuse_password as unsafe extern "C" fn(_, _, _, _) -> _);
    // SAFETY: the BIO is open; no object to reuse, a callback of the declared type, no data for it.
    NonNull::new(unsafe { T::READER(bio.as_ptr(), ptr::null_mut(), password, ptr::null_mut()) })
}

/// Whether the last error says "no further block", which is how a reader reports the end.
fn at_end() -> bool {
    let code = error_queue::last_code();
    openssl_sys::ERR_GET_LIB(code) == openssl_sys::ERR_LIB_PEM
        && openssl_sys::ERR_GET_REASON(code) == openssl_sys::PEM_R_NO_START_LINE
}

/// Answers "no password" for an encrypted block. nginx passes no callback here, so OpenSSL asks
/// on the terminal, and fails where there is none; a library must not wait for a keyboard.
unsafe extern "C" fn refuse_password(
    _buffer: *mut c_char,
    _len: c_int,
    _writing: c_int,
    _data: *mut c_void,
) -> c_int {
    -1
}
