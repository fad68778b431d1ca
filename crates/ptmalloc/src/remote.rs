//! The memory of a living process.
//!
//! # Safety
//! `process_vm_readv` writes to this process's memory only within the buffer that the local
//! `iovec` describes, and tells how much of it. Whatever addresses are asked for in the other
//! process are safe: what isn't mapped there is not read.
#![allow(unsafe_code)]

use std::ops::Range;

use nix::errno::Errno;

use super::deadline::Deadline;
use super::limits::ExaminationLimits;
use super::memory::{TargetMemory, Unreadable};
use super::page_map::PageMap;
use procmem::Process;

/// `IOV_MAX`: places that one call takes.
const MOST_PLACES: usize = 1024;

/// The memory of a living process.
pub(super) struct Remote<'p> {
    process: &'p Process,
    deadline: Deadline,
    resident: Option<PageMap>,
    iovecs: Vec<libc::iovec>,
}

impl<'p> Remote<'p> {
    pub(super) fn new(process: &'p Process, deadline: Deadline) -> Self {
        Self {
            process,
            deadline,
            resident: None,
            iovecs: Vec::new(),
        }
    }

    /// When to give up on it.
    pub(super) fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// What the kernel says of its pages.
    pub(super) fn page_map(&mut self) -> Result<&mut PageMap, Unreadable> {
        let resident = match self.resident.take() {
            Some(resident) => resident,
            None => PageMap::open(self.process, self.deadline)?,
        };
        Ok(self.resident.insert(resident))
    }

    /// One call's worth.
    ///
    /// # References
    /// process_vm_readv(2)
    fn read_some(&mut self, places: &[Range<u64>], into: &mut Vec<u8>) -> Result<(), Unreadable> {
        self.deadline.check()?;
        let length = places
            .iter()
            .map(|place| (place.end - place.start) as usize)
            .sum::<usize>();
        into.reserve(length);
        let local = libc::iovec {
            iov_base: into.spare_capacity_mut().as_mut_ptr().cast(),
            iov_len: length,
        };
        self.iovecs.clear();
        self.iovecs.extend(places.iter().map(|place| libc::iovec {
            iov_base: place.start as *mut libc::c_void,
            iov_len: (place.end - place.start) as usize,
        }));
        // SAFETY: `local` describes spare capacity of `into` that was reserved just now, `iovecs`
        // is as long as it says.
        let read = unsafe {
            libc::process_vm_readv(
                self.process.pid(),
                &raw const local,
                1,
                self.iovecs.as_ptr(),
                self.iovecs.len() as libc::c_ulong,
                0,
            )
        };
        match usize::try_from(read) {
            Ok(read) if read == length => {
                // SAFETY: the kernel has written `length` bytes to the spare capacity.
                unsafe { into.set_len(into.len() + length) };
                Ok(())
            }
            Ok(_) => Err(Unreadable::NotMapped),
            Err(_) => Err(Errno::last().into()),
        }
    }
}

impl TargetMemory for Remote<'_> {
    fn limits(&self) -> ExaminationLimits {
        self.deadline.limits()
    }

    fn read(&mut self, places: &[Range<u64>], into: &mut Vec<u8>) -> Result<(), Unreadable> {
        places
            .chunks(MOST_PLACES)
            .try_for_each(|some| self.read_some(some, into))
    }

    fn resident_bytes(&mut self, pages: &[Range<u64>]) -> Result<u64, Unreadable> {
        if pages.is_empty() {
            return Ok(0);
        }
        self.page_map()?.bytes(pages)
    }

    fn resident(&mut self, pages: &[Range<u64>]) -> Result<Vec<Range<u64>>, Unreadable> {
        let mut found = Vec::new();
        if !pages.is_empty() {
            self.page_map()?
                .each(pages, |resident| found.push(resident))?;
        }
        Ok(found)
    }
}
