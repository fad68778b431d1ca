//! A stopped process's memory, read in large pieces.
//!
//! # Safety
//! `process_vm_readv` writes to this process's memory only within the buffer that the local
//! `iovec` describes, and tells how much of it. Whatever address the other process's registers
//! hold is safe to ask for: what isn't mapped there is not read.
#![allow(unsafe_code)]

use std::borrow::Cow;

/// Bytes to a piece; a multiple of the page size.
const PIECE_BYTES: u64 = 32 * 1024;
/// Each page is asked for by itself, so that one that is missing doesn't take the others with it.
const PAGE_BYTES: u64 = 4096;
/// A walk reads as many pieces at most: 8 MiB, the usual limit of a stack.
const MOST_PIECES: usize = 256;

/// Reads words of one process's memory; keeps the pieces that it has read.
#[derive(Debug)]
pub(super) struct StackMemory {
    pid: i32,
    pieces: Vec<(u64, Vec<u8>)>,
}

impl StackMemory {
    /// The memory of a process, which must stand still as long as this is used.
    pub(super) fn of(pid: i32) -> Self {
        Self {
            pid,
            pieces: Vec::new(),
        }
    }

    /// The eight bytes at an address; `None` if they can't be read.
    pub(super) fn word(&mut self, address: u64) -> Option<u64> {
        let end = address.checked_add(8)?;
        for (start, bytes) in &self.pieces {
            if (*start..start + bytes.len() as u64).contains(&address)
                && end <= start + bytes.len() as u64
            {
                let at = (address - start) as usize;
                return Some(u64::from_le_bytes(bytes[at..at + 8].try_into().ok()?));
            }
        }
        if self.pieces.len() >= MOST_PIECES {
            return None;
        }
        let start = address & !(PAGE_BYTES - 1);
        let bytes = read(self.pid, start, PIECE_BYTES)?;
        let at = (address - start) as usize;
        let word = u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?);
        self.pieces.push((start, bytes));
        Some(word)
    }
}

/// Reads up to `length_bytes` from the start of a page; ends early at the first page that can't be
/// read. `None` if that is the first one.
///
/// # References
/// process_vm_readv(2)
pub(super) fn read(pid: i32, start: u64, length_bytes: u64) -> Option<Vec<u8>> {
    let mut buffer = Vec::<u8>::with_capacity(length_bytes as usize);
    let local = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: length_bytes as usize,
    };
    let mut pages = Vec::new();
    let mut address = start;
    while address < start.checked_add(length_bytes)? {
        pages.push(libc::iovec {
            iov_base: address as *mut libc::c_void,
            iov_len: PAGE_BYTES.min(start + length_bytes - address) as usize,
        });
        address += PAGE_BYTES;
    }
    // SAFETY: `local` describes the buffer's own capacity, `pages` is as long as it says.
    let read = unsafe {
        libc::process_vm_readv(
            pid,
            &raw const local,
            1,
            pages.as_ptr(),
            pages.len() as libc::c_ulong,
            0,
        )
    };
    let read = usize::try_from(read).ok().filter(|read| *read > 0)?;
    // SAFETY: the kernel has written the first `read` bytes, which are within the capacity.
    unsafe { buffer.set_len(read) };
    Some(buffer)
}

/// Whether a process's memory holds these bytes at these addresses.
///
/// # References
/// process_vm_readv(2)
pub(super) fn holds(pid: i32, expected: &[(u64, Cow<'_, [u8]>)]) -> bool {
    let sum = expected.iter().map(|(_, bytes)| bytes.len()).sum();
    let mut buffer = vec![0_u8; sum];
    let local = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: sum,
    };
    let places: Vec<_> = expected
        .iter()
        .map(|(address, bytes)| libc::iovec {
            iov_base: *address as *mut libc::c_void,
            iov_len: bytes.len(),
        })
        .collect();
    // SAFETY: `local` describes the buffer, `places` is as long as it says.
    let read = unsafe {
        libc::process_vm_readv(
            pid,
            &raw const local,
            1,
            places.as_ptr(),
            places.len() as libc::c_ulong,
            0,
        )
    };
    let mut rest = &buffer[..];
    usize::try_from(read) == Ok(sum)
        && expected.iter().all(|(_, bytes)| {
            let (now, after) = rest.split_at(bytes.len());
            rest = after;
            now == &**bytes
        })
}
