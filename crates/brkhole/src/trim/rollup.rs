//! A process's memory, for which the kernel walks its page tables.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

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

    /// Weighs it now. The more is resident, the longer it takes.
    ///
    /// # Errors
    /// If the memory is nobody's any more.
    pub(super) fn weigh(&self) -> io::Result<RollupWeight> {
        let mut buffer = [0; MOST_BYTES];
        let length = self.0.read_at(&mut buffer, 0)?;
        let text = buffer.get(..length).unwrap_or_default();
        let field = |name: &[u8]| procmem::kib_field(text, name).ok_or(io::ErrorKind::InvalidData);
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

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use crate::trim::sleeper::Sleeper;

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
}
