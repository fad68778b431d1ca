//! What the kernel says of a process that decides whether it can be trimmed at all.

use std::fs;
use std::io;

use proc_memory::Status;

use super::refusal::{Refusal, RefusalKind};
use crate::processes::is_frozen;

/// Whether a process can be trimmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trimmability {
    pid: i32,
    status: Status,
}

impl Trimmability {
    /// As the kernel tells it now.
    ///
    /// # Errors
    /// If there is no such process.
    pub(super) fn of(pid: i32) -> io::Result<Self> {
        let status = Status::of(pid)?;
        Ok(Self { pid, status })
    }

    pub(super) fn comm(&self) -> String {
        let comm = self.status.field("Name").unwrap_or_default();
        String::from_utf8_lossy(comm).into_owned()
    }

    /// `SECCOMP_MODE_STRICT` is 1: only read, write, exit and sigreturn are allowed.
    /// `SECCOMP_MODE_FILTER` is 2: a filter may forbid system calls.
    fn seccomp_mode(&self) -> u8 {
        self.status.number("Seccomp").unwrap_or(0)
    }

    /// Why it has nothing to trim, and what helps.
    pub(super) fn hopeless(&self) -> Option<String> {
        let pid = &self.pid;
        let tgid = &self.status.number("Tgid").unwrap_or(*pid);
        if u32::try_from(*pid) == Ok(std::process::id()) {
            return Some("this is brkhole itself: give the number of another process".to_owned());
        }
        if tgid != pid {
            let leader = Self::of(*tgid).ok().filter(|leader| leader.status.has_ended());
            if let Some(leader) = leader {
                return leader.hopeless();
            }
            return Some(format!("{pid} is a thread of process {tgid}: `brkhole trim {tgid}`"));
        }
        let threads: u64 = self.status.number("Threads").unwrap_or(1);
        self.status.has_ended().then(|| match threads {
            0 | 1 => "it has ended and waits for its parent to reap it; its memory is gone already"
                .to_owned(),
            _ => "its main thread has ended while others run, and what is left of such a process \
                  can't be held; have the program itself call malloc_trim(0), or restart it"
                .to_owned(),
        })
    }

    pub(super) fn is_filtered(&self) -> bool {
        self.seccomp_mode() == 2
    }

    /// Why it can't be trimmed now, and what helps.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        let pid = self.pid;
        if let Some(tracer) = self.status.tracing_process() {
            return Some(RefusalKind::Traced.told(format!(
                "process {tracer}{} is tracing it (a debugger, strace, another brkhole), and a \
                 process has one tracer at most; see `ps -p {tracer}`, end that, and try again",
                named(tracer)
            )));
        }
        if self.status.state() == 'T' {
            return Some(RefusalKind::Stopped.told(format!(
                "it is stopped (Ctrl-Z, SIGSTOP), so it can't call anything; let it go on with \
                 `kill -CONT {pid}`, then try again"
            )));
        }
        if is_frozen(pid) {
            return Some(RefusalKind::Stopped.told(
                "it is frozen (the freezer of its cgroup, as by `docker pause` or `systemctl \
                 freeze`), so it can't call anything; thaw it, then try again",
            ));
        }
        if self.seccomp_mode() == 1 {
            return Some(RefusalKind::Filtered.told(
                "it has locked itself in (seccomp, strict mode): the kernel would kill it at the \
                 first call that gives memory back",
            ));
        }
        None
    }
}

/// ` (comm)`, if it is known.
fn named(pid: i32) -> String {
    let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    match comm.trim_end() {
        "" => String::new(),
        comm => format!(" ({comm})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Name:\tnginx: worker\nState:\tS (sleeping)\nTgid:\t77\nPid:\t77\n\
        TracerPid:\t0\nThreads:\t4\nSeccomp:\t2\nSeccomp_filters:\t1\n";

    const ENDED: &str = "Z (zombie)\nTgid:\t77\nPid:\t77\nTracerPid:\t0\nThreads:\t1";

    fn told(pid: i32, text: &str) -> Trimmability {
        let status = Status::parse(text);
        Trimmability { pid, status }
    }

    #[test]
    fn an_ordinary_process() {
        let status = told(77, TEXT);
        assert_eq!(status.comm(), "nginx: worker");
        assert_eq!((status.hopeless(), status.refusal()), (None, None));
        assert!(status.is_filtered());
        assert!(!told(77, &TEXT.replace("Seccomp:\t2", "Seccomp:\t0")).is_filtered());
    }

    #[test]
    fn what_is_refused_and_what_to_type_then() {
        for (pid, from, to, words) in [
            (78, "", "", "brkhole trim 77"),
            (77, "S (sleeping)", "T (stopped)", "kill -CONT 77"),
            (77, "S (sleeping)", "Z (zombie)", "its main thread has ended while others run"),
            (
                77,
                "S (sleeping)\nTgid:\t77\nPid:\t77\nTracerPid:\t0\nThreads:\t4",
                ENDED,
                "its memory is gone",
            ),
            (77, "TracerPid:\t0", "TracerPid:\t999999999", "999999999"),
            (77, "Seccomp:\t2", "Seccomp:\t1", "strict"),
        ] {
            let status = told(pid, &TEXT.replace(from, to));
            let refusal = status.hopeless().or(status.refusal().map(|why| why.told));
            assert!(refusal.is_some_and(|why| why.contains(words)), "{words}");
        }
    }
}
