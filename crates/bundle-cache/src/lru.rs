//! LRU cache of what was made from files: few at a time, each for as long as its file stays what it
//! is.

use std::ffi::{CStr, CString};
use std::sync::Arc;

use crate::file::FileIdentity;

/// What a value was made from, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) identity: FileIdentity,
    /// The property query that its objects keep.
    pub(crate) properties: Option<CString>,
}

/// What is there for a file.
#[derive(Debug)]
pub(crate) enum CacheLookup<T> {
    /// It was made already.
    Hit(Arc<T>),
    /// Another thread is making it.
    Pending,
    /// Nobody has: it is up to the caller now, until it calls [`LruCache::finish`].
    Miss,
}

/// The cache. It owns one reference to each value; a value lives on while others have more.
#[derive(Debug)]
pub(crate) struct LruCache<T> {
    capacity: usize,
    entries: Vec<LruEntry<T>>,
    being_made: Vec<Making>,
    uses: u64,
}

#[derive(Debug)]
struct LruEntry<T> {
    key: Key,
    path: CString,
    value: Arc<T>,
    last_use: u64,
}

#[derive(Debug, PartialEq, Eq)]
struct Making {
    key: Key,
    /// The makers of an earlier generation don't exist in this process.
    generation: u64,
}

impl<T> LruCache<T> {
    pub(crate) const fn new(capacity: usize) -> Self {
        Self { capacity, entries: Vec::new(), being_made: Vec::new(), uses: 0 }
    }

    /// Looks for what was made from a file in this state.
    pub(crate) fn find(&mut self, key: &Key, generation: u64) -> CacheLookup<T> {
        self.uses += 1;
        let here = self.entries.iter_mut().find(|entry| entry.key == *key);
        if let Some(entry) = here {
            entry.last_use = self.uses;
            return CacheLookup::Hit(Arc::clone(&entry.value));
        }
        let making = Making { key: key.clone(), generation };
        if self.being_made.contains(&making) {
            return CacheLookup::Pending;
        }
        self.being_made.retain(|m| m.generation == generation);
        self.being_made.push(making);
        CacheLookup::Miss
    }

    /// Ends the making that [`CacheLookup::Miss`] began, with or without something to keep. Returns
    /// what the cache no longer holds, to be dropped where nobody waits: what was made from this
    /// path when it was another file, and what wasn't used for longest if there is no room.
    pub(crate) fn finish(&mut self, key: &Key, made: Option<(&CStr, &Arc<T>)>) -> Vec<Arc<T>> {
        self.being_made.retain(|making| making.key != *key);
        let Some((path, value)) = made else {
            return Vec::new();
        };
        let mut gone = Vec::new();
        self.entries.retain(|entry| {
            let was_this_path = entry.path.as_c_str() == path && entry.key.identity != key.identity;
            let stays = !was_this_path && entry.key != *key;
            if !stays {
                gone.push(Arc::clone(&entry.value));
            }
            stays
        });
        if self.entries.len() >= self.capacity {
            let oldest = (0..self.entries.len()).min_by_key(|&i| self.entries[i].last_use);
            gone.extend(oldest.map(|oldest| self.entries.swap_remove(oldest).value));
        }
        self.entries.push(LruEntry {
            key: key.clone(),
            path: path.to_owned(),
            value: Arc::clone(value),
            last_use: self.uses,
        });
        gone
    }

    /// Empties the cache.
    pub(crate) fn clear(&mut self) -> Vec<Arc<T>> {
        self.entries.drain(..).map(|entry| entry.value).collect()
    }
}
