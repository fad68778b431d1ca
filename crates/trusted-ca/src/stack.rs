//! OpenSSL's `STACK_OF(T)`, owned.
//!
//! # Safety
//!
//! A [`OpenSslStack<T>`] is only built from a stack whose elements are all live `T::Raw` with one
//! reference each that the stack owns; drop frees the elements and the stack together.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::ptr::NonNull;

use openssl_sys::{OPENSSL_STACK, X509, X509_CRL};

use crate::ffi::{self, X509_INFO};

/// What a stack may hold.
pub(crate) trait Element {
    /// OpenSSL's type.
    type Raw;
    /// Frees one element; runs once for each when the stack goes.
    ///
    /// # Safety
    ///
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
element!(
    Crl,
    X509_CRL,
    openssl_sys::X509_CRL_free,
    "Revocation lists."
);
element!(
    Info,
    X509_INFO,
    ffi::X509_INFO_free,
    "What a PEM file held, in its order."
);

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
    ///
    /// `raw` is null, or a stack of `T::Raw` that nobody else frees.
    pub(crate) unsafe fn from_raw(raw: *mut OPENSSL_STACK) -> Option<Self> {
        Some(Self {
            raw: NonNull::new(raw)?,
            _elements: PhantomData,
        })
    }

    /// Adds an element; false when memory is short, and then the element is freed.
    ///
    /// # Safety
    ///
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
