//! What a process has in memory, read without a change to it.
//!
//! process_vm_readv(2), which reads many places in one call, pins their pages; and before Linux (since
//! 5.19) lets anybody pin a page that parent and child have shared since a fork, it gives the one
//! that is read a copy of its own. Looking at the workers of a server would multiply their memory. So
//! it is used for pages that are the process's alone, as the page map has it, and for all others
//! `/proc/PID/mem`, which pins nothing and takes twice as long. A process that forks while it is looked
//! at may get copies of what is read of it in that moment.
//!
//! # References
//! process_vm_readv(2), proc_pid_mem(5); `gup_must_unshare` in `mm/internal.h` of Linux 6

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use nix::errno::Errno;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;
use rustc_hash::FxHashMap;

use crate::page_map::{EXCLUSIVE, FILES, PRESENT, entries};
use crate::process::{Process, ProcessError};
use crate::syscalls::page_size_bytes;

/// So much is read at once of places that lie next to each other.
const MOST_BYTES: u64 = 128 << 10;
/// `IOV_MAX`: places that one call reads.
const MOST_PLACES: usize = 1024;
/// The page map is asked of so many pages at a time, with a bit for each: with more of them, more of it is
/// read than of a small process's memory.
const BLOCK_PAGES: u64 = u16::BITS as u64;

/// The memory of a process, for one look: which pages are the process's alone is asked once.
///
/// That it still runs the same program is the caller's to see, as [`of_one_program`](crate::of_one_program)
/// does: one call reads what whoever has the number has then, the file what the old program had.
#[derive(Debug)]
pub struct ProcessMemory {
    pid: i32,
    memory: File,
    /// Without it, no page is known to be the process's alone, and `/proc/PID/mem` has to do.
    page_map: Option<File>,
    /// Known to be the process's alone without asking, in rising order.
    private: Vec<Range<u64>>,
    /// Pages that are, or are a file's; by blocks.
    exclusive: RefCell<FxHashMap<u64, u16>>,
}

impl ProcessMemory {
    /// That of a process.
    ///
    /// # Errors
    /// As for [`Process::file`]: without permission, the error says whose process it is.
    pub fn open(process: &Process) -> Result<Self, ProcessError> {
        Ok(Self::new(process.pid(), process.file("mem")?, process.file("pagemap").ok()))
    }

    /// That of the process which a thread belongs to now; for a few places, for which to ask the page
    /// map takes longer than it spares.
    ///
    /// # Errors
    /// `ENOENT` if there is none, `EACCES`.
    pub fn of(tid: i32) -> io::Result<Self> {
        Ok(Self::new(tid, File::open(format!("/proc/{tid}/mem"))?, None))
    }

    fn new(pid: i32, memory: File, page_map: Option<File>) -> Self {
        Self { pid, memory, page_map, private: Vec::new(), exclusive: RefCell::default() }
    }

    /// Says in which ranges all pages are the process's alone, as smaps has it (`Private_Clean` and
    /// `Private_Dirty` are all of `Rss`), so that the page map needn't be asked. In rising order.
    pub fn with_private(mut self, ranges: Vec<Range<u64>>) -> Self {
        self.private = ranges;
        self
    }

    /// Appends what is at these places, one after the other, to `into`. Gives how many bytes those are:
    /// fewer than asked for if a place isn't mapped, where it ends.
    ///
    /// # Errors
    /// `EFAULT` if the first place isn't mapped; `ESRCH` if the process has ended, and may be if it has
    /// another program.
    pub fn read(&self, places: &[Range<u64>], into: &mut Vec<u8>) -> Result<usize, Errno> {
        let before = into.len();
        let (mut left, mut found) = (places, Vec::new());
        while !left.is_empty() {
            let mut each = left.iter().take(MOST_PLACES).map(|place| self.is_exclusive(place));
            let is_exclusive = each.next().unwrap_or_default();
            let alike = each.take_while(|other| *other == is_exclusive).count();
            let (these, rest) = left.split_at(1 + alike);
            let spans = spans_of(these);
            found.clear();
            let outcome = match is_exclusive {
                true => self.read_by_call(&spans, &mut found),
                false => spans.iter().try_for_each(|(span, _)| self.append(span, &mut found)),
            };
            take_places(these, &spans, &found, into);
            match outcome {
                Ok(()) => left = rest,
                Err(errno) if into.len() == before => return Err(errno),
                Err(_) => break,
            }
        }
        Ok(into.len() - before)
    }

