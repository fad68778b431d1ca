//! Contexts that share what a bundle was parsed to.

use std::sync::OnceLock;

use bundle_cache::PassedOn;

use crate::library;

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

    pub(crate) fn engine(&self) -> &bundle_cache::BundleCache {
        self.engine.get_or_init(|| bundle_cache::BundleCache::new(library::openssl(), CAPACITY))
    }
}
