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
//! `mm/gup.c` (`gup_must_unshare`); `fs/proc/base.c` (`mem_rw`);
//! `Documentation/admin-guide/mm/pagemap.rst`, bits 56, 61 and 63

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use nix::errno::Errno;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;
use rustc_hash::FxHashMap;

use crate::process::{Process, ProcessError};
use crate::syscalls::{page_size_bytes, word};

/// So much is read at once of places that lie next to each other.
const MOST_BYTES: u64 = 128 << 10;
/// `IOV_MAX`: places that one call reads.
const MOST_PLACES: usize = 1024;
/// The page map is asked of so many pages at a time.
const BLOCK_PAGES: u64 = 512;
/// A bit for each page of a block.
type PageBits = [u64; BLOCK_PAGES as usize / 64];

/// The memory of the program that a process has when this is opened. It is for one look: which pages
/// are the process's alone is asked once.
#[derive(Debug)]
pub struct ProcessMemory {
    pid: i32,
    memory: File,
    /// Without it, no page is known to be the process's alone.
    page_map: Option<File>,
    exclusive: RefCell<ExclusivePages>,
}

/// Pages that are one process's alone, or a file's; by blocks.
#[derive(Debug, Default)]
struct ExclusivePages {
    known: FxHashMap<u64, PageBits>,
    /// The block that was asked of last, as the next one mostly is.
    recent: Option<(u64, PageBits)>,
}

impl ExclusivePages {
    fn has(&mut self, page: u64, page_map: &File) -> bool {
        let (block, bit) = (page / BLOCK_PAGES, page % BLOCK_PAGES);
        let bits = match self.recent {
            Some((recent, bits)) if recent == block => bits,
            _ => *self.known.entry(block).or_insert_with(|| exclusive_pages(page_map, block)),
        };
        self.recent = Some((block, bits));
        bits[bit as usize / 64] >> (bit % 64) & 1 == 1
    }
}

impl ProcessMemory {
    /// That of a process.
    ///
    /// # Errors
    /// As for [`Process::file`]: without permission, the error says whose process it is.
    pub fn open(process: &Process) -> Result<Self, ProcessError> {
        Ok(Self::new(process.pid(), process.file("mem")?, process.file("pagemap").ok()))
    }

    /// That of the process which a thread belongs to now.
    ///
    /// # Errors
    /// `ENOENT` if there is none, `EACCES`.
    pub fn of(tid: i32) -> io::Result<Self> {
        let file = |name| File::open(format!("/proc/{tid}/{name}"));
        Ok(Self::new(tid, file("mem")?, file("pagemap").ok()))
    }

    fn new(pid: i32, memory: File, page_map: Option<File>) -> Self {
        Self { pid, memory, page_map, exclusive: RefCell::default() }
    }

    /// Appends what is at these places, one after the other, to `into`. Gives how many bytes those are:
    /// fewer than asked for if a place isn't mapped, where it ends.
    ///
    /// # Errors
    /// `EFAULT` if the first place isn't mapped; `ESRCH` if the process has ended, or has another
    /// program.
    pub fn read(&self, places: &[Range<u64>], into: &mut Vec<u8>) -> Result<usize, Errno> {
        let before = into.len();
        let mut left = places;
        while !left.is_empty() {
            let mut each = left.iter().take(MOST_PLACES).map(|place| self.is_exclusive(place));
            let is_exclusive = each.next().unwrap_or_default();
            let alike = each.take_while(|other| *other == is_exclusive).count();
            let (these, rest) = left.split_at(1 + alike);
            let outcome = match is_exclusive {
                true => self.read_by_call(these, into),
                false => self.read_by_file(these, into),
            };
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
        let Some(page_map) = &self.page_map else { return false };
        let page = page_size_bytes();
        let (first, last) =
            (place.start / page, place.end.saturating_sub(1).max(place.start) / page);
        let mut exclusive = self.exclusive.borrow_mut();
        (first..=last).all(|page| exclusive.has(page, page_map))
    }

    /// Appends what is at these places, which are at most as many as one call takes.
    fn read_by_call(&self, places: &[Range<u64>], into: &mut Vec<u8>) -> Result<(), Errno> {
        let length = |place: &Range<u64>| (place.end - place.start) as usize;
        let theirs = places.iter();
        let theirs =
            theirs.map(|place| RemoteIoVec { base: place.start as usize, len: length(place) });
        let (before, wanted) = (into.len(), places.iter().map(length).sum::<usize>());
        into.resize(before + wanted, 0);
        let mut ours = [IoSliceMut::new(&mut into[before..])];
        let read =
            process_vm_readv(Pid::from_raw(self.pid), &mut ours, &theirs.collect::<Vec<_>>());
        into.truncate(before + read.unwrap_or(0));
        match read? {
            read if read == wanted => Ok(()),
            _ => Err(Errno::EFAULT),
        }
    }

    /// The same, without touching a page that none of the places lies on.
    fn read_by_file(&self, places: &[Range<u64>], into: &mut Vec<u8>) -> Result<(), Errno> {
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
            if these.len() == 1 {
                self.append(&span, into)?;
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
                outcome?;
            }
            left = rest;
        }
        Ok(())
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
fn exclusive_pages(page_map: &File, block: u64) -> PageBits {
    const EXCLUSIVE_OR_FILES: u64 = 1 << 56 | 1 << 61;
    let mut entries = [0; BLOCK_PAGES as usize * 8];
    let mut bits = PageBits::default();
    // What can't be told stands there as absent.
    let read = page_map.read_at(&mut entries, block.saturating_mul(BLOCK_PAGES * 8)).unwrap_or(0);
    for (page, entry) in entries[..read].chunks_exact(8).enumerate() {
        let entry = word(entry, 0);
        let is_one = entry >> 63 == 1 && entry & EXCLUSIVE_OR_FILES != 0;
        bits[page / 64] |= u64::from(is_one) << (page % 64);
    }
    bits
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
