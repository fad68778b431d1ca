//! Which file a thread is reading.
//!
//! A file is being read from its open to its close, in the thread that opened it. Several may be
//! open at once; the one that was opened last is the one being read, and time and memory are its.

use std::collections::HashMap;
use std::time::Duration;

use super::memory::Change;
use super::opening::{FileId, Opening, OpeningsByOne};
use rustc_hash::FxBuildHasher;

/// What one thread has open, in the order of opening.
#[derive(Clone, Debug, Default)]
struct Thread {
    open: Vec<Opening>,
    /// Up to when the time of the last one is counted.
    counted_until: Duration,
}

impl Thread {
    fn count_time(&mut self, at: Duration) {
        if let Some(last) = self.open.last_mut() {
            last.time += at.saturating_sub(self.counted_until);
        }
        self.counted_until = self.counted_until.max(at);
    }
}

/// The open files of one process.
#[derive(Clone, Debug, Default)]
pub(super) struct FilesBeingRead {
    /// Descriptor → the thread that opened it.
    owners: HashMap<i32, i32, FxBuildHasher>,
    threads: HashMap<i32, Thread, FxBuildHasher>,
    /// How often each file was opened, and what came of it.
    by_file: HashMap<FileId, OpeningsByOne, FxBuildHasher>,
}

impl FilesBeingRead {
    /// A thread opened a file. Gives what the descriptor meant before.
    pub(super) fn opened(
        &mut self,
        tid: i32,
        fd: i32,
        file: FileId,
        at: Duration,
    ) -> Option<Opening> {
        // The number may have been given back in a way that isn't watched: close_range, dup2.
        let replaced = self.closed(fd, at);
        self.owners.insert(fd, tid);
        let thread = self.threads.entry(tid).or_default();
        thread.count_time(at);
        thread.open.push(Opening { file, fd, ..Opening::default() });
        replaced
    }

    /// Counts an opening of a file; gives how many there have been.
    pub(super) fn count(&mut self, file: FileId) -> OpeningsByOne {
        let by_one = self.by_file.entry(file).or_default();
        by_one.opens += 1;
        *by_one
    }

    /// A file's number no longer means it.
    pub(super) fn forget(&mut self, file: FileId) {
        self.by_file.remove(&file);
    }

    /// So many bytes more were read through a descriptor.
    pub(super) fn read(&mut self, fd: i32, bytes: u64) {
        if let Some(opening) = self.through(fd)
            && !opening.is_mapped
        {
            let read = opening.read_bytes.unwrap_or(0);
            opening.read_bytes = Some(read.saturating_add(bytes));
        }
    }

    /// The file behind a descriptor is mapped.
    pub(super) fn mapped(&mut self, fd: i32) {
        if let Some(opening) = self.through(fd) {
            opening.is_mapped = true;
            opening.read_bytes = None;
        }
    }

    fn through(&mut self, fd: i32) -> Option<&mut Opening> {
        let thread = self.threads.get_mut(self.owners.get(&fd)?)?;
        thread.open.iter_mut().find(|opening| opening.fd == fd)
    }

    /// A thread closed a descriptor. Gives the opening that ends with it.
    pub(super) fn closed(&mut self, fd: i32, at: Duration) -> Option<Opening> {
        let thread = self.threads.get_mut(&self.owners.remove(&fd)?)?;
        let index = thread.open.iter().rposition(|opening| opening.fd == fd)?;
        thread.count_time(at);
        let mut opening = thread.open.remove(index);
        self.count_ended(&mut opening);
        Some(opening)
    }

    fn count_ended(&mut self, opening: &mut Opening) {
        let by_one = self.by_file.entry(opening.file).or_default();
        if opening.is_explained() {
            by_one.ended(opening);
        }
        opening.by_one = *by_one;
    }

    /// A thread ended. Gives what it had open.
    pub(super) fn ended(&mut self, tid: i32, at: Duration) -> Vec<Opening> {
        let Some(mut thread) = self.threads.remove(&tid) else {
            return Vec::new();
        };
        thread.count_time(at);
        for opening in &mut thread.open {
            self.owners.remove(&opening.fd);
            // Of others it isn't known whether they were being read.
            if opening.read_bytes.is_some() {
                self.count_ended(opening);
            }
        }
        thread.open
    }

