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

impl Map {
    /// Has a process's byte be this, in a map of [flags](MapKind::PidFlags).
    ///
    /// # Errors
    /// `EINVAL`: it has none. `ESRCH`: no process can have that number. `ENOMEM`: no memory to map it.
    pub fn set_flags(&self, pid: u32, flags: u8) -> io::Result<()> {
        if pid >= PIDS {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        let window = self.window(pid / WINDOW_BYTES)?;
        bytes(&window)[(pid % WINDOW_BYTES) as usize].store(flags, Ordering::Relaxed);
        Ok(())
    }

    /// Has the bytes of all processes be 0, those that programs write meanwhile included.
    ///
    /// # Errors
    /// `EINVAL`: it is no map of [flags](MapKind::PidFlags). `ENOMEM`: no memory to map them.
    pub fn clear_flags(&self) -> io::Result<()> {
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
        self.must_be(self.kind() == MapKind::PidFlags)?;
        MmapOptions::new()
            .offset(u64::from(number * WINDOW_BYTES))
            .len(WINDOW_BYTES as usize)
            .map_raw(self.as_fd().as_raw_fd())
    }
}

fn bytes(window: &MmapRaw) -> &[AtomicU8] {
    // SAFETY: so many bytes, mapped as long as `window` is; the kernel writes single ones, too.
    unsafe { std::slice::from_raw_parts(window.as_ptr().cast(), window.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(map: &Map) -> Vec<(u32, u8)> {
        let windows = (0..PIDS / WINDOW_BYTES).map(|number| (number, map.window(number).unwrap()));
        let set = windows.flat_map(|(number, window)| {
            let flags = bytes(&window).iter().map(|byte| byte.load(Ordering::Relaxed));
            let pids = (number * WINDOW_BYTES..).zip(flags);
            pids.filter(|(_, flags)| *flags != 0).collect::<Vec<_>>()
        });
        set.collect()
    }

    #[test]
    fn each_process_has_its_own_up_to_the_greatest_number() {
        let map = match Map::new("flags", MapKind::PidFlags) {
            Ok(map) => map,
            Err(error) => return suite::skipped(format_args!("no maps: {error}")),
        };
        let all = [(1, 1), (WINDOW_BYTES - 1, 2), (WINDOW_BYTES, 3), (PIDS - 1, 255)];
        for (pid, flags) in all {
            map.set_flags(pid, flags).unwrap();
        }
        assert_eq!(set(&map), all);
        map.set_flags(WINDOW_BYTES, 0).unwrap();
        assert_eq!(set(&map).len(), 3);
        map.clear_flags().unwrap();
        assert_eq!(set(&map), []);
        assert_eq!(map.set_flags(PIDS, 1).unwrap_err().raw_os_error(), Some(libc::ESRCH));
        let counter = Map::new("counter", MapKind::Counter).unwrap();
        assert_eq!(counter.set_flags(1, 1).unwrap_err().raw_os_error(), Some(libc::EINVAL));
        assert_eq!(counter.clear_flags().unwrap_err().raw_os_error(), Some(libc::EINVAL));
    }
}
