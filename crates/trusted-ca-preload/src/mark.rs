//! What is known of a context's store, kept in the store itself so that it goes with it.
//!
//! # Safety
//!
//! The slot holds null or a boxed [`StoreMark`] that belongs to the store; OpenSSL hands it to
//! [`free_mark`] when the store is freed.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_long, c_void};

use bundle_cache::{Bundle, X509Store};

use crate::crypto::Crypto;

/// What is known of a store. A store without a mark is as `SSL_CTX_new` made it.
#[derive(Debug)]
pub(crate) enum StoreMark {
    /// Several contexts have it. It came from this bundle, which goes with it.
    Shared(Bundle),
    /// One context has it, and perhaps somebody else holds a pointer to it.
    Touched {
        /// The shared store that it took the place of, or null: a thread that is shaking hands may
        /// be using that still.
        instead_of: *mut X509Store,
    },
}

/// The bundle of a store that several contexts have; `None` for any other store.
///
/// # Safety
/// `store` is a live store of this libcrypto.
pub(crate) unsafe fn shared(crypto: &'static Crypto, store: *mut X509Store) -> Option<Bundle> {
    // SAFETY: as the caller promises.
    match unsafe { mark(crypto, store) }? {
        StoreMark::Shared(bundle) => Some(bundle.clone()),
        StoreMark::Touched { .. } => None,
    }
}

/// Whether a store is as `SSL_CTX_new` made it, as far as can be known.
///
/// # Safety
/// `store` is a live store of this libcrypto.
pub(crate) unsafe fn is_untouched(crypto: &'static Crypto, store: *mut X509Store) -> bool {
    // SAFETY: as the caller promises.
    crypto.mark_index(free_mark).is_some() && unsafe { mark(crypto, store) }.is_none()
}

/// Marks a store that has no mark. False if there is no memory for it.
///
/// # Safety
/// `store` is a live store of this libcrypto.
pub(crate) unsafe fn set(crypto: &'static Crypto, store: *mut X509Store, mark: StoreMark) -> bool {
    let Some((index, set)) = crypto.mark_index(free_mark).zip(crypto.own.set_ex_data) else {
        return false;
    };
    let mark = Box::into_raw(Box::new(mark));
    // SAFETY: a live store, and a slot for stores.
    let done = unsafe { set(store, index, mark.cast()) } != 0;
    if !done {
        // SAFETY: made above; the store didn't take it.
        drop(unsafe { Box::from_raw(mark) });
    }
    done
}

unsafe fn mark(crypto: &'static Crypto, store: *mut X509Store) -> Option<&'static StoreMark> {
    let index = crypto.mark_index(free_mark)?;
    // SAFETY: a live store, and a slot for stores.
    let mark = unsafe { crypto.own.get_ex_data?(store, index) };
    // SAFETY: null, or a mark that was set above; it lives as long as the store, which outlives
    // the use that is made of it here.
    unsafe { mark.cast::<StoreMark>().as_ref() }
}

unsafe extern "C" fn free_mark(
    _store: *mut c_void,
    mark: *mut c_void,
    _data: *mut c_void,
    _index: c_int,
    _number: c_long,
    crypto: *mut c_void,
) {
    if mark.is_null() {
        return;
    }
    // SAFETY: set above, and freed with its store, once.
    let mark = unsafe { Box::from_raw(mark.cast::<StoreMark>()) };
    let StoreMark::Touched { instead_of } = *mark else {
        return;
    };
    // SAFETY: what was handed over when the slot was asked for.
    let crypto = unsafe { &*crypto.cast::<Crypto>() };
    if let Some(free) = crypto.own.store_free.filter(|_| !instead_of.is_null()) {
        // SAFETY: the mark's own reference.
        unsafe { free(instead_of) };
    }
}
