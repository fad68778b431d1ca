//! What the kernel says of a process's memory at one moment.

mod weigher;

use serde::{Deserialize, Serialize};

use crate::process::ProcessError;
pub use weigher::Weigher;

/// A process's memory at one moment. All sizes are bytes.
///
/// Nothing here disturbs the process: its files below `/proc` are read from outside, so a parent
/// that weighs its child leaves the child's heap, faults and stack as they were.
///
/// # Which file says what
///
/// | figure | file | exactness |
/// |---|---|---|
/// | rss, private, swap | `smaps_rollup` | exact: the kernel walks the page tables |
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
