//! Whose an object is, where a process has more than one OpenSSL: told by the functions and tables
//! of its library that the object refers to.
//!
//! # Safety
//!
//! OpenSSL keeps these structures to itself, so their layout is read here as it has been since
//! 1.1.0: the words that are looked at are within the objects in every version that is known (1.1.1
//! to 4.0). A word that isn't what it was taken for belongs to no library, or to the right one.
#![allow(unsafe_code)]

use std::ffi::c_void;

use bundle_cache::{X509Lookup, X509Store};

use crate::loaded;

type Word = *const c_void;

/// Base of the library that a store's list of objects is compared by.
///
/// # Safety
///
/// `store` is null or a live store of some OpenSSL.
///
/// # References
///
/// OpenSSL `crypto/x509/x509_local.h` (`x509_store_st`: its second word is the list),
/// `crypto/stack/stack.c` (`stack_st`: its fourth word is the function that compares).
pub(crate) unsafe fn of_store(store: *const X509Store) -> Option<usize> {
    // SAFETY: as the caller promises.
    let list = unsafe { word(store.cast(), 1) }?;
    // SAFETY: a structure of four words or more, in every version.
    loaded::base_of(unsafe { word(list, 3) }?)
}

/// Base of the library that a lookup's method is a table of.
///
/// # Safety
///
/// `lookup` is null or a live lookup of some OpenSSL.
///
/// # References
///
/// OpenSSL `crypto/x509/x509_local.h` (`x509_lookup_st`: its second word is the method).
pub(crate) unsafe fn of_lookup(lookup: *const X509Lookup) -> Option<usize> {
    // SAFETY: as the caller promises.
    loaded::base_of(unsafe { word(lookup.cast(), 1) }?)
}

/// A word of a structure; `None` if it is null, or the structure is.
unsafe fn word(structure: Word, at: usize) -> Option<Word> {
    if structure.is_null() {
        return None;
    }
    // SAFETY: the caller knows that the structure has so many words.
    let place = unsafe { structure.cast::<Word>().add(at) };
    // SAFETY: as above.
    let word = unsafe { *place };
    (!word.is_null()).then_some(word)
}