    /// The process ended. Gives everything that was open.
    pub(super) fn all_ended(mut self, at: Duration) -> Vec<Opening> {
        let tids: Vec<i32> = self.threads.keys().copied().collect();
        let ended = tids.into_iter().flat_map(|tid| self.ended(tid, at));
        ended.collect()
    }

    /// Everything that is open.
    pub(super) fn open(&self) -> impl Iterator<Item = &Opening> {
        self.threads.values().flat_map(|thread| &thread.open)
    }

    /// Memory changed in a thread. Gives what it is reading.
    pub(super) fn changed(&mut self, tid: i32, change: &Change) -> Option<FileId> {
        let opening = self.threads.get_mut(&tid)?.open.last_mut()?;
        opening.asked_bytes = opening.asked_bytes.saturating_add(change.asked_bytes);
        opening.returned_bytes = opening.returned_bytes.saturating_add(change.returned_bytes);
        Some(opening.file)
    }

    /// What a thread is reading.
    #[cfg(test)]
    fn current(&self, tid: i32) -> Option<FileId> {
        Some(self.threads.get(&tid)?.open.last()?.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn file(opening: Option<Opening>) -> Option<FileId> {
        opening.map(|opening| opening.file)
    }

    #[test]
    fn the_last_one_opened_is_being_read() {
        let mut reading = FilesBeingRead::default();
        reading.opened(1, 3, 30, at(0));
        reading.opened(1, 4, 40, at(0));
        reading.opened(2, 5, 50, at(0));
        assert_eq!(reading.current(1), Some(40));
        assert_eq!(reading.current(2), Some(50));
        assert_eq!(file(reading.closed(4, at(0))), Some(40));
        assert_eq!(reading.current(1), Some(30));
        assert_eq!(file(reading.closed(4, at(0))), None);
        assert_eq!(reading.ended(2, at(0))[0].file, 50);
        assert_eq!(reading.current(2), None);
        let open: Vec<_> = reading.open().map(|opening| opening.file).collect();
        assert_eq!(open, [30]);
    }

    #[test]
    fn another_thread_may_close_it() {
        let mut reading = FilesBeingRead::default();
        reading.opened(1, 3, 30, at(0));
        // Whoever does: descriptors belong to the process.
        assert_eq!(file(reading.closed(3, at(0))), Some(30));
        assert_eq!(reading.current(1), None);
    }

    #[test]
    fn a_number_that_comes_again_was_closed() {
        let mut reading = FilesBeingRead::default();
        reading.opened(1, 3, 30, at(0));
        assert_eq!(file(reading.opened(2, 3, 31, at(0))), Some(30));
        assert_eq!(reading.current(1), None);
        assert_eq!(reading.current(2), Some(31));
    }

    #[test]
    fn time_is_that_of_the_last_one_opened() {
        let mut reading = FilesBeingRead::default();
        reading.opened(1, 3, 30, at(1));
        reading.opened(1, 4, 40, at(2));
        assert_eq!(reading.closed(4, at(5)).unwrap().time, at(3));
        assert_eq!(reading.closed(3, at(7)).unwrap().time, at(3), "1 to 2, 5 to 7");
        reading.opened(1, 3, 30, at(9));
        assert_eq!(reading.all_ended(at(10))[0].time, at(1));
    }

    #[test]
    fn what_is_mapped_is_read_unseen() {
        let mut reading = FilesBeingRead::default();
        reading.opened(1, 3, 30, at(0));
        reading.read(3, 10);
        reading.read(3, 5);
        assert_eq!(reading.closed(3, at(0)).unwrap().read_bytes, Some(15));
        reading.opened(1, 3, 30, at(0));
        reading.read(3, 10);
        reading.mapped(3);
        reading.read(3, 5);
        assert_eq!(reading.closed(3, at(0)).unwrap().read_bytes, None);
    }
}