    /// Whether all pages that a place lies on are the process's alone, or a file's.
    fn is_exclusive(&self, place: &Range<u64>) -> bool {
        let after = self.private.partition_point(|range| range.start <= place.start);
        let private = after.checked_sub(1).and_then(|at| self.private.get(at));
        if private.is_some_and(|range| place.end <= range.end) {
            return true;
        }
        let Some(page_map) = &self.page_map else { return false };
        let page = page_size_bytes();
        let (first, last) =
            (place.start / page, place.end.saturating_sub(1).max(place.start) / page);
        let mut exclusive = self.exclusive.borrow_mut();
        (first..=last).all(|page| {
            let block = page / BLOCK_PAGES;
            let bits = exclusive.entry(block).or_insert_with(|| exclusive_pages(page_map, block));
            *bits >> (page % BLOCK_PAGES) & 1 == 1
        })
    }

    /// Appends what is at these, which are at most as many as one call takes.
    fn read_by_call(&self, spans: &[Span], into: &mut Vec<u8>) -> Result<(), Errno> {
        let length = |(span, _): &Span| (span.end - span.start) as usize;
        let theirs = spans.iter();
        let theirs =
            theirs.map(|span| RemoteIoVec { base: span.0.start as usize, len: length(span) });
        let wanted = spans.iter().map(length).sum();
        into.resize(wanted, 0);
        let mut ours = [IoSliceMut::new(into)];
        let read =
            process_vm_readv(Pid::from_raw(self.pid), &mut ours, &theirs.collect::<Vec<_>>());
        into.truncate(read.unwrap_or(0));
        match read? {
            read if read == wanted => Ok(()),
            _ => Err(Errno::EFAULT),
        }
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
            match self.memory.read_at(&mut into[length..], at) {
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

/// Which of a block's pages are present, and mapped by this process alone or a file's.
fn exclusive_pages(page_map: &File, block: u64) -> u16 {
    let mut bytes = [0; BLOCK_PAGES as usize * 8];
    // Of what can't be told none is.
    let entries = entries(page_map, block * BLOCK_PAGES, &mut bytes).into_iter().flatten();
    let is_one = |entry| entry & PRESENT != 0 && entry & (EXCLUSIVE | FILES) != 0;
    entries.enumerate().fold(0, |bits, (page, entry)| bits | u16::from(is_one(entry)) << page)
}

/// What is read in one piece, for so many places in a row.
type Span = (Range<u64>, usize);

/// Places that lie one behind the other, on the same page or the next one, in one piece: it is the page
/// that takes the time. No page is touched that none of them lies on.
fn spans_of(places: &[Range<u64>]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::with_capacity(places.len());
    for place in places {
        match spans.last_mut() {
            Some((span, count)) if is_next(span, place) && place.end - span.start <= MOST_BYTES => {
                span.end = span.end.max(place.end);
                *count += 1;
            }
            _ => spans.push((place.clone(), 1)),
        }
    }
    spans
}

/// Appends the places' parts of what was found of their spans, as far as that goes.
fn take_places(places: &[Range<u64>], spans: &[Span], found: &[u8], into: &mut Vec<u8>) {
    let (mut left, mut at) = (places, 0);
    for (span, count) in spans {
        let (these, rest) = left.split_at(*count);
        for place in these {
            let start = at + (place.start - span.start) as usize;
            let end = start + (place.end - place.start) as usize;
            into.extend(&found[start.min(found.len())..end.min(found.len())]);
            if end > found.len() {
                return;
            }
        }
        at += (span.end - span.start) as usize;
        left = rest;
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
