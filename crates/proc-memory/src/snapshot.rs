//! What the kernel says of a process's memory at one moment.

use std::fs::File;

use serde::{Deserialize, Serialize};

use crate::address_space::Mappings;
use crate::process::{Process, ProcessError, Reason, Stat, kib_field, reread};

/// A process's memory at one moment. All sizes are bytes.
///
/// Nothing here disturbs the process: its files below `/proc` are read from outside, so a parent
/// that weighs its child leaves the child's heap, faults and stack as they were.
///
/// # Which file says what
///
/// | figure | file | exactness |
/// |---|---|---|
/// | rss, private, swap, huge pages | `smaps_rollup` | exact: the kernel walks the page tables |
/// | pss | `smaps_rollup` | rounded down to 1 KiB |
/// | peak rss | `status`, `VmHWM` | see [`Snapshot::peak_rss_bytes`] |
/// | address space | `status`, `VmSize` | exact |
/// | heap segment | `maps` | exact to a page |
/// | faults, threads | `stat` | exact |
///
/// `VmRSS` of `status` is not used: since Linux 6.2 the counters behind it are kept per CPU and may
/// be summed only roughly, so that a small process shows tens of KiB too much or too little (commit
/// `f1a7941243c1`).
///
/// The files are read one after the other, not in one instant. Weigh a process that is stopped or
/// waiting when the figures must belong together.
///
/// ```
/// use proc_memory::Snapshot;
///
/// let before = Snapshot::of(std::process::id() as i32)?;
/// let block = vec![1_u8; 8 << 20];
/// let after = Snapshot::of(std::process::id() as i32)?;
/// assert!(after.rss_bytes >= before.rss_bytes + (8 << 20));
/// # drop(block);
/// # Ok::<(), proc_memory::ProcessError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// Resident pages, shared ones counted in full. Huge pages from hugetlbfs are not in it.
    pub rss_bytes: u64,
    /// Resident pages, each divided by the number of processes that map it. The kernel rounds the
    /// sum down to 1 KiB.
    pub pss_bytes: u64,
    /// Resident pages that no other process maps, clean and dirty. A page still shared with a
    /// parent after a fork is not private yet; a page of a program or library stops being so when
    /// another process maps it.
    pub private_bytes: u64,
    /// The part of [`private_bytes`](Self::private_bytes) that has been written to: what the
    /// machine would get back if this process ended, apart from its swap.
    pub private_dirty_bytes: u64,
    /// Pages written out to swap, those shared with others counted in full.
    pub swap_bytes: u64,
    /// The part of [`rss_bytes`](Self::rss_bytes) that is in transparent huge pages, of memory that is no
    /// file's. `None` where the kernel doesn't tell, or a file that was written by an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anon_huge_bytes: Option<u64>,
    /// Huge pages from hugetlbfs (`MAP_HUGETLB`, `SHM_HUGETLB`), which are in no other figure here but
    /// the address space. `None` likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hugetlb_bytes: Option<u64>,
    /// The greatest rss since the last exec (`VmHWM`), and never less than
    /// [`rss_bytes`](Self::rss_bytes).
    ///
    /// It belongs to this program alone: unlike `ru_maxrss` it is neither inherited from a parent
    /// across exec nor the maximum over all children. The kernel notes a peak when memory shrinks,
    /// from counters that are rough since Linux 6.2, so that a peak which has passed may be short
    /// by up to about 32 pages per CPU and kind of page. Between two weighings nothing is missed
    /// otherwise.
    pub peak_rss_bytes: u64,
    /// All mappings, resident or not (`VmSize`).
    pub address_space_bytes: u64,
    /// From the start of the heap to the program break, in whole pages; 0 when the break never
    /// moved. What malloc took by mmap is not in it.
    pub heap_segment_bytes: u64,
    /// Page faults since the process began that needed no disk, all threads. An exec does not
    /// reset them.
    pub minor_faults: u64,
    /// Page faults since the process began that waited for a disk, all threads.
    pub major_faults: u64,
    /// Threads.
    pub threads: u64,
}

impl Snapshot {
    /// Weighs the process that has the number `pid` now. To weigh one process repeatedly, keep a
    /// [`Weigher`].
    ///
    /// # Errors
    /// When any of the figures cannot be had: see [`Weigher::weigh`]. None is ever replaced by 0.
    pub fn of(pid: i32) -> Result<Self, ProcessError> {
        Weigher::open(pid)?.weigh()
    }
}

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
        let anon_huge_bytes = kib_field(buffer, b"AnonHugePages:");
        let hugetlb_bytes = hugetlb_bytes(buffer);

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
            anon_huge_bytes,
            hugetlb_bytes,
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

fn hugetlb_bytes(rollup: &[u8]) -> Option<u64> {
    let field = |name: &[u8]| kib_field(rollup, name);
    Some(field(b"Private_Hugetlb:")?.saturating_add(field(b"Shared_Hugetlb:")?))
}

/// Whether a living process answered "no such process": what an open `smaps_rollup` says once an
/// exec has put other memory in the place of that which it was opened for.
fn is_exec(error: &ProcessError) -> bool {
    matches!(&error.reason, Reason::Io(error) if error.raw_os_error() == Some(libc::ESRCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_hugetlbfs_are_private_or_shared() {
        const ROLLUP: &[u8] = b"7f2199200000-7ffc8d9f1000 ---p 00000000 00:00 0    [rollup]\n\
            Rss:               13640 kB\n\
            AnonHugePages:      6144 kB\n\
            Shared_Hugetlb:     2048 kB\n\
            Private_Hugetlb:   65536 kB\n\
            Swap:                  0 kB\n";
        assert_eq!(hugetlb_bytes(ROLLUP), Some(66 << 20));
        assert_eq!(hugetlb_bytes(b"Rss: 4 kB\nPrivate_Hugetlb: 2048 kB\n"), None);
    }
}
