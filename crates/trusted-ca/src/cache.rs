//! Contexts that share what a bundle was parsed to.
//!
//! # Safety
//!
//! Stores are handed to the OpenSSL that made them, with contexts that are alive; a store that
//! others have is replaced before it would be changed.
#![allow(unsafe_code)]

use std::path::Path;
use std::sync::OnceLock;

use bundle_cache::PassedOn;
use openssl_sys::X509_STORE;

use crate::context::StoreRef;
use crate::error::c_path;
use crate::{LoadError, SslContext, error_queue, library};

/// How many bundles a cache keeps: more than anybody configures.
const CAPACITY: usize = 16;

/// Bundles, each parsed once for as long as its file is what it was: same device, inode, size and
/// times of modification and change. Threads may use it at once, and the process may fork.
///
/// It keeps the 16 bundles that were used last. A file that changed within the last two seconds is
/// parsed and not kept, since its times are too coarse to tell another change.
#[derive(Debug, Default)]
pub struct BundleCache {
    engine: OnceLock<bundle_cache::BundleCache>,
}

/// How much contexts share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sharing {
    /// Parsed certificates and revocation lists, in a store of each context's own.
    Objects,
    /// The whole store. A context whose store was changed before, or is changed later, has one of
    /// its own.
    Store,
}

/// How a bundle came into a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Loaded {
    /// It was parsed for this context.
    Parsed,
    /// It was there.
    Shared,
    /// OpenSSL's own call loaded it, for this reason.
    ByOpenSsl(PassedOn),
}

impl BundleCache {
    /// An empty cache.
    pub const fn new() -> Self {
        Self { engine: OnceLock::new() }
    }

    /// Forgets every bundle. Contexts keep what they have.
    pub fn clear(&self) {
        self.engine().clear();
    }

    fn engine(&self) -> &bundle_cache::BundleCache {
        self.engine.get_or_init(|| bundle_cache::BundleCache::new(library::openssl(), CAPACITY))
    }
}

impl SslContext {
    /// Loads a bundle as [`load_trusted`](Self::load_trusted) before nginx 1.27.2, but parses it
    /// only if the cache doesn't have it.
    ///
    /// Same certificates and CRLs, in the same order, and the same verdict on every file: what
    /// can't be parsed, or isn't a regular file, is left to OpenSSL's own call.
    ///
    /// # Errors
    /// As [`load_trusted`](Self::load_trusted).
    pub fn load_trusted_cached(
        &mut self,
        path: impl AsRef<Path>,
        cache: &BundleCache,
        sharing: Sharing,
    ) -> Result<Loaded, LoadError> {
        let path = path.as_ref();
        let c_path = c_path(path)?;
        self.set_verification();
        let loaded = cache.engine().bundle(&c_path).and_then(|bundle| {
            match (sharing, &self.store) {
                (Sharing::Store, StoreRef::Untouched) => self.share(&bundle)?,
                // SAFETY: the store is alive, and the context's own.
                _ => unsafe { bundle.add_to(self.own_store().cast()) }?,
            }
            Ok(match bundle.parsed_now() {
                true => Loaded::Parsed,
                false => Loaded::Shared,
            })
        });
        match loaded {
            Ok(loaded) => {
                error_queue::clear();
                Ok(loaded)
            }
            Err(why) => {
                self.load_verify_locations(path)?;
                Ok(Loaded::ByOpenSsl(why))
            }
        }
    }

    /// The store, to change: the context's own from now on, if it wasn't before.
    ///
    /// # Panics
    /// When there is no memory for a copy: changing what others have is no way out.
    pub(crate) fn own_store(&mut self) -> *mut X509_STORE {
        if let StoreRef::Shared(bundle) = &self.store {
            let copy = bundle.private_store().expect("memory for a store");
            self.give_store(copy.cast());
        }
        self.store = StoreRef::Own;
        self.store()
    }

    fn share(&mut self, bundle: &bundle_cache::Bundle) -> Result<(), PassedOn> {
        let shared = bundle.shared_store(|_| true)?;
        self.give_store(shared.cast());
        self.store = StoreRef::Shared(bundle.clone());
        Ok(())
    }

    fn give_store(&mut self, store: *mut X509_STORE) {
        // SAFETY: the context is alive, and the reference to the store passes to it; it gives up
        // that to the store that it had.
        unsafe { openssl_sys::SSL_CTX_set_cert_store(self.as_ptr(), store) };
    }
}
