//! A parsed bundle in the hands of somebody who loads it.
//!
//! # Safety
//!
//! A bundle holds on to what was parsed; pointers to stores are their callers' to vouch for.
#![allow(unsafe_code)]

use std::mem::ManuallyDrop;
use std::sync::Arc;

use crate::lock::lock;
use crate::openssl::X509Store;
use crate::parsed::{Parsed, SharedStore};

/// Why a file is left to OpenSSL's own loader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PassedOn {
    /// It isn't a regular file with something in it that may be read: missing, a pipe, a directory.
    Unsuitable,
    /// It doesn't parse, holds neither certificate nor revocation list, or a certificate whose
    /// extensions can't be made sense of: OpenSSL is to say so.
    Refused,
    /// The thread's error queue holds something, and what a first reading leaves there couldn't be
    /// told from it.
    ErrorsQueued,
    /// Another thread has been busy with it for a second, or the lock isn't to be had.
    Busy,
    /// There was no memory to put it where it should go.
    NoMemory,
}

/// A parsed bundle, held for one load.
#[derive(Debug)]
pub struct Bundle {
    parsed: ManuallyDrop<Arc<Parsed>>,
    parsed_now: bool,
}

impl Bundle {
    pub(crate) fn new(parsed: Arc<Parsed>, parsed_now: bool) -> Self {
        Self { parsed: ManuallyDrop::new(parsed), parsed_now }
    }

    /// Whether the file had to be parsed for this load.
    pub fn parsed_now(&self) -> bool {
        self.parsed_now
    }

    /// Length of the file in bytes.
    pub fn file_bytes(&self) -> u64 {
        self.parsed.file_bytes
    }

    /// Puts everything into a store, which others may see or change without anybody else being
    /// concerned: it shares the parsed objects, and nothing else.
    ///
    /// Order, duplicates and the lookup method that is left behind are those of
    /// `X509_STORE_load_file`.
    ///
    /// # Errors
    /// When memory is short. Some of the bundle may be in the store then; loading it once more
    /// adds the rest.
    ///
    /// # Safety
    /// `store` is a live store of the OpenSSL that this bundle was parsed by.
    pub unsafe fn add_to(&self, store: *mut X509Store) -> Result<(), PassedOn> {
        // SAFETY: as the caller promises.
        let added = unsafe { self.parsed.add_to(store) };
        added.then_some(()).ok_or(PassedOn::NoMemory)
    }

    /// The one store of everybody who asks for it, with a reference that is the caller's to give
    /// back. Nobody may change it. `prepare` is called with a store that is new, before anybody
    /// else gets it, and says whether it may be shared.
    ///
    /// # Errors
    /// When memory is short, the lock isn't to be had, or `prepare` said no.
    pub fn shared_store(
        &self,
        prepare: impl FnOnce(*mut X509Store) -> bool,
    ) -> Result<*mut X509Store, PassedOn> {
        if let Some(store) = self.shared_already()? {
            return Ok(store);
        }
        let store = self.private_store()?;
        if prepare(store) && self.keep_shared(store) == Ok(true) {
            return Ok(store);
        }
        // SAFETY: made above; nobody else knows it.
        unsafe { (self.parsed.openssl.store_free)(store) };
        self.shared_already()?.ok_or(PassedOn::Busy)
    }

    /// A store of the caller's own with everything in it.
    ///
    /// # Errors
    /// When memory is short.
    pub fn private_store(&self) -> Result<*mut X509Store, PassedOn> {
        let store = self.parsed.new_store();
        if store.is_null() {
            return Err(PassedOn::NoMemory);
        }
        Ok(store)
    }

    /// One more reference to a store, for the caller to [give back](Self::give_back).
    ///
    /// # Safety
    /// `store` is a live store of the OpenSSL that this bundle was parsed by.
    pub unsafe fn another_reference(&self, store: *mut X509Store) -> *mut X509Store {
        self.referenced(store)
    }

    /// Gives a reference to a store back.
    ///
    /// # Safety
    /// The reference is the caller's own, to a store of the OpenSSL that this bundle was parsed by.
    pub unsafe fn give_back(&self, store: *mut X509Store) {
        // SAFETY: as the caller promises.
        unsafe { (self.parsed.openssl.store_free)(store) };
    }

    /// Keeps a store for all, unless another thread was faster.
    fn keep_shared(&self, store: *mut X509Store) -> Result<bool, PassedOn> {
        let mut guard = lock().ok_or(PassedOn::Busy)?;
        let shared = self.parsed.shared.get(&mut guard);
        match *shared {
            SharedStore::NotYet => *shared = SharedStore::Store(store),
            SharedStore::Store(_) => return Ok(false),
            // The file is another one by now: this store is its caller's, and goes with it.
            SharedStore::Retired => return Ok(true),
        }
        self.referenced(store);
        Ok(true)
    }

    fn shared_already(&self) -> Result<Option<*mut X509Store>, PassedOn> {
        let mut guard = lock().ok_or(PassedOn::Busy)?;
        Ok(match *self.parsed.shared.get(&mut guard) {
            SharedStore::Store(store) => Some(self.referenced(store)),
            SharedStore::NotYet | SharedStore::Retired => None,
        })
    }

    fn referenced(&self, store: *mut X509Store) -> *mut X509Store {
        // SAFETY: the list's own reference keeps it alive; the new one is the caller's.
        unsafe { (self.parsed.openssl.store_up_ref)(store) };
        store
    }
}

impl Clone for Bundle {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.parsed), self.parsed_now)
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        // SAFETY: taken once, here; nothing uses it afterwards.
        release(unsafe { ManuallyDrop::take(&mut self.parsed) });
    }
}

/// Gives up a reference, and frees what it was the last of. Counted under the lock, since what
/// checks threads can't see that counting atomically puts one thread's use before another's free;
/// freed outside, where nobody waits.
pub(crate) fn release(parsed: Arc<Parsed>) {
    let Some(guard) = lock() else { return };
    let last = Arc::into_inner(parsed);
    drop(guard);
    drop(last);
}

/// Gives up what the cache held of a bundle that it no longer keeps. Its shared store may hold on
/// to the bundle for as long as contexts use it, so the bundle mustn't hold on to the store.
pub(crate) fn retire(parsed: Arc<Parsed>) {
    if let Some(mut guard) = lock() {
        let shared = std::mem::replace(parsed.shared.get(&mut guard), SharedStore::Retired);
        drop(guard);
        if let SharedStore::Store(store) = shared {
            // SAFETY: the list's own reference.
            unsafe { (parsed.openssl.store_free)(store) };
        }
    }
    release(parsed);
}
