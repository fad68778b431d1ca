//! The reader's side of a ring buffer.
//!
//! The kernel maps it as one page with the reader's position, one with the writers' position, and
//! the records twice over, so that one which begins at the end goes on behind it.
//!
//! # References
//! `Documentation/bpf/ringbuf.rst`; `kernel/bpf/ringbuf.c`

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use memmap2::{MmapOptions, MmapRaw};

use crate::map::{Map, MapKind};

const HEAD_BYTES: u64 = 8;
/// `BPF_RINGBUF_BUSY_BIT`: reserved, not submitted.
const BUSY: u32 = 1 << 31;
/// `BPF_RINGBUF_DISCARD_BIT`
const DISCARDED: u32 = 1 << 30;

/// Takes records out of a ring buffer. One for a map: positions are shared.
#[derive(Debug)]
pub struct RingReader {
    reader: MmapRaw,
    /// The writers' page, and the records behind it.
    written: MmapRaw,
    page_bytes: usize,
    ring_bytes: u64,
}

impl RingReader {
    /// Maps the ring.
    ///
    /// # Errors
    /// `EINVAL`: the map is no ring buffer. No memory.
    pub fn new(map: &Map) -> io::Result<Self> {
        let MapKind::RingBuffer { bytes } = map.kind() else {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        };
        let page_bytes = proc_memory::page_size_bytes() as usize;
        let fd = map.as_fd().as_raw_fd();
        let written_bytes = page_bytes + 2 * bytes as usize;
        Ok(Self {
            reader: MmapOptions::new().len(page_bytes).map_raw(fd)?,
            written: MmapOptions::new()
                .offset(page_bytes as u64)
                .len(written_bytes)
                .map_raw_read_only(fd)?,
            page_bytes,
            ring_bytes: bytes.into(),
        })
    }

    /// Takes the records that are there now, in the order in which they got their places: what
    /// happened before is before. Whether these were all; `false` if one is still being written,
    /// behind which nothing can be taken.
    pub fn drain(&mut self, mut take: impl FnMut(&[u8])) -> bool {
        // SAFETY: a page that is mapped as long as `self` is, aligned, and only this writes it.
        let reader = unsafe { AtomicU64::from_ptr(self.reader.as_mut_ptr().cast()) };
        let end = self.writers_position().load(Ordering::Acquire);
        let mut at = reader.load(Ordering::Relaxed);
        while at < end {
            let head = self.head(at).load(Ordering::Acquire);
            if head & BUSY != 0 {
                return false;
            }
            let length = head & !(BUSY | DISCARDED);
            if head & DISCARDED == 0 {
                take(self.record(at, length as usize));
            }
            at += (HEAD_BYTES + u64::from(length)).next_multiple_of(8);
            // From here on the kernel may write over it.
            reader.store(at, Ordering::Release);
        }
        true
    }

    fn writers_position(&self) -> &AtomicU64 {
        let position: *const AtomicU64 = self.written.as_ptr().cast();
        // SAFETY: the beginning of a page that is mapped as long as `self` is; the kernel writes
        // it, and by atomic stores.
        unsafe { &*position }
    }

    /// The length of the record there, with its marks.
    fn head(&self, at: u64) -> &AtomicU32 {
        let head: *const AtomicU32 = self.place(at).cast();
        // SAFETY: below the writers' position, at a multiple of eight: a head, which the kernel
        // changes by atomic stores.
        unsafe { &*head }
    }

    fn record(&self, at: u64, length: usize) -> &[u8] {
        let begin = self.place(at).wrapping_add(HEAD_BYTES as usize);
        // SAFETY: the record is submitted, so nobody writes it until the reader's position is
        // beyond; the kernel made it of this length, and the ring is mapped twice over.
        unsafe { std::slice::from_raw_parts(begin, length) }
    }

    fn place(&self, at: u64) -> *const u8 {
        let offset = (at & (self.ring_bytes - 1)) as usize;
        self.written.as_ptr().wrapping_add(self.page_bytes + offset)
    }
}
