//! Growth by the file that was being read.

use std::collections::HashMap;
use std::sync::Arc;

use super::memory::Change;
use super::reading::FileId;

/// So many files are told apart. Those that were opened once and made nothing grow make room for
/// others; when there are none, further files are counted together.
const MOST_FILES: usize = 8192;

/// What happened while one file was being read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileGrowth {
    /// As the kernel names it, or as the log has it; any bytes.
    pub path: Vec<u8>,
    /// How often it was opened for reading.
    pub opens: u64,
    /// How often by that program that opened it most often.
    pub most_opens_by_one: u64,
    /// Bytes that were asked for while it was being read.
    pub asked_bytes: u64,
    /// Bytes that were given back while it was being read, whenever they had come.
    pub returned_bytes: u64,
    /// Through how many descriptors it is being read now.
    open_now: u64,
}

impl FileGrowth {
    /// What reading left behind.
    pub fn bytes(&self) -> u64 {
        self.asked_bytes.saturating_sub(self.returned_bytes)
    }
}

/// A bounded table of files.
#[derive(Debug, Default)]
pub(super) struct Files {
    ids: HashMap<Arc<[u8]>, FileId>,
    files: Vec<FileGrowth>,
    free: Vec<FileId>,
    /// Numbers that were given up and that others may still remember.
    given_up: Vec<FileId>,
    /// Files that found no place.
    pub(super) left_out: u64,
}

impl Files {
    /// A file was opened for reading. `None` if the table is full.
    pub(super) fn opened(&mut self, path: &[u8]) -> Option<FileId> {
        let id = match self.ids.get(path) {
            Some(&id) => id,
            None => self.enter(path)?,
        };
        self.files[id].opens += 1;
        self.files[id].open_now += 1;
        Some(id)
    }

    fn enter(&mut self, path: &[u8]) -> Option<FileId> {
        if self.ids.len() == MOST_FILES {
            self.make_room();
        }
        let file = FileGrowth {
            path: path.to_vec(),
            opens: 0,
            most_opens_by_one: 0,
            asked_bytes: 0,
            returned_bytes: 0,
            open_now: 0,
        };
        let id = match self.free.pop() {
            Some(id) => {
                self.files[id] = file;
                id
            }
            None if self.files.len() < MOST_FILES => {
                self.files.push(file);
                self.files.len() - 1
            }
            None => {
                self.left_out += 1;
                return None;
            }
        };
        self.ids.insert(path.into(), id);
        Some(id)
    }

    fn make_room(&mut self) {
        let (files, free, given_up) = (&self.files, &mut self.free, &mut self.given_up);
        self.ids.retain(|_, id| {
            let file = &files[*id];
            let of_interest = file.opens > 1 || file.asked_bytes > 0 || file.open_now > 0;
            if !of_interest {
                free.push(*id);
                given_up.push(*id);
            }
            of_interest
        });
    }

    /// Numbers that no longer mean what they meant, since this was last asked.
    pub(super) fn given_up(&mut self) -> Vec<FileId> {
        std::mem::take(&mut self.given_up)
    }

    /// One program has opened it so many times by now.
    pub(super) fn opened_by_one(&mut self, id: FileId, times: u64) {
        let file = &mut self.files[id];
        file.most_opens_by_one = file.most_opens_by_one.max(times);
    }

    /// One descriptor less through which it is being read.
    pub(super) fn closed(&mut self, id: FileId) {
        self.files[id].open_now = self.files[id].open_now.saturating_sub(1);
    }

    /// Memory changed while it was being read.
    pub(super) fn changed(&mut self, id: FileId, change: &Change) {
        self.files[id].asked_bytes += change.asked_bytes;
        self.files[id].returned_bytes += change.returned_bytes;
    }

    pub(super) fn get(&self, id: FileId) -> &FileGrowth {
        &self.files[id]
    }

    /// All files, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &FileGrowth> {
        self.ids.values().map(|id| &self.files[*id])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grown(files: &mut Files, path: &str, asked_bytes: u64) -> Option<FileId> {
        let id = files.opened(path.as_bytes())?;
        let change = Change {
            asked_bytes,
            ..Change::default()
        };
        files.changed(id, &change);
        files.closed(id);
        Some(id)
    }

    #[test]
    fn what_made_nothing_grow_makes_room() {
        let mut files = Files::default();
        grown(&mut files, "repeated", 0);
        grown(&mut files, "repeated", 0);
        grown(&mut files, "grew", 4096);
        for number in 0..3 * MOST_FILES {
            assert!(grown(&mut files, &format!("once {number}"), 0).is_some());
        }
        let find = |path: &str| files.iter().find(|file| file.path == path.as_bytes());
        assert_eq!(find("repeated").unwrap().opens, 2);
        assert_eq!(find("grew").unwrap().bytes(), 4096);
        assert_eq!(files.left_out, 0);
        assert!(files.files.len() <= MOST_FILES);
    }

    #[test]
    fn what_finds_no_place_is_counted() {
        let mut files = Files::default();
        for number in 0..MOST_FILES + 5 {
            grown(&mut files, &number.to_string(), 1);
        }
        assert_eq!(files.iter().count(), MOST_FILES);
        assert_eq!(files.left_out, 5);
    }
}
