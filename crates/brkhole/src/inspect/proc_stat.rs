//! What `/proc/PID/stat` says of a process, also to those who may not read its memory.
//!
//! # References
//! proc_pid_stat(5), whose field numbers are used here; `fs/proc/array.c` (`do_task_stat`).

use std::fs::{self, File};
use std::io::{self, Read};

/// `PF_KTHREAD` in field 9 (`include/linux/sched.h`).
const KERNEL_THREAD: u64 = 0x0020_0000;

/// Room for a line, so that two reads are enough.
const STAT_BYTES: usize = 1024;

/// What is needed of `stat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProcStat {
    pub(super) pid: i32,
    /// Field 2, without the parentheses.
    pub(super) comm: Vec<u8>,
    /// Field 4.
    pub(super) parent: i32,
    /// Field 9.
    flags: u64,
    /// Field 20.
    pub(super) threads: u64,
    /// Field 22: clock ticks from the machine's start to the process's.
    pub(super) started_ticks: u64,
    /// Field 24. The kernel keeps this count in pieces, so that it may be off by some pages for each
    /// processor.
    pub(super) rss_pages: u64,
}

impl ProcStat {
    /// Of the process that has this number now.
    ///
    /// # Errors
    ///
    /// When it can't be read, or isn't as proc(5) describes it.
    pub(super) fn of(pid: i32) -> io::Result<Self> {
        let mut line = Vec::with_capacity(STAT_BYTES);
        File::open(format!("/proc/{pid}/stat"))?.read_to_end(&mut line)?;
        let malformed = || io::Error::new(io::ErrorKind::InvalidData, "fields are missing");
        Self::parse(pid, &line).ok_or_else(malformed)
    }

    /// The command name for people and programs.
    pub(super) fn name(&self) -> String {
        String::from_utf8_lossy(&self.comm).into_owned()
    }

    /// Whether it is a thread of the kernel's own.
    pub(super) fn is_kernel_thread(&self) -> bool {
        self.flags & KERNEL_THREAD != 0
    }

    /// A name may hold spaces and parentheses; no later field does, so the last `)` ends it.
    fn parse(pid: i32, line: &[u8]) -> Option<Self> {
        let start = line.iter().position(|&byte| byte == b'(')? + 1;
        let end = line.iter().rposition(|&byte| byte == b')')?;
        let rest = std::str::from_utf8(line.get(end + 1..)?).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3).copied();
        Some(Self {
            pid,
            comm: line.get(start..end)?.to_owned(),
            parent: field(4)?.parse().ok()?,
            flags: field(9)?.parse().ok()?,
            threads: field(20)?.parse().ok()?,
            started_ticks: field(22)?.parse().ok()?,
            rss_pages: field(24)?.parse().ok()?,
        })
    }
}

/// The processes that are visible now, by number.
///
/// # Errors
///
/// When `/proc` can't be listed.
pub(super) fn all_pids() -> io::Result<Vec<i32>> {
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        pids.extend(name.to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    pids.sort_unstable();
    Ok(pids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_those_of_the_manual() {
        let rest =
            "R 17048 17048 15088 0 -1 4194304 99 0 3 0 0 0 0 0 20 0 7 0 119689 3133440 381 1";
        for name in ["cat", "a b", ") R 1 (", ""] {
            let line = format!("17054 ({name}) {rest}\n");
            let stat = ProcStat::parse(17054, line.as_bytes()).unwrap();
            assert_eq!(stat.comm, name.as_bytes());
            assert_eq!((stat.parent, stat.threads), (17048, 7));
            assert_eq!((stat.started_ticks, stat.rss_pages), (119_689, 381));
        }
        assert_eq!(ProcStat::parse(1, b"1 (cat) R 1"), None);
        assert_eq!(ProcStat::parse(1, b") ("), None);
    }

    #[test]
    fn this_process_is_among_all() {
        let own = std::process::id() as i32;
        assert!(all_pids().unwrap().contains(&own));
        let stat = ProcStat::of(own).unwrap();
        assert!(stat.rss_pages > 0 && stat.started_ticks > 0);
    }
}
