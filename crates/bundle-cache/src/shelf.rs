//! What was made from files: few at a time, each for as long as its file stays what it is.

use std::ffi::{CStr, CString};
use std::sync::Arc;

use crate::file::Identity;

/// What a value was made from, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) identity: Identity,
    /// The property query that its objects keep.
    pub(crate) properties: Option<CString>,
}

/// What is there for a file.
#[derive(Debug)]
pub(crate) enum Found<T> {
    /// It was made already.
    Here(Arc<T>),
    /// Another thread is making it.
    BeingMade,
    /// Nobody has: it is up to the caller now, until it calls [`Shelf::finish`].
    Nothing,
}

/// The shelf. It owns one reference to each value; a value lives on while others have more.
#[derive(Debug)]
pub(crate) struct Shelf<T> {
    capacity: usize,
    entries: Vec<Entry<T>>,
    being_made: Vec<Making>,
    uses: u64,
}

#[derive(Debug)]
struct Entry<T> {
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

impl<T> Shelf<T> {
    pub(crate) const fn new(capacity: usize) -> Self {
        Self {
            capacity,
            entries: Vec::new(),
            being_made: Vec::new(),
            uses: 0,
        }
    }

    /// Looks for what was made from a file in this state.
    pub(crate) fn find(&mut self, key: &Key, generation: u64) -> Found<T> {
        self.uses += 1;
        let here = self.entries.iter_mut().find(|entry| entry.key == *key);
        if let Some(entry) = here {
            entry.last_use = self.uses;
            return Found::Here(Arc::clone(&entry.value));
        }
        let making = Making {
            key: key.clone(),
            generation,
        };
        if self.being_made.contains(&making) {
            return Found::BeingMade;
        }
        self.being_made.retain(|m| m.generation == generation);
        self.being_made.push(making);
        Found::Nothing
    }

    /// Ends the making that [`Found::Nothing`] began, with or without something to keep. Returns
    /// what the shelf no longer holds, to be dropped where nobody waits: what was made from this
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
        self.entries.push(Entry {
            key: key.clone(),
            path: path.to_owned(),
            value: Arc::clone(value),
            last_use: self.uses,
        });
        gone
    }

    /// Empties the shelf.
    pub(crate) fn clear(&mut self) -> Vec<Arc<T>> {
        self.entries.drain(..).map(|entry| entry.value).collect()
    }
}
