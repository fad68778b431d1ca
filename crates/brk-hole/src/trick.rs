//! The trick as lua-nginx-module 0.10.3–0.10.7 played it.
//!
//! The module came with it on 2016-05-02 (0fddb590) and lost it again on 2017-03-30 (6b01840d),
//! after freed memory was found not to go back to the system. It keeps the data segment from
//! growing into the lowest 2 GiB, which a LuaJIT with 32-bit GC pointers needs for its own objects.
//!
//! # Safety
//! `MAP_FIXED` replaces what is mapped there; see [`limit_data_segment`].
#![allow(unsafe_code)]

use crate::program_break::page_size;
use std::{fmt, io, ptr};

/// The break has to be below this address for the trick to be played: 1 GiB.
///
/// Only the break of a binary that is not position independent lies there; a PIE's is near
/// 0x55…. Since Linux 6.9, and in Debian's 6.1.176, a non-PIE's break is randomised over 1 GiB on
/// x86-64, so that even there the guard is false now and then.
pub const TRICK_GUARD: usize = 0x4000_0000;

/// What came of the trick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrickOutcome {
    /// The page is mapped at `address`; the break can't pass it.
    Made {
        /// First byte of the page.
        address: usize,
    },
    /// The guard was false, so nothing was mapped: the break is at `program_break`.
    NotMade {
        /// The break, at or above [`TRICK_GUARD`].
        program_break: usize,
    },
    /// The page couldn't be mapped.
    Failed {
        /// Where it should have been.
        address: usize,
        /// `errno` of mmap(2).
        errno: i32,
    },
}

impl TrickOutcome {
    /// Whether a page stops the break now.
    pub fn is_made(self) -> bool {
        matches!(self, Self::Made { .. })
    }
}

impl fmt::Display for TrickOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Made { address } => write!(f, "hole made at {address:#x}"),
            Self::NotMade { program_break } => write!(
                f,
                "no hole made: the break is at {program_break:#x}, and the trick is played only \
                 below {TRICK_GUARD:#x}"
            ),
            Self::Failed { address, errno } => write!(
                f,
                "no hole made: mmap at {address:#x} failed: {}",
                io::Error::from_raw_os_error(errno)
            ),
        }
    }
}

/// Plays the trick: if the break is below [`TRICK_GUARD`], one byte (so one page) is mapped at the break
/// rounded up to a page, `PROT_READ`, `MAP_FIXED|MAP_PRIVATE|MAP_ANON`, and stays.
///
/// [`Hole::punch`](crate::Hole::punch) does the same without the danger.
///
/// # Safety
/// No other thread may move the break during the call. If one does, the page replaces memory that
/// malloc has just handed out, and what was in it is gone without a word. Before `main`, where the
/// module did it, there is no other thread.
///
/// # References
/// lua-nginx-module v0.10.7, `src/ngx_http_lua_module.c`, `ngx_http_lua_limit_data_segment`;
/// mmap(2), `MAP_FIXED`.
pub unsafe fn limit_data_segment() -> TrickOutcome {
    let program_break = libc_break();
    if program_break >= TRICK_GUARD {
        return TrickOutcome::NotMade { program_break };
    }
    let address = program_break.next_multiple_of(page_size());
    let flags = libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANON;
    let wanted = ptr::without_provenance_mut::<libc::c_void>(address);
    // SAFETY: the caller promises that nobody moves the break meanwhile, and above the break there
    // is nothing that malloc gave out.
    let mapped = unsafe { libc::mmap(wanted, 1, libc::PROT_READ, flags, -1, 0) };
    if mapped == libc::MAP_FAILED {
        let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0);
        return TrickOutcome::Failed { address, errno };
    }
    TrickOutcome::Made { address }
}

/// `sbrk(0)`, which the module asked, where it is to be had: it makes glibc read the break for the
/// first time, which one more brk call in the trace shows.
fn libc_break() -> usize {
    // SAFETY: an increment of 0 moves nothing.
    let asked = unsafe { libc::sbrk(0) } as isize;
    if asked == -1 {
        return crate::program_break();
    }
    asked as usize
}
