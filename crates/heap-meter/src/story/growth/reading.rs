//! Which file a thread is reading.
//!
//! A file is being read from its open to its close, in the thread that opened it. Several may be
//! open at once; the one that was opened last is the one being read.

use std::collections::HashMap;

use crate::event::ids::SpreadIds;
use crate::event::{Call, Syscall};

/// A file's number in the table of files.
pub(super) type FileId = usize;

/// The open files of one process.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    /// Descriptor → the thread that opened it.
    owners: HashMap<i32, i32, SpreadIds>,
    /// Thread → what it has open, in the order of opening.
    open: HashMap<i32, Vec<(i32, FileId)>, SpreadIds>,
    /// How often each file was opened.
    times: HashMap<FileId, u64>,
}

impl Reading {
    /// A thread opened a file.
    pub(super) fn opened(&mut self, tid: i32, fd: i32, file: FileId) -> Option<FileId> {
        // The number may have been given back in a way that isn't watched: close_range, dup2.
        let replaced = self.closed(fd);
        self.owners.insert(fd, tid);
        self.open.entry(tid).or_default().push((fd, file));
        replaced
    }

    /// Counts an opening of a file; gives how many there have been.
    pub(super) fn count(&mut self, file: FileId) -> u64 {
        let times = self.times.entry(file).or_default();
        *times += 1;
        *times
    }

    /// A file's number no longer means it.
    pub(super) fn forget(&mut self, file: FileId) {
        self.times.remove(&file);
    }

    /// A thread closed a descriptor. Gives the file that nobody reads through it any more.
    pub(super) fn closed(&mut self, fd: i32) -> Option<FileId> {
        let owner = self.owners.remove(&fd)?;
        let open = self.open.get_mut(&owner)?;
        let at = open.iter().rposition(|(open, _)| *open == fd)?;
        Some(open.remove(at).1)
    }

    /// A thread ended. Gives what it was reading.
    pub(super) fn ended(&mut self, tid: i32) -> Vec<FileId> {
        let open = self.open.remove(&tid).unwrap_or_default();
        for (fd, _) in &open {
            self.owners.remove(fd);
        }
        open.into_iter().map(|(_, file)| file).collect()
    }

    /// Everything that is being read.
    pub(super) fn files(&self) -> impl Iterator<Item = FileId> {
        self.open.values().flatten().map(|(_, file)| *file)
    }

    /// What a thread is reading.
    pub(super) fn current(&self, tid: i32) -> Option<FileId> {
        Some(self.open.get(&tid)?.last()?.1)
    }
}

/// Whether a successful open is for reading a file: not for writing only, no directory, no device.
pub(super) fn is_for_reading(call: &Call) -> bool {
    let flags = match call.syscall {
        Syscall::Open => call.args[1],
        Syscall::Openat => call.args[2],
        // openat2 takes them from memory.
        Syscall::Openat2 => 0,
        _ => return false,
    };
    let flags = flags as i32;
    let unread = libc::O_DIRECTORY | libc::O_PATH;
    flags & libc::O_ACCMODE != libc::O_WRONLY
        && flags & unread == 0
        && call.path.as_deref().is_some_and(is_a_file)
}

fn is_a_file(path: &[u8]) -> bool {
    !path.starts_with(b"/dev/") && !path.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_opened_is_being_read() {
        let mut reading = Reading::default();
        reading.opened(1, 3, 30);
        reading.opened(1, 4, 40);
        reading.opened(2, 5, 50);
        assert_eq!(reading.current(1), Some(40));
        assert_eq!(reading.current(2), Some(50));
        assert_eq!(reading.closed(4), Some(40));
        assert_eq!(reading.current(1), Some(30));
        assert_eq!(reading.closed(4), None);
        assert_eq!(reading.ended(2), [50]);
        assert_eq!(reading.current(2), None);
        assert_eq!(reading.files().collect::<Vec<_>>(), [30]);
    }

    #[test]
    fn another_thread_may_close_it() {
        let mut reading = Reading::default();
        reading.opened(1, 3, 30);
        // Whoever does: descriptors belong to the process.
        assert_eq!(reading.closed(3), Some(30));
        assert_eq!(reading.current(1), None);
    }

    #[test]
    fn a_number_that_comes_again_was_closed() {
        let mut reading = Reading::default();
        reading.opened(1, 3, 30);
        assert_eq!(reading.opened(2, 3, 31), Some(30));
        assert_eq!(reading.current(1), None);
        assert_eq!(reading.current(2), Some(31));
    }

    #[test]
    fn only_files_are_read() {
        let opened = |syscall, flags: i32, path: Option<&str>| Call {
            syscall,
            args: match syscall {
                Syscall::Open => [0, flags as u64, 0, 0, 0, 0],
                _ => [0, 0, flags as u64, 0, 0, 0],
            },
            result: Ok(3),
            path: path.map(|path| path.as_bytes().to_vec()),
            stack: None,
        };
        let reads = |syscall, flags, path| is_for_reading(&opened(syscall, flags, path));
        assert!(reads(Syscall::Open, libc::O_RDONLY, Some("/etc/hosts")));
        assert!(reads(Syscall::Openat, libc::O_RDWR, Some("relative")));
        assert!(!reads(Syscall::Openat, libc::O_WRONLY, Some("/var/log/x")));
        assert!(!reads(Syscall::Openat, libc::O_DIRECTORY, Some("/etc")));
        assert!(!reads(Syscall::Open, libc::O_RDONLY, Some("/dev/urandom")));
        assert!(!reads(Syscall::Open, libc::O_RDONLY, None));
        assert!(!reads(Syscall::Creat, 0, Some("/tmp/x")));
    }
}
