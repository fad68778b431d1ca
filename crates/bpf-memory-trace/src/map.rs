//! What programs and this process share.
//!
//! # Safety
//! The kernel reads and writes as many bytes as a map's keys and values have. They are made here
//! alone, of the sizes that belong to their kind.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use crate::sys::map as sys;

/// A map. It goes with its last descriptor, and when all programs that use it are gone.
///
/// # References
/// bpf(2), `BPF_MAP_CREATE`; `Documentation/bpf/maps.rst`
#[derive(Debug)]
pub struct Map {
    fd: OwnedFd,
    name: &'static str,
    kind: MapKind,
}

/// What a map is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MapKind {
    /// A byte for each number that a process can have: an array entry (`BPF_MAP_TYPE_ARRAY`,
    /// `BPF_F_MMAPABLE`). A program finds its process's without a helper, and there is always room for
    /// one more.
    PidFlags,
    /// A counter of 64 bits: one array entry (`BPF_MAP_TYPE_ARRAY`).
    Counter,
    /// One cgroup of version 2 (`BPF_MAP_TYPE_CGROUP_ARRAY`).
    Cgroup,
    /// Records on their way to this process (`BPF_MAP_TYPE_RINGBUF`).
    RingBuffer {
        /// A power of two, at least a page.
        bytes: u32,
    },
}

/// How many numbers there are for processes, a power of two. Older kernels take no larger value of an
/// array.
///
/// # References
/// `include/linux/threads.h`, `PID_MAX_LIMIT`; `kernel/bpf/arraymap.c`, `array_map_alloc_check`
pub const PIDS: u32 = 4 << 20;

/// `BPF_F_MMAPABLE`
const MMAPABLE: u32 = 1 << 10;

impl Map {
    /// Makes it. Programs [name](crate::Assembler::map) it so; the kernel keeps 15 bytes of that.
    ///
    /// # Errors
    /// Neither `CAP_BPF` nor `CAP_SYS_ADMIN`; no memory; a kernel without bpf(2).
    pub fn new(name: &'static str, kind: MapKind) -> io::Result<Self> {
        let (number, key_bytes, value_bytes, entries, flags) = match kind {
            MapKind::PidFlags => (2, 4, PIDS, 1, MMAPABLE),
            MapKind::Counter => (2, 4, 8, 1, 0),
            MapKind::Cgroup => (8, 4, 4, 1, 0),
            MapKind::RingBuffer { bytes } => (27, 0, 0, bytes, 0),
        };
        let shape = sys::MapShape { kind: number, key_bytes, value_bytes, entries, flags };
        let fd = sys::create(shape, name)?;
        Ok(Self { fd, name, kind })
    }

    /// What programs call it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it is.
    pub fn kind(&self) -> MapKind {
        self.kind
    }

    /// Has the [cgroup](MapKind::Cgroup) be the one of this directory; `None`: none.
    ///
    /// # Errors
    /// `EBADF`: it is no directory of a cgroup of version 2. `EINVAL`: this is another kind of map.
    pub fn set_cgroup(&self, directory: Option<BorrowedFd<'_>>) -> io::Result<()> {
        self.must_be(self.kind == MapKind::Cgroup)?;
        let Some(directory) = directory else {
            // SAFETY: its keys have four bytes.
            return match unsafe { sys::delete(self.as_fd(), 0) } {
                Err(error) if error.raw_os_error() != Some(libc::ENOENT) => Err(error),
                _ => Ok(()),
            };
        };
        // SAFETY: its keys and values have four bytes.
        unsafe { sys::update(self.as_fd(), 0, directory.as_raw_fd().cast_unsigned()) }
    }

    /// What a [counter](MapKind::Counter) has come to.
    ///
    /// # Errors
    /// `EINVAL`: it is none.
    pub fn counter(&self) -> io::Result<u64> {
        self.must_be(self.kind == MapKind::Counter)?;
        // SAFETY: its keys have four bytes, its values eight.
        unsafe { sys::lookup(self.as_fd(), 0) }
    }

    pub(super) fn must_be(&self, right: bool) -> io::Result<()> {
        match right {
            true => Ok(()),
            false => Err(io::Error::from_raw_os_error(libc::EINVAL)),
        }
    }
}

impl AsFd for Map {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
