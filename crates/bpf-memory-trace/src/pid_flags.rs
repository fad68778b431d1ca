//! A byte for each process, written by programs and by this process.
//!
//! # References
//! `kernel/bpf/arraymap.c`, `array_map_mmap`

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicU8, Ordering};

use memmap2::{MmapOptions, MmapRaw};

use crate::map::{Map, MapKind, PIDS};

/// Bytes that are mapped at a time, a divisor of [`PIDS`]: all of them would count as resident.
const WINDOW_BYTES: u32 = 64 << 10;

/// A [map](MapKind::PidFlags) of a byte for each number that a process can have, at first 0.
///
/// A program finds its process's byte without a helper, and there is always room for one more.
#[derive(Debug)]
pub struct PidFlags {
    map: Map,
}

impl PidFlags {
    /// Makes the map.
    ///
    /// # Errors
    /// Those of [`Map::new`].
    pub fn new(name: &'static str) -> io::Result<Self> {
        Map::new(name, MapKind::PidFlags).map(|map| Self { map })
    }

    /// What programs are loaded with.
    pub fn map(&self) -> &Map {
        &self.map
    }

    /// Has the process's byte be this.
    ///
    /// # Errors
    /// `ESRCH`: no process can have that number. `ENOMEM`: no memory to map it.
    pub fn set(&self, pid: u32, flags: u8) -> io::Result<()> {
        if pid >= PIDS {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        let window = self.window(pid / WINDOW_BYTES)?;
        bytes(&window)[(pid % WINDOW_BYTES) as usize].store(flags, Ordering::Relaxed);
        Ok(())
    }

    /// Has all bytes be 0, those that programs write meanwhile included.
    ///
    /// # Errors
    /// `ENOMEM`: no memory to map them.
    pub fn clear(&self) -> io::Result<()> {
        let is_set = |byte: &&AtomicU8| byte.load(Ordering::Relaxed) != 0;
        let mut found = true;
        while found {
            found = false;
            for number in 0..PIDS / WINDOW_BYTES {
                let window = self.window(number)?;
                for byte in bytes(&window).iter().filter(is_set) {
                    byte.store(0, Ordering::Relaxed);
                    found = true;
                }
            }
        }
        Ok(())
    }

    fn window(&self, number: u32) -> io::Result<MmapRaw> {
        MmapOptions::new()
            .offset(u64::from(number * WINDOW_BYTES))
            .len(WINDOW_BYTES as usize)
            .map_raw(self.map.as_fd().as_raw_fd())
    }
}

fn bytes(window: &MmapRaw) -> &[AtomicU8] {
    // SAFETY: so many bytes, mapped as long as `window` is; the kernel writes single ones, too.
    unsafe { std::slice::from_raw_parts(window.as_ptr().cast(), window.len()) }
}
