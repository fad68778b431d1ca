//! What the kernel tells of a process's memory: by its counters, or by a walk through the page tables.
//!
//! Reading a counter takes as long for a process of 20 GiB as for one of 2 MiB, and so can be done
//! while it stands still. But not every kernel's are exact: before Linux 6.2 each thread kept up to
//! 64 pages to itself, since then each processor does, and `/proc/PID/status` has had their sum
//! only since 6.17 (and where that was ported back). So this process looks whether its own are.
//!
//! # References
//! Linux commits `f1a7941243c1`, `82241a83cd15`; proc_pid_status(5)

use std::fs::File;
use std::hint::black_box;
use std::io;
use std::os::unix::fs::FileExt;

use proc_memory::{Status, page_size_bytes};

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
        Ok(Self { rss_bytes: field("VmRSS")?, swap_bytes: field("VmSwap")? })
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

/// More than the file has.
const MOST_BYTES: usize = 4096;

/// The memory that a process had when this was opened: once it has executed another program or
/// has ended, reading fails.
///
/// # References
/// proc_pid_smaps(5); `fs/proc/task_mmu.c` (`smaps_rollup_open`, `show_smaps_rollup`)
#[derive(Debug)]
pub(super) struct Rollup(File);

/// What it weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RollupWeight {
    pub(super) rss_bytes: u64,
    /// Of that, what no other process has mapped.
    pub(super) private_bytes: u64,
    pub(super) swap_bytes: u64,
}

impl Rollup {
    /// # Errors
    /// If there is no such process, or it may not be looked at.
    pub(super) fn open(pid: i32) -> io::Result<Self> {
        Ok(Self(File::open(format!("/proc/{pid}/smaps_rollup"))?))
    }

    /// Walks through its page tables now. The more is resident, the longer it takes.
    ///
    /// # Errors
    /// If the memory is nobody's any more.
    pub(super) fn weigh(&self) -> io::Result<RollupWeight> {
        let mut buffer = [0; MOST_BYTES];
        let length = self.0.read_at(&mut buffer, 0)?;
        let text = buffer.get(..length).unwrap_or_default();
        let field =
            |name: &[u8]| proc_memory::kib_field(text, name).ok_or(io::ErrorKind::InvalidData);
        Ok(RollupWeight {
            rss_bytes: field(b"Rss:")?,
            private_bytes: field(b"Private_Clean:")? + field(b"Private_Dirty:")?,
            swap_bytes: field(b"Swap:")?,
        })
    }
}

impl RollupWeight {
    /// What other processes have mapped, too.
    pub(super) fn shared_bytes(&self) -> u64 {
        self.rss_bytes.saturating_sub(self.private_bytes)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    #[cfg(target_arch = "x86_64")]
    use std::process::{Child, Command};

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
                .args(["--exact", "trim::weight::tests::alone"])
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

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn it_is_the_memory_of_one_program() {
        let sleeper = Sleeper::started();
        let rollup = Rollup::open(sleeper.pid()).unwrap();
        let weight = rollup.weigh().unwrap();
        assert!(weight.private_bytes > 0 && weight.rss_bytes >= weight.private_bytes);
        drop(sleeper);
        let error = rollup.weigh().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
    }

    /// A process that does nothing, for the tests of what weighs one; killed when it goes.
    #[cfg(target_arch = "x86_64")]
    pub(in crate::trim) struct Sleeper(Child);

    #[cfg(target_arch = "x86_64")]
    impl Sleeper {
        /// Starts it, and waits until it sleeps: before that its memory may still be another program's.
        pub(in crate::trim) fn started() -> Self {
            let sleeper = Self(Command::new("sleep").arg("60").spawn().unwrap());
            let sleeps = || {
                let stat = std::fs::read_to_string(format!("/proc/{}/stat", sleeper.pid()));
                let stat = stat.unwrap();
                let (comm, rest) = stat.rsplit_once(") ").unwrap();
                let call = std::fs::read_to_string(format!("/proc/{}/syscall", sleeper.pid()));
                let is_nap = call.is_ok_and(|call| call.starts_with("230 "));
                comm.ends_with("(sleep") && rest.starts_with('S') && is_nap
            };
            while !sleeps() {
                std::thread::yield_now();
            }
            sleeper
        }

        pub(in crate::trim) fn pid(&self) -> i32 {
            self.0.id() as i32
        }
    }

    #[cfg(target_arch = "x86_64")]
    impl Drop for Sleeper {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}
