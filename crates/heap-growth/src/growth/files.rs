//! Growth by the file that was being read.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::opening::{FileId, Opening, OpeningsByOne};
use super::openings::Openings;

/// So many files are told apart. Those that were opened once and made nothing grow make room for
/// others; when there are none, further files are counted together.
const MOST_FILES: usize = 8192;

/// What happened while one file was being read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileGrowth {
    /// As the kernel names it, or as the log has it; any bytes.
    pub path: Vec<u8>,
    /// How often it was opened for reading.
    pub opens: u64,
    /// Those of the program that opened it most often.
    pub by_one: OpeningsByOne,
    /// Bytes that were asked for while it was being read.
    pub asked_bytes: u64,
    /// Bytes that were given back while it was being read, whenever they had come.
    pub returned_bytes: u64,
    /// What each opening was like.
    pub openings: Openings,
    libraries: Libraries,
    /// What was asked for, less what was given back, while it was kept open until its program's
    /// end. That it was read meanwhile isn't known, so it is in no file's growth.
    kept_open_bytes: i64,
    first_opened: Duration,
    /// Through how many descriptors it is being read now.
    open_now: u64,
}

impl FileGrowth {
    /// What reading left behind.
    pub fn bytes(&self) -> u64 {
        self.asked_bytes.saturating_sub(self.returned_bytes)
    }

    /// Paths of the shared libraries of the program that opened it most often, as far as they were
    /// seen, in the order in which they came.
    pub fn libraries(&self) -> impl Iterator<Item = &[u8]> {
        self.libraries.0.iter().map(|path| &**path)
    }

    fn ended(&mut self, opening: &Opening, at: Duration) {
        self.asked_bytes = self.asked_bytes.saturating_add(opening.asked_bytes);
        self.returned_bytes = self.returned_bytes.saturating_add(opening.returned_bytes);
        self.openings.ended(opening);
        let span = at.saturating_sub(self.first_opened);
        self.openings.span = self.openings.span.max(span);
    }
}

/// So many of one program are remembered.
const MOST_LIBRARIES: usize = 1024;

/// Paths of shared libraries that one program opened, or had mapped when it was first seen; shared
/// with the processes that it forks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Libraries(Arc<Vec<Arc<[u8]>>>);

impl Libraries {
    /// The program opened a file, or has it mapped.
    pub(super) fn opened(&mut self, path: &[u8]) {
        let is_new = |known: &[Arc<[u8]>]| known.iter().all(|known| **known != *path);
        if is_a_library(path) && self.0.len() < MOST_LIBRARIES && is_new(&self.0) {
            Arc::make_mut(&mut self.0).push(path.into());
        }
    }
}

/// `libssl.so.3`, `_ssl.cpython-311-x86_64-linux-gnu.so`.
fn is_a_library(path: &[u8]) -> bool {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    let at = memchr::memmem::rfind(name, b".so");
    at.is_some_and(|at| matches!(&name[at + 3..], [] | [b'.', b'0'..=b'9', ..]))
}

/// A bounded table of files.
#[derive(Debug, Default)]
pub(super) struct FileTable {
    ids: HashMap<Arc<[u8]>, FileId>,
    files: Vec<FileGrowth>,
    free: Vec<FileId>,
    /// Numbers that were given up and that others may still remember.
    given_up: Vec<FileId>,
    /// Files that found no place.
    pub(super) left_out: u64,
}

impl FileTable {
    /// A file was opened for reading. `None` if the table is full.
    pub(super) fn opened(&mut self, path: &[u8], at: Duration) -> Option<FileId> {
        let id = match self.ids.get(path) {
            Some(&id) => id,
            None => self.enter(path, at)?,
        };
        self.files[id].opens += 1;
        self.files[id].open_now += 1;
        Some(id)
    }

