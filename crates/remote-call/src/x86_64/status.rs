//! What `/proc` says of a process and its threads, and what forbids to hold it.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

use crate::{Error, Options};

/// Fields of `/proc/PID/status`.
///
/// # References
///
/// proc_pid_status(5); `x86_Thread_features`: Linux 6.6, `arch/x86/kernel/cpu/proc.c`
#[derive(Debug)]
pub(super) struct Status(String);

impl Status {
    /// Of a process; `None` if it isn't there.
    pub(super) fn of(pid: i32) -> Option<Self> {
        Self::read(&format!("/proc/{pid}/status"))
    }

    /// Of a thread; `None` if it isn't there.
    pub(super) fn of_thread(pid: i32, tid: i32) -> Option<Self> {
        Self::read(&format!("/proc/{pid}/task/{tid}/status"))
    }

    fn read(path: &str) -> Option<Self> {
        // The name may be any bytes.
        let bytes = fs::read(path).ok()?;
        Some(Self(String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn field(&self, name: &str) -> &str {
        let mut lines = self.0.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.unwrap_or_default().trim()
    }

    fn number(&self, name: &str) -> i32 {
        let first = self.field(name).split_whitespace().next();
        first.and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    /// `R`, `S`, `D`, `T`, `t`, `Z`, `X` …
    pub(super) fn state(&self) -> char {
        self.field("State").chars().next().unwrap_or('?')
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(self.state(), 'Z' | 'X')
    }

    /// The thread that traces it, 0 for none (or none that is visible here).
    pub(super) fn tracer(&self) -> i32 {
        self.number("TracerPid")
    }

    pub(super) fn has_shadow_stack(&self) -> bool {
        let mut features = self.field("x86_Thread_features").split_whitespace();
        features.any(|feature| feature == "shstk")
    }

    /// The signals that have handlers, and those that have come and wait, for the thread or its
    /// process. `None` if that isn't told.
    pub(super) fn signals_in_use(&self) -> Option<u64> {
        let sets = ["SigCgt", "SigPnd", "ShdPnd"];
        let mut sets = sets
            .into_iter()
            .map(|name| u64::from_str_radix(self.field(name), 16));
        sets.try_fold(0, |all, set| Some(all | set.ok()?))
    }

    pub(super) fn has_seccomp(&self) -> bool {
        self.number("Seccomp") != 0
    }
}

/// Whether a process can be held, as far as that shows before.
pub(super) fn check(pid: i32, options: &Options) -> Result<(), Error> {
    if pid == std::process::id() as i32 {
        return Err(Error::Own { pid });
    }
    let status = (pid > 0).then(|| Status::of(pid)).flatten();
    let status = status.ok_or(Error::NoSuchProcess { pid })?;
    let process = status.number("Tgid");
    if process != pid {
        return Err(Error::IsThread {
            tid: pid,
            pid: process,
        });
    }
    // The first thread may have ended before the others.
    if status.has_ended() && status.number("Threads") <= 1 {
        return Err(Error::Zombie { pid });
    }
    if is_kernel_thread(pid) {
        return Err(Error::KernelThread { pid });
    }
    let tracer = status.tracer();
    if tracer != 0 {
        return Err(traced(pid, tracer));
    }
    if status.state() == 'T' {
        return Err(Error::Stopped { pid });
    }
    if status.has_shadow_stack() {
        return Err(Error::ShadowStack { pid, tid: pid });
    }
    if status.has_seccomp() && !options.allow_seccomp {
        return Err(Error::Seccomp { pid });
    }
    Ok(())
}

/// Why `PTRACE_SEIZE` was refused for a thread that is there.
pub(super) fn refused(pid: i32, tid: i32, source: io::Error) -> Error {
    let tracer = Status::of_thread(pid, tid).map_or(0, |status| status.tracer());
    if tracer != 0 {
        return traced(pid, tracer);
    }
    let setting = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope");
    let remedy = match setting.as_deref().map(str::trim) {
        Ok("3") => "kernel.yama.ptrace_scope is 3, so nobody can, until the next boot".into(),
        Ok(level @ ("1" | "2")) => {
            format!("kernel.yama.ptrace_scope is {level}; run this with sudo")
        }
        _ => "it belongs to another user or has privileges; run this with sudo (in a container, \
              the capability SYS_PTRACE is needed)"
            .into(),
    };
    Error::NotPermitted {
        pid,
        remedy,
        source,
    }
}

/// `tracer` is a thread.
fn traced(pid: i32, tracer: i32) -> Error {
    let process = Status::of(tracer).map(|status| status.number("Tgid"));
    let tracer = process.unwrap_or(tracer);
    let name = fs::read_to_string(format!("/proc/{tracer}/comm"));
    Error::Traced {
        pid,
        tracer,
        name: name.map_or("?".into(), |name| name.trim().into()),
    }
}

/// By the flag `PF_KTHREAD` in `stat`; `status` says so since Linux 6.8 only.
fn is_kernel_thread(pid: i32) -> bool {
    const PF_KTHREAD: u64 = 0x0020_0000;
    let stat = fs::read(format!("/proc/{pid}/stat")).unwrap_or_default();
    let stat = String::from_utf8_lossy(&stat);
    // The name, in parentheses, may hold anything. Behind it: state, parent, group, session,
    // terminal, its group, flags.
    let flags = stat.rsplit_once(')').and_then(|(_, rest)| {
        let value = rest.split_whitespace().nth(6)?;
        value.parse::<u64>().ok()
    });
    flags.is_some_and(|flags| flags & PF_KTHREAD != 0)
}

/// The numbers of a process's threads in the order of their birth, and whether none is missing.
///
/// The list ends early, without a word, where a thread is released while the kernel goes on from
/// it to the next. One that was there before the threads were counted and isn't in a list which
/// is cut so was born after all in it: then the list is shorter than that count.
///
/// # References
/// `next_tid`, `proc_task_readdir` and `proc_task_getattr` in Linux 6.18's `fs/proc/base.c`
pub(super) fn threads(pid: i32) -> (Vec<i32>, bool) {
    let path = format!("/proc/{pid}/task");
    let links = fs::metadata(&path).map_or(0, |task| task.nlink());
    let count = links.saturating_sub(2) as usize;
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let threads: Vec<_> = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    let whole = threads.len() >= count;
    (threads, whole)
}

/// Whether a thread of this process traces a thread.
pub(super) fn is_traced_by_us(pid: i32, tid: i32) -> bool {
    let tracer = Status::of_thread(pid, tid).map_or(0, |status| status.tracer());
    tracer != 0 && fs::exists(format!("/proc/self/task/{tracer}")).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        let text = "Name:\ta\nState:\tS (sleeping)\nTgid:\t12\nTracerPid:\t0\nSeccomp:\t2\n\
                    Seccomp_filters:\t1\nx86_Thread_features:\tshstk wrss \n";
        let status = Status(text.into());
        assert_eq!((status.state(), status.number("Tgid")), ('S', 12));
        assert!(status.has_shadow_stack() && status.has_seccomp() && !status.has_ended());
        let status = Status("State:\tZ (zombie)\nx86_Thread_features:\t\nSeccomp:\t0\n".into());
        assert!(status.has_ended() && !status.has_shadow_stack() && !status.has_seccomp());
    }

    #[test]
    fn signals() {
        let status = Status(
            "SigPnd:\t0000000000000001\nShdPnd:\t0000000000000100\n\
                             SigBlk:\tffffffffffffffff\nSigCgt:\t0000000180000000\n"
                .into(),
        );
        assert_eq!(status.signals_in_use(), Some(0x1_8000_0101));
        assert_eq!(
            Status("SigPnd:\t0\nSigCgt:\t0\n".into()).signals_in_use(),
            None
        );
    }

    #[test]
    fn this_process_and_its_threads() {
        let pid = std::process::id() as i32;
        assert!(threads(pid).0.contains(&pid));
        assert!(!is_kernel_thread(pid));
        assert!(matches!(
            check(pid, &Options::default()),
            Err(Error::Own { .. })
        ));
        for absent in [0, -1, i32::MAX] {
            let result = check(absent, &Options::default());
            assert!(matches!(result, Err(Error::NoSuchProcess { .. })));
        }
    }
}
