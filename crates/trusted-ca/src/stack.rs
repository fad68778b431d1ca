//! OpenSSL's `STACK_OF(T)`, owned; and read out of a file's PEM blocks of one kind, as nginx's object cache
//! does.
//!
//! # Safety
//!
//! A [`OpenSslStack<T>`] is only built from a stack whose elements are all live `T::Raw` with one
//! reference each that the stack owns; drop frees the elements and the stack together. Each kind is bound
//! to the OpenSSL function that makes it, so that a list cannot get objects of another type.
#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_void};
use std::marker::PhantomData;
use std::path::Path;
use std::ptr::{self, NonNull};

use openssl_sys::{BIO, OPENSSL_STACK, X509, X509_CRL, pem_password_cb};

use crate::bio::FileBio;
use crate::error::c_path;
use crate::ffi::{self, X509_INFO};
use crate::{LoadError, LoadStage, error_queue};

/// What a stack may hold.
pub(crate) trait Element {
    /// OpenSSL's type.
    type Raw;
    /// Frees one element; runs once for each when the stack goes.
    ///
    /// # Safety
    /// `raw` is an element that its stack owns.
    unsafe extern "C" fn free(raw: *mut c_void);
}

macro_rules! element {
    ($name:ident, $raw:ty, $free:path, $doc:literal) => {
        #[doc = $doc]
        #[derive(Debug)]
        pub(crate) enum $name {}
        impl Element for $name {
            type Raw = $raw;
            unsafe extern "C" fn free(raw: *mut c_void) {
                // SAFETY: the caller guarantees that this is an element of the right type,
                // owned by the stack and freed only here.
                unsafe { $free(raw.cast()) }
            }
        }
    };
}
element!(Certificate, X509, openssl_sys::X509_free, "Certificates.");
element!(Crl, X509_CRL, openssl_sys::X509_CRL_free, "Revocation lists.");
element!(Info, X509_INFO, ffi::X509_INFO_free, "What a PEM file held, in its order.");

/// An owned stack of owned elements.
#[derive(Debug)]
pub(crate) struct OpenSslStack<T: Element> {
    raw: NonNull<OPENSSL_STACK>,
    _elements: PhantomData<T>,
}

impl<T: Element> OpenSslStack<T> {
    /// An empty stack; `None` when memory is short.
    pub(crate) fn new() -> Option<Self> {
        // SAFETY: no precondition.
        let raw = unsafe { openssl_sys::OPENSSL_sk_new_null() };
        // SAFETY: a new stack has no elements that could be of a wrong type.
        unsafe { Self::from_raw(raw) }
    }

    /// Takes over a stack that OpenSSL returned; `None` for null.
    ///
    /// # Safety
    /// `raw` is null, or a stack of `T::Raw` that nobody else frees.
    pub(crate) unsafe fn from_raw(raw: *mut OPENSSL_STACK) -> Option<Self> {
        Some(Self { raw: NonNull::new(raw)?, _elements: PhantomData })
    }

    /// Adds an element; false when memory is short, and then the element is freed.
    ///
    /// # Safety
    /// `element` is a live `T::Raw` and one reference to it passes to the stack.
    pub(crate) unsafe fn push(&mut self, element: NonNull<T::Raw>) -> bool {
        // SAFETY: the stack is alive, the element of the right type.
        let pushed =
            unsafe { openssl_sys::OPENSSL_sk_push(self.raw.as_ptr(), element.as_ptr().cast()) };
        if pushed == 0 {
            // SAFETY: the reference that the caller gave up was not taken over by the stack.
            unsafe { T::free(element.as_ptr().cast()) };
        }
        pushed != 0
    }

    pub(crate) fn len(&self) -> usize {
        // SAFETY: the stack is alive.
        let count = unsafe { openssl_sys::OPENSSL_sk_num(self.raw.as_ptr()) };
        usize::try_from(count).unwrap_or(0)
    }

    /// The elements in order. Each pointer is live for as long as the stack.
    pub(crate) fn iter(&self) -> impl Iterator<Item = *mut T::Raw> + '_ {
        (0..self.len()).map(|index| {
            // SAFETY: the stack is alive and the index within it.
            unsafe { openssl_sys::OPENSSL_sk_value(self.raw.as_ptr(), index as c_int) }.cast()
        })
    }

    pub(crate) fn as_ptr(&self) -> *mut OPENSSL_STACK {
        self.raw.as_ptr()
    }
}

impl<T: Element> Drop for OpenSslStack<T> {
    fn drop(&mut self) {
        // SAFETY: the stack and its elements are owned by this value; `free` is their type's.
        unsafe { openssl_sys::OPENSSL_sk_pop_free(self.raw.as_ptr(), Some(T::free)) }
    }
}

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

impl<T: FromPem> OpenSslStack<T> {
    /// Reads until there are no more.
    ///
    /// # Errors
    /// When the file cannot be opened, one block is damaged, or none is there.
    pub(crate) fn read(file: &Path) -> Result<Self, LoadError> {
        let c_path = c_path(file)?;
        let failed = |stage| LoadError::now(file, stage);
        let mut list = Self::new().ok_or_else(|| failed(LoadStage::Store))?;
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
