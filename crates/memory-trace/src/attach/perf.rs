//! perf_event_open and what belongs to it: events, their rings, the clock of their records.
//!
//! # Safety
//! The kernel writes a ring's data area and `data_head`, this side only `data_tail`; the bytes
//! between tail and head are not touched by the kernel until the tail passes them, which is the
//! one moment at which [`Ring::drain`] gives them up. All other calls take integers or point to
//! values on the stack, as said at each.
#![allow(unsafe_code)]

use std::io;
use std::mem::offset_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use memmap2::{MmapOptions, MmapRaw};
use nix::errno::Errno;
use nix::time::{ClockId, clock_gettime};
use perf_event_open_sys::bindings::{
    PERF_FLAG_FD_CLOEXEC, PERF_FLAG_PID_CGROUP, perf_event_mmap_page,
};
use proc_memory::page_size_bytes;

pub(super) use perf_event_open_sys::bindings::perf_event_attr as Attr;

/// Of whom an event is told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Whose<'a> {
    /// This thread; 0: the calling one.
    Thread(i32),
    /// Whoever is in this cgroup of version 2, or below it.
    Cgroup(BorrowedFd<'a>),
    Everybody,
}

/// One event on one thread (and those it makes, if inherited) and one CPU.
#[derive(Debug)]
pub(super) struct PerfEvent(OwnedFd);

impl PerfEvent {
    /// Opens an event on a CPU; -1: on any.
    pub(super) fn open(mut attr: Attr, whose: Whose<'_>, cpu: i32) -> io::Result<Self> {
        const NO_GROUP: i32 = -1;
        // An older kernel takes it as long as the fields it doesn't know are zero.
        attr.size = size_of::<Attr>() as u32;
        let close = PERF_FLAG_FD_CLOEXEC.into();
        let (pid, flags) = match whose {
            Whose::Thread(tid) => (tid, close),
            Whose::Cgroup(directory) => {
                (directory.as_raw_fd(), close | u64::from(PERF_FLAG_PID_CGROUP))
            }
            Whose::Everybody => (-1, close),
        };
        // SAFETY: reads `size` bytes of `attr`, and returns a new descriptor or −1.
        let fd = unsafe {
            perf_event_open_sys::perf_event_open(&raw mut attr, pid, cpu, NO_GROUP, flags)
        };
        let fd = Errno::result(fd)?;
        // SAFETY: just opened, and owned by nobody else.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Has its records written to another event's ring.
    pub(super) fn write_to(&self, ring: &Ring) -> io::Result<()> {
        let (fd, to) = (self.0.as_raw_fd(), ring.event.0.as_raw_fd());
        // SAFETY: SET_OUTPUT takes a descriptor by value.
        Errno::result(unsafe { perf_event_open_sys::ioctls::SET_OUTPUT(fd, to) })?;
        Ok(())
    }

    /// How many of its records found no room in the ring; its format must be
    /// `PERF_FORMAT_LOST` alone.
    pub(super) fn lost(&self) -> Option<u64> {
        let mut values = [0_u8; 16];
        let read = nix::unistd::read(&self.0, &mut values);
        let [_, lost] = values.as_chunks().0 else {
            return None;
        };
        (read == Ok(values.len())).then_some(u64::from_ne_bytes(*lost))
    }
}

/// It ends with its descriptor, of which a child of the host's has a copy until it executes something:
/// without this, events that were closed would go on telling beside those that took their place.
impl Drop for PerfEvent {
    fn drop(&mut self) {
        // SAFETY: DISABLE takes a number; those that were inherited are disabled, too.
        let _ = unsafe { perf_event_open_sys::ioctls::DISABLE(self.0.as_raw_fd(), 0) };
    }
}

/// A ring in memory that the kernel fills with the records of one CPU.
#[derive(Debug)]
pub(super) struct Ring {
    /// It happens never, and lasts as long as this thread: so waiting for it never ends early.
    event: PerfEvent,
    /// `struct perf_event_mmap_page` in its first page, the data area in the others.
    pages: MmapRaw,
    data_bytes: usize,
}

impl Ring {
    /// A ring for the events of one CPU. `data_bytes` is a power of two and at least a page.
    pub(super) fn new(attr: Attr, cpu: i32, data_bytes: usize) -> io::Result<Self> {
        let event = PerfEvent::open(attr, Whose::Thread(0), cpu)?;
        let mapped_bytes = page_size_bytes() as usize + data_bytes;
        let pages = MmapOptions::new().len(mapped_bytes).map_raw(event.0.as_raw_fd())?;
        Ok(Self { event, pages, data_bytes })
    }

