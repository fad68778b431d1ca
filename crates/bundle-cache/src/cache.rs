//! The cache: bundles by the state of their files.

use std::ffi::CStr;
use std::sync::Arc;
use std::time::Duration;

use crate::bundle::{Bundle, PassedOn, retire};
use crate::file::RegularFile;
use crate::lock::{self, Guarded, lock};
use crate::lru::{CacheLookup, Key, LruCache};
use crate::openssl::OpenSsl;
use crate::parsed::{self, Parsed};

/// How often a thread looks whether another has finished with the file that both want. No
/// condition variable: glibc's remembers, in a forked child, waiters that aren't there.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
/// How often at most: parsing takes a few milliseconds. Whoever waited in vain works alone.
const LOOKS: u32 = 1_000;

/// Parsed bundles of one OpenSSL. Meant to live as long as the process: a `static`, or leaked.
///
/// Threads may use it at once, and fork(2) may happen at any moment. It holds no lock while a file
/// is read, and never two.
#[derive(Debug)]
pub struct BundleCache {
    openssl: &'static OpenSsl,
    cached: Guarded<LruCache<Parsed>>,
}

impl BundleCache {
    /// An empty cache that keeps at most `capacity` bundles; of more, those go that weren't used
    /// for longest.
    pub const fn new(openssl: &'static OpenSsl, capacity: usize) -> Self {
        Self { openssl, cached: Guarded::new(LruCache::new(capacity)) }
    }

    /// The bundle of this path: parsed before if the file is what it was then, else parsed now.
    ///
    /// The error queue of this thread is as after OpenSSL's own reading of the file if a bundle
    /// is returned, and as before the call if not.
    ///
    /// # Errors
    /// When the file is to be left to OpenSSL's own loader, and why.
    pub fn bundle(&self, path: &CStr) -> Result<Bundle, PassedOn> {
        self.bundle_for(path, None)
    }

    /// As [`bundle`](Self::bundle), for a load with a property query, which the parsed objects
    /// keep: other queries get others (OpenSSL 3, `X509_STORE_load_file_ex`).
    ///
    /// # Errors
    /// As [`bundle`](Self::bundle).
    pub fn bundle_for(&self, path: &CStr, properties: Option<&CStr>) -> Result<Bundle, PassedOn> {
        let file = RegularFile::open(path).ok_or(PassedOn::Unsuitable)?;
        if !file.settled {
            let (parsed, _) = self.make(file, properties)?;
            return Ok(Bundle::new(parsed, true));
        }
        let key = Key { identity: file.identity, properties: properties.map(CStr::to_owned) };
        for _ in 0..LOOKS {
            let mut guard = lock().ok_or(PassedOn::Busy)?;
            let cached = self.cached.get(&mut guard);
            let found = cached.find(&key, lock::generation());
            drop(guard);
            match found {
                CacheLookup::Hit(parsed) => {
                    let bundle = Bundle::new(parsed, false);
                    if !self.openssl.errors_queued() {
                        return Ok(bundle);
                    }
                    parsed::read_end(self.openssl);
                    if self.openssl.errors_queued() {
                        // This OpenSSL keeps what was queued before. How much of it is pushed out
                        // of a queue that is nearly full depends on what is read.
                        return Err(PassedOn::ErrorsQueued);
                    }
                    return Ok(bundle);
                }
                CacheLookup::Pending => std::thread::sleep(LOOK_AGAIN),
                CacheLookup::Miss => {
                    let made = self.make(file, properties);
                    let kept = made.as_ref().ok().filter(|(_, lasting)| *lasting);
                    self.finish(&key, kept.map(|(parsed, _)| (path, parsed)));
                    return made.map(|(parsed, _)| Bundle::new(parsed, true));
                }
            }
        }
        Err(PassedOn::Busy)
    }

    /// Forgets every bundle. Stores keep what they have.
    pub fn clear(&self) {
        let Some(mut guard) = lock() else { return };
        let gone = self.cached.get(&mut guard).clear();
        drop(guard);
        gone.into_iter().for_each(retire);
    }

    /// Parses a file, and says whether it is still what it was when it was opened.
    fn make(
        &self,
        file: RegularFile,
        properties: Option<&CStr>,
    ) -> Result<(Arc<Parsed>, bool), PassedOn> {
        let before = file.identity;
        if self.openssl.errors_queued() {
            return Err(PassedOn::ErrorsQueued);
        }
        let stream = file.into_stream().ok_or(PassedOn::Unsuitable)?;
        let reading = Parsed::read(self.openssl, stream, properties);
        let Some(parsed) = reading.parsed.filter(|parsed| !parsed.is_empty()) else {
            self.openssl.clear_errors();
            return Err(PassedOn::Refused);
        };
        // What the parser left behind it would have to leave behind at every later load as well.
        let lasting = reading.identity == Some(before) && !self.openssl.errors_queued();
        if lasting && !parsed.compares_quietly() {
            self.openssl.clear_errors();
            return Err(PassedOn::Refused);
        }
        Ok((Arc::new(parsed), lasting))
    }

    fn finish(&self, key: &Key, keep: Option<(&CStr, &Arc<Parsed>)>) {
        // Without the lock the mark stays that this file is being made: others wait in vain, once
        // each, and then work alone.
        let Some(mut guard) = lock() else { return };
        let gone = self.cached.get(&mut guard).finish(key, keep);
        drop(guard);
        gone.into_iter().for_each(retire);
    }
}
