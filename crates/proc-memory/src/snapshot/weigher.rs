//! Weighing one process again and again.

use std::fs::File;

use super::Snapshot;
use crate::address_space::Mappings;
use crate::process::{Process, ProcessError, Reason, Stat, kib_field, reread};

/// A process that may exec while it is being read is read again so many times.
const ATTEMPTS: usize = 5;

/// Weighs one process as often as wanted; after the first time nothing is allocated but a few KiB
/// for reading `maps`.
///
/// It holds on to the process itself, not to its number: when the process has ended, weighing
/// fails, also if another one has its pid by then (see [`Process`]).
///
/// `stat` and `status` stay open between weighings. `smaps_rollup` and `maps` are opened each time,
/// because the kernel binds an open one to the memory that the process had at that moment: after an
/// exec it would no longer be this process's, and after vfork and exec it would silently be the
/// parent's (`proc_mem_open` in `fs/proc/base.c`).
#[derive(Debug)]
pub struct Weigher {
    process: Process,
    status: File,
    buffer: Vec<u8>,
}

impl Weigher {
    /// Takes hold of the process that has the number `pid` now.
    ///
    /// # Errors
    /// When there is no such process or its files cannot be opened.
    pub fn open(pid: i32) -> Result<Self, ProcessError> {
        Self::new(Process::open(pid)?)
    }

    /// As [`open`](Self::open), for a process that is already held.
    ///
    /// # Errors
    /// When the process has ended or its files cannot be opened.
    pub fn new(process: Process) -> Result<Self, ProcessError> {
        Ok(Self { status: process.file("status")?, process, buffer: Vec::new() })
    }

    /// The process that is weighed.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Weighs the process now.
    ///
    /// The cost grows with the memory that is resident, since the kernel walks the page tables for
    /// `smaps_rollup`; the process itself is not stopped, only its mapping calls may wait.
    ///
    /// # Errors
    /// The error names process, file, reason and what helps: no permission, no such file in this
    /// kernel, a kernel thread, a zombie, or a process that has ended.
    pub fn weigh(&mut self) -> Result<Snapshot, ProcessError> {
        for _ in 0..ATTEMPTS {
            let image = self.process.stat()?.image;
            match self.weigh_once() {
                // An exec in between: the figures would belong to two programs.
                Ok((_, stat)) if stat.image != image => {}
                Ok((snapshot, _)) => return Ok(snapshot),
                // The memory that was just opened is no longer the process's.
                Err(error) if is_exec(&error) => {}
                Err(error) => return Err(error),
            }
        }
        let (pid, file) = (self.process.pid(), "smaps_rollup");
        Err(ProcessError::new(pid, file, Reason::KeepsChanging))
    }

    fn weigh_once(&mut self) -> Result<(Snapshot, Stat), ProcessError> {
        let Self { process, status, buffer } = self;

        let rollup = process.file("smaps_rollup")?;
        reread(&rollup, buffer).map_err(|error| process.explain("smaps_rollup", error))?;
        let field = |name: &'static str| {
            kib_field(buffer, name.as_bytes())
                .ok_or_else(|| process.malformed("smaps_rollup", name))
        };
        let rss_bytes = field("Rss:")?;
        let pss_bytes = field("Pss:")?;
        let private_dirty_bytes = field("Private_Dirty:")?;
        let private_bytes = field("Private_Clean:")?.saturating_add(private_dirty_bytes);
        let swap_bytes = field("Swap:")?;

        reread(status, buffer).map_err(|error| process.explain("status", error))?;
        let field = |name: &'static str| {
            // A process without memory has no such lines: it ended after the rollup was read.
            kib_field(buffer, name.as_bytes()).ok_or_else(|| process.without_memory("status"))
        };
        let peak_rss_bytes = field("VmHWM:")?.max(rss_bytes);
        let address_space_bytes = field("VmSize:")?;

        let stat = process.stat()?;
        let maps = Mappings::of(process)?.program_break(stat.start_brk());
        let heap = maps.map_err(|error| error.of(process))?;
        let heap_segment_bytes = heap.map_or(0, |heap| heap.end - heap.start);

        let snapshot = Snapshot {
            rss_bytes,
            pss_bytes,
            private_bytes,
            private_dirty_bytes,
            swap_bytes,
            peak_rss_bytes,
            address_space_bytes,
            heap_segment_bytes,
            minor_faults: stat.minor_faults,
            major_faults: stat.major_faults,
            threads: stat.threads,
        };
        Ok((snapshot, process.stat()?))
    }
}

/// Whether a living process answered "no such process": what an open `smaps_rollup` says once an
/// exec has put other memory in the place of that which it was opened for.
fn is_exec(error: &ProcessError) -> bool {
    matches!(&error.reason, Reason::Io(error) if error.raw_os_error() == Some(libc::ESRCH))
}