    /// What to wait for (poll): readable when a quarter is full or an open came back.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.event.0.as_fd()
    }

    /// Gives every whole record, oldest first, and makes room for new ones.
    pub(super) fn drain(&self, scratch: &mut Vec<u8>, mut take: impl FnMut(&[u8])) {
        const HEADER_BYTES: usize = 8;
        // Read once: what comes meanwhile, the next round takes.
        let head =
            self.position(offset_of!(perf_event_mmap_page, data_head)).load(Ordering::Acquire);
        let tail = self.position(offset_of!(perf_event_mmap_page, data_tail));
        let mut at = tail.load(Ordering::Relaxed);
        let data_start = page_size_bytes() as usize;
        scratch.clear();
        while at < head {
            let offset = (at as usize) & (self.data_bytes - 1);
            let length = ((head - at) as usize).min(self.data_bytes - offset);
            // SAFETY: `offset + length` lies within the data area.
            let from = unsafe { self.pages.as_ptr().add(data_start + offset) };
            // SAFETY: the kernel has written these bytes, and won't before the tail passes them.
            scratch.extend_from_slice(unsafe { std::slice::from_raw_parts(from, length) });
            at += length as u64;
        }
        tail.store(head, Ordering::Release);
        let mut rest = scratch.as_slice();
        while let Some(&[.., low, high]) = rest.get(..HEADER_BYTES) {
            let size = usize::from(u16::from_ne_bytes([low, high]));
            let Some(record) = rest.get(..size).filter(|_| size >= HEADER_BYTES) else {
                break;
            };
            take(record);
            rest = &rest[size..];
        }
    }

    fn position(&self, offset: usize) -> &AtomicU64 {
        // SAFETY: within the first page, which is mapped as long as `self` lives.
        let address = unsafe { self.pages.as_mut_ptr().add(offset) };
        // SAFETY: aligned, as the page is and both offsets are; shared with the kernel, which
        // reads and writes it in one piece.
        unsafe { AtomicU64::from_ptr(address.cast()) }
    }
}

/// The clock that stamps the records: readable here, and the same on every CPU.
pub(super) const CLOCK: ClockId = ClockId::CLOCK_MONOTONIC;

/// Nanoseconds on that clock.
pub(super) fn now_ns() -> u64 {
    // It can't fail for this clock.
    clock_gettime(CLOCK).map_or(0, |now| Duration::from(now).as_nanos() as u64)
}

/// Makes calls that fail without doing anything, to see whether the tracepoints tell of them.
pub(super) fn harmless_calls(address: u64, length: u64, fd: i32) {
    // SAFETY: an address that isn't a page's is refused with EINVAL.
    unsafe { libc::syscall(libc::SYS_munmap, address, length) };
    // SAFETY: a negative descriptor is refused with EBADF.
    unsafe { libc::syscall(libc::SYS_close, fd) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use perf_event_open_sys::bindings::{PERF_COUNT_SW_TASK_CLOCK, PERF_TYPE_SOFTWARE};

    #[test]
    fn a_closed_event_has_ended_though_a_copy_of_its_descriptor_is_left() {
        let mut attr = Attr { type_: PERF_TYPE_SOFTWARE, ..Attr::default() };
        attr.config = PERF_COUNT_SW_TASK_CLOCK.into();
        attr.set_exclude_kernel(1);
        let event = match PerfEvent::open(attr, Whose::Thread(0), -1) {
            Ok(event) => event,
            Err(error) => return eprintln!("skipped: perf_event_open: {error}"),
        };
        let copy = event.0.try_clone().unwrap();
        let count = || {
            let began = std::time::Instant::now();
            while began.elapsed() < Duration::from_millis(5) {}
            let mut count = [0; 8];
            assert_eq!(nix::unistd::read(&copy, &mut count), Ok(count.len()));
            u64::from_ne_bytes(count)
        };
        assert!(count() < count());
        drop(event);
        assert_eq!(count(), count());
    }
}
