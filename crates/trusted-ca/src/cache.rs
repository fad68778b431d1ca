//! What keeps bundles that were parsed: nginx's object cache for one configuration cycle (1.27.2 and
//! later), and a cache that looks whether the file is still the same.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, Weak};

use bundle_cache::PassedOn;

use crate::library;
use crate::{LoadError, ParsedBundle, ParsedCrls};

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

/// What one reading of nginx's configuration parsed: each file once, whoever asks for it.
///
/// A cycle never looks at a file twice. The *next* cycle (a reload) takes a list over from this
/// one if the file's inode and modification time, in whole seconds, are unchanged, and parses it
/// anew otherwise: [`Cycle::after`]. A file that is rewritten in place within the same second is
/// therefore missed, here as in nginx.
///
/// # References
/// nginx `src/event/ngx_event_openssl_cache.c` (`ngx_ssl_cache_fetch`); taking over came with
/// the directive `ssl_object_cache_inheritable` in 1.27.4.
#[derive(Debug, Default)]
pub struct Cycle {
    bundles: CycleObjects<ParsedBundle>,
    crls: CycleObjects<ParsedCrls>,
}

impl Cycle {
    /// The first cycle of a process; also any cycle before nginx 1.27.4.
    pub fn new() -> Self {
        Self::default()
    }

    /// The cycle that a reload makes while the previous one is still alive. It holds on to
    /// nothing of the previous cycle until that is asked for.
    pub fn after(previous: &Self) -> Self {
        Self { bundles: previous.bundles.successor(), crls: previous.crls.successor() }
    }

    /// The parsed bundle of this path, parsed now if this cycle has not seen the path.
    ///
    /// # Errors
    /// As [`ParsedBundle::read`]. A failure isn't remembered.
    pub fn bundle(&mut self, path: &Path) -> Result<Arc<ParsedBundle>, LoadError> {
        self.bundles.fetch(path, |path| ParsedBundle::read(path))
    }

    /// The parsed CRLs of this path, parsed now if this cycle has not seen the path.
    ///
    /// # Errors
    /// As [`ParsedCrls::read`]. A failure isn't remembered.
    pub fn crls(&mut self, path: &Path) -> Result<Arc<ParsedCrls>, LoadError> {
        self.crls.fetch(path, |path| ParsedCrls::read(path))
    }
}

/// Which nginx to be: it decides whether each location parses the file again.
///
/// The two read the same file differently, because they use different parts of OpenSSL:
///
/// | in the file | `Before1_27_2` | `Since1_27_2` |
/// |---|---|---|
/// | only CRLs | accepted | refused: no certificate |
/// | CRLs among certificates | loaded | passed over |
/// | a damaged CRL or private key | refused | passed over |
/// | bytes after the DER of a CERTIFICATE | ignored | refused, being no trust settings |
/// | `TRUSTED CERTIFICATE` | loaded with its trust settings | the same |
///
/// (OpenSSL 1.1.1 passes over a private key in PKCS#8 form in the first case too.)
#[derive(Debug)]
#[non_exhaustive]
pub enum Nginx<'cycle> {
    /// Every load opens, reads and parses the file again (`SSL_CTX_load_verify_locations`).
    Before1_27_2,
    /// The first load of a path in a configuration cycle parses it into a list that the cycle
    /// keeps; every load adds that list's objects to its context (`X509_STORE_add_cert`).
    Since1_27_2(&'cycle mut Cycle),
}

#[derive(Debug)]
struct CycleObjects<T> {
    kept: Vec<CycleObject<Arc<T>>>,
    inherited: Vec<CycleObject<Weak<T>>>,
}

#[derive(Debug)]
struct CycleObject<P> {
    path: PathBuf,
    identity: Option<InodeAndMtime>,
    value: P,
}

/// What nginx tells files apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct InodeAndMtime {
    inode: u64,
    modified_seconds: i64,
}

impl<T> Default for CycleObjects<T> {
    fn default() -> Self {
        Self { kept: Vec::new(), inherited: Vec::new() }
    }
}

impl<T> CycleObjects<T> {
    fn successor(&self) -> Self {
        let inherited = self.kept.iter().map(|entry| CycleObject {
            path: entry.path.clone(),
            identity: entry.identity,
            value: Arc::downgrade(&entry.value),
        });
        Self { kept: Vec::new(), inherited: inherited.collect() }
    }

    fn fetch(
        &mut self,
        path: &Path,
        parse: impl FnOnce(&Path) -> Result<T, LoadError>,
    ) -> Result<Arc<T>, LoadError> {
        if let Some(entry) = self.kept.iter().find(|entry| entry.path == path) {
            return Ok(Arc::clone(&entry.value));
        }
        // Before parsing, so that a file replaced meanwhile is seen at the next reload.
        let identity = InodeAndMtime::of(path);
        let value = match self.take_over(path, identity) {
            Some(value) => value,
            None => Arc::new(parse(path)?),
        };
        self.kept.push(CycleObject { path: path.to_owned(), identity, value: Arc::clone(&value) });
        Ok(value)
    }

    fn take_over(&self, path: &Path, identity: Option<InodeAndMtime>) -> Option<Arc<T>> {
        let identity = identity?;
        self.inherited
            .iter()
            .find(|entry| entry.path == path && entry.identity == Some(identity))
            .and_then(|entry| entry.value.upgrade())
    }
}

impl InodeAndMtime {
    fn of(path: &Path) -> Option<Self> {
        let meta = path.metadata().ok()?;
        Some(Self { inode: meta.ino(), modified_seconds: meta.mtime() })
    }
}