    fn enter(&mut self, path: &[u8], at: Duration) -> Option<FileId> {
        if self.ids.len() == MOST_FILES {
            self.make_room();
        }
        let file = FileGrowth { path: path.to_vec(), first_opened: at, ..FileGrowth::default() };
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
            let changed = file.asked_bytes > 0 || file.returned_bytes > 0;
            let made_grow = changed || file.kept_open_bytes != 0;
            let of_interest = file.opens > 1 || made_grow || file.open_now > 0;
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

    /// One program, which has these libraries, has opened it once more.
    pub(super) fn opened_by_one(
        &mut self,
        id: FileId,
        by_one: OpeningsByOne,
        libraries: &Libraries,
    ) {
        let file = &mut self.files[id];
        if by_one.opens >= file.by_one.opens {
            file.by_one = by_one;
            file.libraries = libraries.clone();
        }
    }

    /// An opening was ended by a close. Gives what became of memory meanwhile for other reasons
    /// than that it was read.
    pub(super) fn closed(&mut self, mut opening: Opening, at: Duration) -> i64 {
        let file = &mut self.files[opening.file];
        file.open_now = file.open_now.saturating_sub(1);
        let grown = opening.grown_bytes();
        let unexplained = !opening.is_explained();
        if opening.by_one.opens >= file.by_one.opens {
            file.by_one = opening.by_one;
        }
        if unexplained {
            (opening.asked_bytes, opening.returned_bytes) = (0, 0);
        }
        file.ended(&opening, at);
        if unexplained { grown } else { 0 }
    }

    /// An opening was ended by its program's end. Gives what became of memory meanwhile for other
    /// reasons than that it was read.
    pub(super) fn kept_open(&mut self, opening: Opening, at: Duration) -> i64 {
        if opening.read_bytes.is_some() {
            return self.closed(opening, at);
        }
        let file = &mut self.files[opening.file];
        file.open_now = file.open_now.saturating_sub(1);
        let grown = opening.grown_bytes();
        file.kept_open_bytes = file.kept_open_bytes.saturating_add(grown);
        grown
    }

    /// The file beside which most was asked for while it was kept open, and how much; beside what
    /// has ended, some are open still.
    pub(super) fn most_kept_open<'a>(
        &self,
        still: impl Iterator<Item = &'a Opening>,
    ) -> Option<(&FileGrowth, i64)> {
        let mut bytes: HashMap<FileId, i64> = HashMap::new();
        for opening in still {
            *bytes.entry(opening.file).or_default() += opening.grown_bytes();
        }
        let all = self.ids.values().map(|id| {
            let still = bytes.get(id).copied().unwrap_or(0);
            let file = &self.files[*id];
            (file, file.kept_open_bytes.saturating_add(still))
        });
        all.max_by_key(|(_, bytes)| *bytes).filter(|(_, bytes)| *bytes > 0)
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
    use crate::growth::memory::Change;
    use crate::growth::reading::FilesBeingRead;

    fn grown(files: &mut FileTable, path: &str, asked_bytes: u64) -> Option<FileId> {
        let id = files.opened(path.as_bytes(), Duration::ZERO)?;
        let mut reading = FilesBeingRead::default();
        reading.opened(1, 3, id, Duration::ZERO);
        let change = Change { asked_bytes, ..Change::default() };
        reading.changed(1, &change);
        let opening = reading.closed(3, Duration::ZERO).unwrap();
        assert_eq!(files.closed(opening, Duration::ZERO), 0);
        Some(id)
    }

    #[test]
    fn what_made_nothing_grow_makes_room() {
        let mut files = FileTable::default();
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
        let mut files = FileTable::default();
        for number in 0..MOST_FILES + 5 {
            grown(&mut files, &number.to_string(), 1);
        }
        assert_eq!(files.iter().count(), MOST_FILES);
        assert_eq!(files.left_out, 5);
    }

    #[test]
    fn libraries_by_their_names() {
        for (path, wanted) in [
            ("/usr/lib/x86_64-linux-gnu/libssl.so.3", true),
            ("/lib/libc.so", true),
            ("libfoo-1.2.so.1.0.0", true),
            ("/etc/ld.so.cache", false),
            ("/usr/share/sounds.sol", false),
            ("/opt/x.so/readme", false),
            ("", false),
        ] {
            assert_eq!(is_a_library(path.as_bytes()), wanted, "{path}");
        }
        let mut file = FileGrowth::default();
        let before = file.clone();
        for path in ["libssl.so.3", "libc.so.6", "libssl.so.3", "libssl.a"] {
            file.libraries.opened(path.as_bytes());
        }
        let paths: Vec<_> = file.libraries().collect();
        assert_eq!(paths, [b"libssl.so.3".as_slice(), b"libc.so.6"]);
        assert_eq!(before.libraries().count(), 0);
    }
}
