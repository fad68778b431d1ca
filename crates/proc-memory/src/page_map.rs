//! Which of a process's pages are resident, and which are in swap.
//!
//! The kernel is asked by `PAGEMAP_SCAN` (since Linux 6.7), which tells its shared page of zeros
//! from others; an older one by reading the page map, where that page looks like any other: memory
//! that was read but never written counts as resident there, which it isn't for the rss.
//!
//! # Safety
//! The ioctl writes to the regions that its argument describes, which is done from a vector of that
//! length, and to the argument itself.
//!
//! # References
//! `Documentation/admin-guide/mm/pagemap.rst`, `include/uapi/linux/fs.h` (`struct pm_scan_arg`) of
//! Linux 6.18
#![allow(unsafe_code)]

use std::fs::File;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

use nix::errno::Errno;

use crate::process::{Process, ProcessError};
use crate::syscalls::{page_size_bytes, word};

/// Spans with less than this between them are asked for together: two questions cost more than the
/// pages between.
const JOIN_BYTES: u64 = 2 << 20;
/// Regions that one call fills.
const REGIONS: usize = 1024;
/// Entries that are read at once.
const ENTRIES: u64 = 16 * 1024;

/// What an entry says of its page: that it is in memory, or in swap; that it is a file's (or shared), or
/// mapped by nobody else.
pub(crate) const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;
pub(crate) const FILES: u64 = 1 << 61;
pub(crate) const EXCLUSIVE: u64 = 1 << 56;

/// Where a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PageState {
    /// In memory, with a page frame that would be given back: the shared page of zeros has none.
    Resident,
    /// In swap.
    Swapped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PageMapMethod {
    Scan,
    Read,
}

/// A process's page map, held open.
#[derive(Debug)]
pub struct PageMap {
    pagemap: File,
    page_bytes: u64,
    way: PageMapMethod,
    regions: Vec<Region>,
}

/// `struct page_region`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct Region {
    start: u64,
    end: u64,
    categories: u64,
}

/// `struct pm_scan_arg`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Scan {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    regions: u64,
    regions_length: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

impl PageMap {
    /// That of a process.
    ///
    /// # Errors
    /// As for [`Process::file`]: without permission, the error says whose process it is.
    pub fn open(process: &Process) -> Result<Self, ProcessError> {
        Ok(Self {
            pagemap: process.file("pagemap")?,
            page_bytes: page_size_bytes(),
            way: PageMapMethod::Scan,
            regions: vec![Region::default(); REGIONS],
        })
    }

    /// Bytes of these pages that are in this state. The ranges are of whole pages, in rising order,
    /// and do not overlap.
    ///
    /// # Errors
    /// As for [`each`](Self::each).
    pub fn bytes<E: From<Errno>>(
        &mut self,
        state: PageState,
        pages: &[Range<u64>],
        check: impl FnMut() -> Result<(), E>,
    ) -> Result<u64, E> {
        let mut sum = 0;
        let mut wanted = pages.iter().peekable();
        self.each(state, pages, check, |found| {
            while let Some(range) = wanted.peek() {
                let overlap = range.start.max(found.start)..range.end.min(found.end);
                sum += overlap.end.saturating_sub(overlap.start);
                // The same range may go on in what is found next.
                if range.end > found.end {
                    break;
                }
                wanted.next();
            }
        })?;
        Ok(sum)
    }

    /// Tells the parts of the memory round these ranges that are in this state, in rising order.
    ///
    /// # Errors
    /// That of `check`, which is asked before each system call; `ESRCH` once the process has ended,
    /// and what the kernel says otherwise.
    pub fn each<E: From<Errno>>(
        &mut self,
        state: PageState,
        pages: &[Range<u64>],
        mut check: impl FnMut() -> Result<(), E>,
        mut tell: impl FnMut(Range<u64>),
    ) -> Result<(), E> {
        let mut rest = pages.iter().peekable();
        while let Some(first) = rest.next() {
            let mut span = first.clone();
            while let Some(next) = rest.next_if(|next| next.start <= span.end + JOIN_BYTES) {
                span.end = next.end;
            }
            while span.start < span.end {
                check()?;
                if self.way == PageMapMethod::Scan {
                    match self.scan(state, span.clone(), &mut tell) {
                        // An older kernel doesn't know it, and nothing was told yet.
                        Err(Errno::ENOTTY | Errno::EINVAL) => self.way = PageMapMethod::Read,
                        walked => span.start = walked?,
                    }
                } else {
                    span.start = self.read(state, span.clone(), &mut tell)?;
                }
            }
        }
        Ok(())
    }

    /// One call, and as far as it came.
    fn scan(
        &mut self,
        state: PageState,
        span: Range<u64>,
        tell: &mut impl FnMut(Range<u64>),
    ) -> Result<u64, Errno> {
        /// `_IOWR('f', 16, struct pm_scan_arg)`
        const REQUEST: u64 = 3 << 30 | (size_of::<Scan>() as u64) << 16 | (b'f' as u64) << 8 | 16;
        const PAGE_IS_PRESENT: u64 = 1 << 3;
        const PAGE_IS_SWAPPED: u64 = 1 << 4;
        const PAGE_IS_PFNZERO: u64 = 1 << 5;
        let (category_mask, category_inverted) = match state {
            PageState::Resident => (PAGE_IS_PRESENT | PAGE_IS_PFNZERO, PAGE_IS_PFNZERO),
            PageState::Swapped => (PAGE_IS_SWAPPED, 0),
        };
        let mut scan = Scan {
            size: size_of::<Scan>() as u64,
            start: span.start,
            end: span.end,
            regions: self.regions.as_mut_ptr() as u64,
            regions_length: self.regions.len() as u64,
            category_inverted,
            category_mask,
            return_mask: PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
            ..Scan::default()
        };
        // SAFETY: the kernel writes at most `regions_length` regions to `self.regions`, which is
        // that long, and to `scan`.
        let result = unsafe { libc::ioctl(self.pagemap.as_raw_fd(), REQUEST as _, &raw mut scan) };
        let filled = Errno::result(result)? as usize;
        let reached = if scan.walk_end <= span.start { span.end } else { scan.walk_end };
        // The last one may lie behind where a full list ended the walk, and is told again then.
        let regions = self.regions.iter().take(filled).filter(|region| region.start < reached);
        regions.for_each(|region| tell(region.start..region.end.min(reached)));
        Ok(reached)
    }

