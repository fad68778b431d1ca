//! perf_event_open and what belongs to it: events, their rings, the clock of their records.
//!
//! # Safety
//! Each event is an owned descriptor, each ring a mapping that lives as long as its [`Ring`]. The
//! kernel writes the ring's data area and `data_head`, this side only `data_tail`; the bytes
//! between tail and head are not touched by the kernel until the tail passes them, which is the
//! one moment at which [`Ring::drain`] gives them up. All other calls take integers or point to
//! values on the stack, as said at each.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_ulong};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};

/// `struct perf_event_attr` as of `PERF_ATTR_SIZE_VER7` (Linux 5.13); an older kernel takes it as
/// long as the fields it doesn't know are zero.
///
/// # References
/// perf_event_open(2); `include/uapi/linux/perf_event.h`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attr {
    pub(super) kind: u32,
    size: u32,
    pub(super) config: u64,
    pub(super) sample_period: u64,
    pub(super) sample_type: u64,
    pub(super) read_format: u64,
    pub(super) flags: u64,
    /// Bytes with [`Attr::WATERMARK`], otherwise samples.
    pub(super) wakeup: u32,
    breakpoint_type: u32,
    config1: u64,
    config2: u64,
    branch_sample_type: u64,
    pub(super) sample_regs_user: u64,
    sample_stack_user: u32,
    pub(super) clock_id: i32,
    sample_regs_intr: u64,
    aux_watermark: u32,
    sample_max_stack: u16,
    reserved_2: u16,
    aux_sample_size: u32,
    reserved_3: u32,
    signal_data: u64,
}

impl Attr {
    pub(super) const SOFTWARE: u32 = 1;
    pub(super) const TRACEPOINT: u32 = 2;
    /// A software event that never happens, for its side records.
    pub(super) const DUMMY: u64 = 9;

    pub(super) const INHERIT: u64 = 1 << 1;
    pub(super) const COMM: u64 = 1 << 9;
    pub(super) const TASK: u64 = 1 << 13;
    pub(super) const WATERMARK: u64 = 1 << 14;
    pub(super) const SAMPLE_ID_ALL: u64 = 1 << 18;
    pub(super) const COMM_EXEC: u64 = 1 << 24;
    pub(super) const USE_CLOCK_ID: u64 = 1 << 25;

    pub(super) const SAMPLE_TID: u64 = 1 << 1;
    pub(super) const SAMPLE_TIME: u64 = 1 << 2;
    pub(super) const SAMPLE_RAW: u64 = 1 << 10;
    pub(super) const SAMPLE_REGS_USER: u64 = 1 << 12;

    /// How many records of the event found no room (Linux 6.0).
    pub(super) const FORMAT_LOST: u64 = 1 << 4;
}

/// One event on one thread (and those it makes, if inherited) and one CPU.
#[derive(Debug)]
pub(super) struct PerfEvent(OwnedFd);

impl PerfEvent {
    /// Opens an event; `tid` 0 is the calling thread.
    pub(super) fn open(mut attr: Attr, tid: i32, cpu: i32) -> io::Result<Self> {
        const CLOSE_ON_EXEC: c_ulong = 8;
        const NO_GROUP: c_int = -1;
        attr.size = size_of::<Attr>() as u32;
        // SAFETY: reads `size` bytes of `attr`, and returns a new descriptor or −1.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_perf_event_open,
                &raw const attr,
                tid,
                cpu,
                NO_GROUP,
                CLOSE_ON_EXEC,
            )
        };
        if fd == -1 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just opened, and owned by nobody else.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd as c_int) }))
    }

    /// Has its records written to another event's ring.
    pub(super) fn write_to(&self, ring: &Ring) -> io::Result<()> {
        const SET_OUTPUT: c_ulong = 0x2405;
        let to = ring.event.0.as_raw_fd();
        // SAFETY: SET_OUTPUT takes a descriptor by value.
        match unsafe { libc::ioctl(self.0.as_raw_fd(), SET_OUTPUT as _, to) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }

    /// How many of its records found no room in the ring; its format must be
    /// [`Attr::FORMAT_LOST`] alone.
    pub(super) fn lost(&self) -> Option<u64> {
        let mut values = [0_u64; 2];
        // SAFETY: reads at most the size of `values` into it.
        let read = unsafe {
            libc::read(
                self.0.as_raw_fd(),
                values.as_mut_ptr().cast(),
                size_of_val(&values),
            )
        };
        (read == 16).then_some(values[1])
    }
}

