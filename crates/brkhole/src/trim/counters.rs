//! What the kernel has counted of a process's memory.
//!
//! Reading a counter takes as long for a process of 20 GiB as for one of 2 MiB, and so can be done
//! while it stands still. But not every kernel's are exact: before Linux 6.2 each thread kept up to
//! 64 pages to itself, since then each processor does, and `/proc/PID/status` has had their sum
//! only since 6.17 (and where that was ported back). So this process looks whether its own are.
//!
//! # References
//! Linux commits `f1a7941243c1`, `82241a83cd15`; proc_pid_status(5)

use std::hint::black_box;
use std::io;

use procmem::Status;
use procmem::page_size_bytes;

/// Pages that have to be counted one by one, in a row. Where counters are kept in parts they stay
/// as they are for some 30 pages, and then rise by as many.
const IN_A_ROW: usize = 4;
/// Something else in this process may get a page in the middle of that.
const TRIES: usize = 16;

/// A process's memory by the kernel's counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counters {
    pub(super) rss_bytes: u64,
    /// Private memory that was written to swap.
    pub(super) swap_bytes: u64,
}

impl Counters {
    /// Reads them.
    ///
    /// # Errors
    /// If there is no such process, or it has no memory any more.
    pub(super) fn of(pid: i32) -> io::Result<Self> {
        let status = Status::of(pid)?;
        let field = |name| status.bytes(name).ok_or(io::ErrorKind::NotFound);
        Ok(Self {
            rss_bytes: field("VmRSS")?,
            swap_bytes: field("VmSwap")?,
        })
    }
}

/// Whether the kernel's counters are exact to the page: those of this process have to rise by one
/// page whenever it gets one. `false` also if that couldn't be seen (a kernel that gives several
/// pages at once).
pub(super) fn are_exact() -> bool {
    let page_bytes = page_size_bytes() as usize;
    // So much comes from the kernel, which has given no page of it yet.
    let mut memory = vec![0_u8; (TRIES * IN_A_ROW + 1) * page_bytes];
    let mut untouched = memory.chunks_exact_mut(page_bytes);
    (0..TRIES).any(|_| (0..IN_A_ROW).all(|_| is_counted(untouched.next(), page_bytes as u64)))
}

/// Whether a page that is written to for the first time is counted at once.
fn is_counted(page: Option<&mut [u8]>, page_bytes: u64) -> bool {
    let own = || Some(Counters::of(std::process::id() as i32).ok()?.rss_bytes);
    let before = own();
    if let Some(first) = page.and_then(<[u8]>::first_mut) {
        *black_box(first) = 1;
    }
    let after = own();
    matches!((before, after), (Some(before), Some(after)) if after == before + page_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Has a second copy of this program look: in a process whose other tests have given memory
    /// back, what is asked of malloc needn't be fresh.
    const VARIABLE: &str = "BRKHOLE_TEST_COUNTERS";

    #[test]
    fn alone() {
        if std::env::var_os(VARIABLE).is_some() {
            assert!(are_exact());
        }
    }

    #[test]
    fn they_are_exact_since_6_17() {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        let mut numbers = release.split(|letter: char| !letter.is_ascii_digit());
        let mut number = || numbers.next().unwrap().parse::<u32>().unwrap();
        if (number(), number()) >= (6, 17) {
            let copy = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "trim::counters::tests::alone"])
                .env(VARIABLE, "1")
                .output()
                .unwrap();
            let told = String::from_utf8_lossy(&copy.stdout);
            assert!(copy.status.success(), "{release}: {told}");
            assert!(told.contains("1 passed"), "{told}");
        }
    }

    #[test]
    fn a_process_without_memory_has_none() {
        let gone = Counters::of(i32::MAX).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
        let kernel = Counters::of(2);
        assert!(kernel.is_err(), "a thread of the kernel, or nobody");
    }
}
