//! A hole that overwrites nothing and can be mended again.
//!
//! # Safety
//! `unsafe` is needed to map and unmap pages. `MAP_FIXED_NOREPLACE` maps only where nothing is, and
//! only what this module mapped is unmapped.
#![allow(unsafe_code)]

use crate::program_break::{page_aligned_break, page_size};
use std::ops::Range;
use std::{io, ptr};

/// How often a hole is tried when other threads move the break meanwhile.
const ATTEMPTS: u32 = 64;

/// A mapping at the break, or a known distance above it, that stops the break from growing into it.
///
/// Dropping it unmaps the pages, and the break can grow again.
#[derive(Debug)]
#[must_use = "the hole is closed again when it is dropped; see Hole::keep"]
pub struct Hole {
    range: Range<usize>,
}

impl Hole {
    /// Maps one page at the break: [`HoleOptions::new`] and [`punch`](HoleOptions::punch).
    ///
    /// # Errors
    /// See [`HoleError`].
    pub fn punch() -> Result<Self, HoleError> {
        HoleOptions::new().punch()
    }

    /// The addresses it takes, from its first byte to the one after its last.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// Leaves the pages mapped for the life of the process and tells where they are.
    pub fn keep(self) -> Range<usize> {
        let range = self.range();
        std::mem::forget(self);
        range
    }
}

impl Drop for Hole {
    fn drop(&mut self) {
        unmap(&self.range);
    }
}

/// Where a [`Hole`] is to lie and how large it is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoleOptions {
    pages: usize,
    offset_pages: usize,
}

impl Default for HoleOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl HoleOptions {
    /// One page, directly at the break.
    pub fn new() -> Self {
        Self { pages: 1, offset_pages: 0 }
    }

    /// Takes `pages` pages; at least 1.
    pub fn pages(mut self, pages: usize) -> Self {
        self.pages = pages;
        self
    }

    /// Leaves `pages` pages free between the break and the hole. The kernel keeps the last of them
    /// free itself, so the break can still grow by `pages - 1`.
    pub fn offset_pages(mut self, pages: usize) -> Self {
        self.offset_pages = pages;
        self
    }

    /// Maps the pages: inaccessible (`PROT_NONE`), private, never backed by memory.
    ///
    /// The break is read again afterwards. When another thread moved it in between, the pages are
    /// unmapped and it is tried anew, a bounded number of times.
    ///
    /// # Errors
    /// See [`HoleError`].
    ///
    /// # References
    /// mmap(2), `MAP_FIXED_NOREPLACE` (since Linux 4.17; older kernels take it for a hint, which
    /// shows in the address they answer).
    pub fn punch(self) -> Result<Hole, HoleError> {
        if self.pages == 0 {
            return Err(HoleError::NoPages);
        }
        let length = self.pages.checked_mul(page_size());
        let offset = self.offset_pages.checked_mul(page_size());
        let (Some(length), Some(offset)) = (length, offset) else {
            return Err(HoleError::BeyondAddressSpace);
        };
        for _ in 0..ATTEMPTS {
            let floor = page_aligned_break();
            let start = floor.checked_add(offset);
            let Some(range) = start.and_then(|start| Some(start..start.checked_add(length)?))
            else {
                return Err(HoleError::BeyondAddressSpace);
            };
            let hole = match map_unless_taken(&range) {
                Ok(()) => Hole { range },
                Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {
                    if page_aligned_break() == floor {
                        return Err(HoleError::Taken { range });
                    }
                    continue;
                }
                Err(error) => return Err(HoleError::Map { range, error }),
            };
            if page_aligned_break() == floor {
                return Ok(hole);
            }
        }
        Err(HoleError::BreakMoves { attempts: ATTEMPTS })
    }
}

fn map_unless_taken(range: &Range<usize>) -> io::Result<()> {
    let flags =
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED_NOREPLACE;
    let wanted = ptr::without_provenance_mut::<libc::c_void>(range.start);
    // SAFETY: a new anonymous mapping that replaces none; nothing refers to these addresses yet.
    let mapped = unsafe { libc::mmap(wanted, range.len(), libc::PROT_NONE, flags, -1, 0) };
    if mapped == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    if mapped == wanted {
        return Ok(());
    }
    let elsewhere = mapped as usize;
    unmap(&(elsewhere..elsewhere + range.len()));
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "this kernel does not know MAP_FIXED_NOREPLACE (Linux 4.17 or newer is needed)",
    ))
}

fn unmap(range: &Range<usize>) {
    let start = ptr::without_provenance_mut::<libc::c_void>(range.start);
    // SAFETY: exactly the pages that `map_unless_taken` mapped. They are inaccessible, so no
    // reference into them can exist. Failure (a mapping limit) leaves the hole, which harms nobody.
    unsafe { libc::munmap(start, range.len()) };
}

/// Why no hole was made. Nothing is mapped then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each sentence names its fields")]
pub enum HoleError {
    /// Zero pages were asked for; at least 1 is needed to stop anything.
    #[error("a hole of 0 pages stops nothing: ask for at least 1")]
    NoPages,
    /// Offset and size reach past the end of the address space.
    #[error("the hole would reach past the end of the address space")]
    BeyondAddressSpace,
    /// Something else is mapped there: the break is blocked already.
    #[error("{range:#x?} above the break is mapped already: see /proc/self/maps")]
    Taken { range: Range<usize> },
    /// The break moved at every attempt: another thread allocates or frees without pause.
    #[error(
        "other threads moved the break at each of {attempts} attempts: punch the hole before they \
         start"
    )]
    BreakMoves { attempts: u32 },
    /// mmap(2) failed.
    #[error("can't map {range:#x?}: {error}")]
    Map {
        range: Range<usize>,
        #[source]
        error: io::Error,
    },
}