/// A ring in memory that the kernel fills with the records of one CPU.
#[derive(Debug)]
pub(super) struct Ring {
    /// It happens never, and lasts as long as this thread: so waiting for it never ends early.
    event: PerfEvent,
    page: NonNull<u8>,
    mapped_bytes: usize,
    data_offset: usize,
    data_bytes: usize,
}

impl Ring {
    /// A ring for the events of one CPU. `data_bytes` is a power of two and at least a page.
    pub(super) fn new(attr: Attr, cpu: i32, data_bytes: usize) -> io::Result<Self> {
        let event = PerfEvent::open(attr, 0, cpu)?;
        let data_offset = page_bytes();
        let mapped_bytes = data_offset + data_bytes;
        // SAFETY: a fresh mapping, at an address that the kernel chooses.
        let address = unsafe {
            libc::mmap(
                ptr::null_mut(),
                mapped_bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                event.0.as_raw_fd(),
                0,
            )
        };
        match NonNull::new(address.cast::<u8>()) {
            Some(page) if address != libc::MAP_FAILED => Ok(Self {
                event,
                page,
                mapped_bytes,
                data_offset,
                data_bytes,
            }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// What to wait for (poll): readable when a quarter is full or an open came back.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.event.0.as_fd()
    }

    /// Gives every whole record, oldest first, and makes room for new ones.
    pub(super) fn drain(&self, scratch: &mut Vec<u8>, mut take: impl FnMut(&[u8])) {
        const HEADER_BYTES: usize = 8;
        // Read once: what comes meanwhile, the next round takes.
        let head = self.position(Self::DATA_HEAD).load(Ordering::Acquire);
        let tail = self.position(Self::DATA_TAIL);
        let mut at = tail.load(Ordering::Relaxed);
        scratch.clear();
        while at < head {
            let offset = (at as usize) & (self.data_bytes - 1);
            let length = ((head - at) as usize).min(self.data_bytes - offset);
            // SAFETY: `offset + length` lies within the data area.
            let from = unsafe { self.page.as_ptr().add(self.data_offset + offset) };
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

    /// Offsets in `struct perf_event_mmap_page`.
    const DATA_HEAD: usize = 1024;
    const DATA_TAIL: usize = 1032;

    fn position(&self, offset: usize) -> &AtomicU64 {
        // SAFETY: within the first page, which is mapped as long as `self` lives.
        let address = unsafe { self.page.as_ptr().add(offset) };
        // SAFETY: aligned, as the page is and both offsets are; shared with the kernel, which
        // reads and writes it in one piece.
        unsafe { AtomicU64::from_ptr(address.cast()) }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`, and no slice of it outlives `drain`.
        unsafe { libc::munmap(self.page.as_ptr().cast(), self.mapped_bytes) };
    }
}

/// Nanoseconds on the clock that stamps the records.
pub(super) fn now_ns() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes one timespec; cannot fail for this clock.
    unsafe { libc::clock_gettime(CLOCK, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The clock that stamps the records: readable here, and the same on every CPU.
pub(super) const CLOCK: i32 = libc::CLOCK_MONOTONIC;

/// Bytes of a page of memory.
pub(super) fn page_bytes() -> usize {
    // SAFETY: takes an integer.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(bytes).unwrap_or(4096)
}

/// Makes calls that fail without doing anything, to see whether the tracepoints tell of them.
pub(super) fn harmless_calls(address: u64, length: u64, fd: i32) {
    // SAFETY: an address that isn't a page's is refused with EINVAL.
    unsafe { libc::syscall(libc::SYS_munmap, address, length) };
    // SAFETY: a negative descriptor is refused with EBADF.
    unsafe { libc::syscall(libc::SYS_close, fd) };
}