    /// The same by reading entries.
    fn read(
        &self,
        state: PageState,
        span: Range<u64>,
        tell: &mut impl FnMut(Range<u64>),
    ) -> Result<u64, Errno> {
        let bit = match state {
            PageState::Resident => PRESENT,
            PageState::Swapped => SWAPPED,
        };
        let count = ENTRIES.min((span.end - span.start).div_ceil(self.page_bytes));
        let mut bytes = vec![0_u8; (count * 8) as usize];
        let entries = entries(&self.pagemap, span.start / self.page_bytes, &mut bytes)?;
        if entries.len() == 0 {
            return Err(Errno::ESRCH);
        }
        let mut start = span.start;
        let mut run = start..start;
        for entry in entries {
            if entry & bit != 0 {
                if run.end != start {
                    if run.start < run.end {
                        tell(run.clone());
                    }
                    run.start = start;
                }
                run.end = start + self.page_bytes;
            }
            start += self.page_bytes;
        }
        if run.start < run.end {
            tell(run);
        }
        Ok(start)
    }
}

/// The entries of pages from this one on: as many as there is room for their bytes, or fewer if it has no
/// more.
pub(crate) fn entries<'b>(
    pagemap: &File,
    first_page: u64,
    bytes: &'b mut [u8],
) -> Result<impl ExactSizeIterator<Item = u64> + use<'b>, Errno> {
    let read = pagemap.read_at(bytes, first_page.saturating_mul(8));
    let length = read.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or_default()))?;
    Ok(bytes[..length].chunks_exact(8).map(|entry| word(entry, 0)))
}

/// Ranges in rising order, those that touch or overlap as one.
///
/// ```
/// # use proc_memory::joined_ranges;
/// assert_eq!(joined_ranges([8..9, 4..6, 0..4, 5..7]), [0..7, 8..9]);
/// ```
pub fn joined_ranges(ranges: impl IntoIterator<Item = Range<u64>>) -> Vec<Range<u64>> {
    let mut joined: Vec<_> = ranges.into_iter().collect();
    joined.sort_unstable_by_key(|range| range.start);
    joined.dedup_by(|next, last| {
        let is_part = next.start <= last.end;
        if is_part {
            last.end = last.end.max(next.end);
        }
        is_part
    });
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGES: usize = 64;

    /// Pages of this very process: every third one written, every third one only read, the others
    /// never touched.
    #[test]
    fn both_ways_tell_the_same_but_of_pages_of_zeros() {
        let page_bytes = page_size_bytes() as usize;
        let length = PAGES * page_bytes;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping, wherever the kernel puts it.
        let mapped = unsafe { libc::mmap(std::ptr::null_mut(), length, access, kind, -1, 0) };
        assert_ne!(mapped, libc::MAP_FAILED);
        // SAFETY: the mapping just made, which nothing else has and which is never unmapped. A
        // kernel without huge pages refuses it, and has none.
        let _ = unsafe { libc::madvise(mapped, length, libc::MADV_NOHUGEPAGE) };
        let start = mapped as usize;
        for page in 0..PAGES {
            let place = (start + page * page_bytes) as *mut u8;
            match page % 3 {
                // SAFETY: within the mapping.
                0 => unsafe { place.write_volatile(1) },
                // SAFETY: within the mapping, whose untouched bytes are zeros.
                1 => assert_eq!(unsafe { place.read_volatile() }, 0),
                _ => {}
            }
        }
        let process = Process::open(std::process::id() as i32).unwrap();
        let mut resident = PageMap::open(&process).unwrap();
        let pages: Vec<Range<u64>> = (0..PAGES as u64)
            .map(|page| start as u64 + page * page_bytes as u64)
            .map(|page| page..page + page_bytes as u64)
            .collect();
        let mut count = |way: PageMapMethod, which: usize| {
            resident.way = way;
            let some: Vec<Range<u64>> = pages.iter().skip(which).step_by(3).cloned().collect();
            let never = || Ok::<(), Errno>(());
            let bytes = resident.bytes(PageState::Resident, &some, never).unwrap();
            assert_eq!(resident.bytes(PageState::Swapped, &some, never), Ok(0));
            (resident.way == way).then_some(bytes / page_bytes as u64)
        };
        let each = |which: usize| pages.iter().skip(which).step_by(3).count() as u64;
        assert_eq!(count(PageMapMethod::Read, 0), Some(each(0)), "written");
        assert_eq!(count(PageMapMethod::Read, 1), Some(each(1)), "read");
        assert_eq!(count(PageMapMethod::Read, 2), Some(0), "untouched");
        // Kernels before 6.7 have only the one way.
        if let Some(written) = count(PageMapMethod::Scan, 0) {
            assert_eq!(written, each(0));
            assert_eq!(count(PageMapMethod::Scan, 1), Some(0), "a page of zeros is no frame");
            assert_eq!(count(PageMapMethod::Scan, 2), Some(0));
        }
    }
}
