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
    /// Numbers of 32 bits by numbers of 32 bits (`BPF_MAP_TYPE_HASH`).
    Hash {
        /// How many at most. Memory for all of them is taken at once.
        entries: u32,
    },
    /// Four counters of 64 bits: one array entry (`BPF_MAP_TYPE_ARRAY`).
    Counters,
    /// One cgroup of version 2 (`BPF_MAP_TYPE_CGROUP_ARRAY`).
    Cgroup,
    /// Records on their way to this process (`BPF_MAP_TYPE_RINGBUF`).
    RingBuffer {
        /// A power of two, at least a page.
        bytes: u32,
    },
}

/// How many counters there are.
const COUNTERS: usize = 4;

impl Map {
    /// Makes it. Programs [name](crate::Assembler::map) it so; the kernel keeps 15 bytes of that.
    ///
    /// # Errors
    /// Neither `CAP_BPF` nor `CAP_SYS_ADMIN`; no memory; a kernel without bpf(2).
    pub fn new(name: &'static str, kind: MapKind) -> io::Result<Self> {
        let counters_bytes = COUNTERS as u32 * 8;
        let (number, key, value, entries) = match kind {
            MapKind::Hash { entries } => (1, 4, 4, entries),
            MapKind::Counters => (2, 4, counters_bytes, 1),
            MapKind::Cgroup => (8, 4, 4, 1),
            MapKind::RingBuffer { bytes } => (27, 0, 0, bytes),
        };
        let fd = sys::create(number, key, value, entries, name)?;
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

    /// Has the key's value be this, in a [hash](MapKind::Hash).
    ///
    /// # Errors
    /// `E2BIG`: it is full. `EINVAL`: it is no hash.
    pub fn insert(&self, key: u32, value: u32) -> io::Result<()> {
        self.must_be(matches!(self.kind, MapKind::Hash { .. }))?;
        // SAFETY: a hash, whose keys and values have four bytes.
        unsafe { sys::update(self.as_fd(), key, value) }
    }

    /// Removes the key from a [hash](MapKind::Hash); whether it was there.
    ///
    /// # Errors
    /// `EINVAL`: it is no hash.
    pub fn remove(&self, key: u32) -> io::Result<bool> {
        self.must_be(matches!(self.kind, MapKind::Hash { .. }))?;
        // SAFETY: a hash, whose keys have four bytes.
        match unsafe { sys::delete(self.as_fd(), key) } {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
            removed => removed.map(|()| true),
        }
    }

    /// Removes all keys from a [hash](MapKind::Hash), those that come meanwhile included.
    ///
    /// # Errors
    /// `EINVAL`: it is no hash.
    pub fn clear(&self) -> io::Result<()> {
        self.must_be(matches!(self.kind, MapKind::Hash { .. }))?;
        // SAFETY: a hash, whose keys have four bytes.
        while let Some(key) = unsafe { sys::any_key(self.as_fd()) }? {
            self.remove(key)?;
        }
        Ok(())
    }

    /// The [counters](MapKind::Counters).
    ///
    /// # Errors
    /// `EINVAL`: it has none.
    pub fn counters(&self) -> io::Result<[u64; COUNTERS]> {
        self.must_be(self.kind == MapKind::Counters)?;
        // SAFETY: its keys have four bytes, its values so many counters of eight.
        unsafe { sys::lookup(self.as_fd(), 0) }
    }

    fn must_be(&self, right: bool) -> io::Result<()> {
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
