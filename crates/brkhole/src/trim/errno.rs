//! A thread's `errno`, which the call must leave as it was.
//!
//! What is called fails at pages that are locked into memory, and then sets `errno` in the thread that
//! happened to call it. That thread may have been interrupted between a call of its own that failed
//! and the moment at which it looks at why.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use anyhow::Context;
use remote_call::{Call, Held};

/// Where it is, and what it was.
pub(super) struct Errno {
    memory: File,
    address: u64,
    value: [u8; 4],
}

impl Errno {
    /// Has the thread that makes this call of `__errno_location` tell where its `errno` is, and reads it.
    ///
    /// # Errors
    /// If the call fails, or the process's memory can't be written to.
    pub(super) fn of(held: &Held, location: &Call<'_>, patience: Duration) -> anyhow::Result<Self> {
        let memory = OpenOptions::new()
            .read(true)
            .write(true)
            .open(format!("/proc/{}/mem", held.pid()))
            .context("can't open its memory")?;
        let address = held.make(location, patience)?.value;
        let mut value = [0; 4];
        memory.read_exact_at(&mut value, address).context("can't read its errno")?;
        Ok(Self { memory, address, value })
    }

    /// Writes the old value, if it is another one now.
    ///
    /// # Errors
    /// If the process's memory can't be written to any more.
    pub(super) fn restore(&self) -> io::Result<()> {
        let mut now = [0; 4];
        self.memory.read_exact_at(&mut now, self.address)?;
        if now != self.value {
            self.memory.write_all_at(&self.value, self.address)?;
        }
        Ok(())
    }
}
