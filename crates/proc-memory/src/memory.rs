//! What a process has in memory, read without a change to it.
//!
//! By `/proc/PID/mem`, not by process_vm_readv(2): that pins the pages which it reads, and before
//! Linux (since 5.19) lets anybody pin a page that parent and child have shared since a fork, it
//! gives the one that is read a copy of its own. Looking at the workers of a server would multiply
//! their memory.
//!
//! # References
//! proc_pid_mem(5); `fs/proc/base.c` (`mem_rw`), `mm/gup.c` (`gup_must_unshare`)

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use nix::errno::Errno;

use crate::process::{Process, ProcessError};
use crate::syscalls::page_size_bytes;

/// So much is read at once of places that lie next to each other.
const MOST_BYTES: u64 = 128 << 10;

/// The memory of the program that a process had when this was opened; of another one that it executes,
/// it has nothing.
#[derive(Debug)]
pub struct ProcessMemory(File);

impl ProcessMemory {
    /// That of a process.
    ///
    /// # Errors
    /// As for [`Process::file`]: without permission, the error says whose process it is.
    pub fn open(process: &Process) -> Result<Self, ProcessError> {
        process.file("mem").map(Self)
    }

    /// That of the process which a thread belongs to now.
    ///
    /// # Errors
    /// `ENOENT` if there is none, `EACCES`.
    pub fn of(tid: i32) -> io::Result<Self> {
        File::open(format!("/proc/{tid}/mem")).map(Self)
    }

    /// Appends what is at these places, one after the other, to `into`. Gives how many bytes those are:
    /// fewer than asked for if a place isn't mapped, where it ends. No page is touched that none of the
    /// places lies on.
    ///
    /// # Errors
    /// `EFAULT` if the first place isn't mapped; `ESRCH` if the process has ended, or has another
    /// program.
    pub fn read(&self, places: &[Range<u64>], into: &mut Vec<u8>) -> Result<usize, Errno> {
        let before = into.len();
        let (mut left, mut several) = (places, Vec::new());
        while let Some((first, others)) = left.split_first() {
            let mut span = first.clone();
            let near = others.iter().take_while(|next| {
                let goes_on = is_next(&span, next) && next.end - first.start <= MOST_BYTES;
                if goes_on {
                    span.end = span.end.max(next.end);
                }
                goes_on
            });
            let (these, rest) = left.split_at(1 + near.count());
            let outcome = if these.len() == 1 {
                self.append(&span, into)
            } else {
                several.clear();
                let outcome = self.append(&span, &mut several);
                let there = several.len() as u64;
                let whole =
                    these.iter().take_while(|place| place.end - span.start <= there).count();
                for place in &these[..these.len().min(whole + 1)] {
                    let [start, end] =
                        [place.start, place.end].map(|at| (at - span.start).min(there));
                    into.extend(&several[start as usize..end as usize]);
                }
                outcome
            };
            match outcome {
                Ok(()) => left = rest,
                Err(errno) if into.len() == before => return Err(errno),
                Err(_) => break,
            }
        }
        Ok(into.len() - before)
    }

    /// Appends what is there, as far as it goes.
    fn append(&self, span: &Range<u64>, into: &mut Vec<u8>) -> Result<(), Errno> {
        let mut length = into.len();
        into.resize(length + (span.end - span.start) as usize, 0);
        let mut at = span.start;
        let outcome = loop {
            if at >= span.end {
                break Ok(());
            }
            match self.0.read_at(&mut into[length..], at) {
                Ok(0) => break Err(Errno::ESRCH),
                Ok(read) => {
                    length += read;
                    at += read as u64;
                }
                Err(error) => break Err(errno(&error)),
            }
        };
        into.truncate(length);
        outcome
    }
}

/// Whether a place lies behind a span on its last page or the next one.
fn is_next(span: &Range<u64>, next: &Range<u64>) -> bool {
    let page = page_size_bytes();
    let last_page = span.end.saturating_sub(1) / page;
    (span.start..=next.end).contains(&next.start) && next.start / page <= last_page + 1
}

/// Of a place that isn't mapped the file says `EIO`, of one beyond all that could be `EINVAL`.
fn errno(error: &io::Error) -> Errno {
    match Errno::from_raw(error.raw_os_error().unwrap_or_default()) {
        Errno::EIO | Errno::EINVAL => Errno::EFAULT,
        Errno::ENOENT => Errno::ESRCH,
        errno => errno,
    }
}

/// [`ProcessMemory::read`] for once.
///
/// # Errors
/// Also `EACCES`.
pub fn read_memory(tid: i32, places: &[Range<u64>], into: &mut Vec<u8>) -> Result<usize, Errno> {
    ProcessMemory::of(tid).map_err(|error| errno(&error))?.read(places, into)
}
