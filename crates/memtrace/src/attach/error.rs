//! Why a running process could not be watched.

use std::io;

/// Why [`Attach`](super::Attach) failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// Nothing that this process may see has that number.
    #[error("there is no process {pid}: `ps -e` lists those that there are")]
    NoSuchProcess {
        /// The number.
        pid: i32,
    },
    /// The number is that of a thread.
    #[error("{pid} is a thread of process {process}, not a process: give {process}")]
    NotAProcess {
        /// The number.
        pid: i32,
        /// The process that the thread belongs to.
        process: i32,
    },
    /// A thread of the kernel's own.
    #[error("process {pid} is a kernel thread: it has no memory of its own and makes no calls")]
    KernelThread {
        /// The process.
        pid: i32,
    },
    /// It has ended already.
    #[error(
        "process {pid} has ended and waits to be reaped by its parent, process {parent}: there is \
         nothing left to watch"
    )]
    Zombie {
        /// The process.
        pid: i32,
        /// Its parent.
        parent: i32,
    },
    /// The watching process itself, or one of its threads.
    #[error("process {pid} is the watcher itself, which can't watch itself: give another's number")]
    Itself {
        /// The number that was given.
        pid: i32,
    },
    /// The watcher is the process's parent and would trace it, too.
    #[error(
        "process {pid} is a child of the watcher, which can't be its parent and its tracer at the \
         same time, as each would take the other's reports: start it with `Launch`, or watch it \
         by tracepoints"
    )]
    OwnChild {
        /// The process.
        pid: i32,
    },
    /// A process has one tracer at most.
    #[error(
        "process {pid} is already traced, by process {tracer} ({tracer_name}): end that one first"
    )]
    AlreadyTraced {
        /// The process.
        pid: i32,
        /// Who traces it.
        tracer: i32,
        /// The tracer's name.
        tracer_name: String,
    },
    /// The system forbids tracing this process.
    #[error(
        "not permitted to watch process {pid}: {what} was refused ({source}); it belongs to uid \
         {owner_uid}, this is uid {our_uid}; {}",
        advice(*.owner_uid, *.our_uid, .yama.as_deref())
    )]
    Denied {
        /// The process.
        pid: i32,
        /// What was refused.
        what: &'static str,
        /// The kernel's answer.
        source: io::Error,
        /// Who owns the process (root for one that isn't dumpable).
        owner_uid: u32,
        /// Who asked.
        our_uid: u32,
        /// Present value of `/proc/sys/kernel/yama/ptrace_scope`; `None` if there is no such file.
        yama: Option<String>,
    },
    /// The kernel's tracepoints can't be used by this user.
    #[error(
        "not permitted to use tracepoints: {what} was refused ({source}); \
         /proc/sys/kernel/perf_event_paranoid is {paranoid}; run as root, or give the program the \
         rights: `sudo setcap cap_perfmon,cap_sys_ptrace,cap_sys_admin+ep PROGRAM`"
    )]
    TracepointsDenied {
        /// What was refused.
        what: &'static str,
        /// The kernel's answer.
        source: io::Error,
        /// Present value of the setting, or why it can't be read.
        paranoid: String,
    },
    /// The kernel has no tracepoints, or doesn't show them as expected.
    #[error(
        "tracepoints can't be used here: {what} ({source}); if tracefs is only not mounted: `sudo \
         mount -t tracefs tracefs /sys/kernel/tracing`"
    )]
    NoTracepoints {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// Calls that this process made itself did not appear as they were made.
    #[error("tracepoints can't be trusted here: {observed}; use ptrace instead")]
    Unproven {
        /// What was seen.
        observed: String,
    },
    /// Tracepoints on this many threads and CPUs take more descriptors than this process may have.
    #[error(
        "tracepoints on {threads} threads and {cpus} CPUs take {wanted} descriptors, and this \
         process may have {limit}: raise the limit (`ulimit -n {wanted}` as root), or use ptrace"
    )]
    Descriptors {
        /// Threads of the process.
        threads: usize,
        /// CPUs of the machine.
        cpus: usize,
        /// How many descriptors would be needed.
        wanted: u64,
        /// The limit (`RLIMIT_NOFILE`, hard).
        limit: u64,
    },
    /// It made threads so fast that there was no moment at which all were known.
    #[error(
        "process {pid} makes threads faster than they can be taken hold of, and can't be stopped \
         for a moment: {reason}"
    )]
    Restless {
        /// The process.
        pid: i32,
        /// Why it can't be stopped.
        reason: String,
    },
    /// A step that should always succeed did not.
    #[error("cannot {step}: {source}")]
    Setup {
        /// What was to be done.
        step: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// Neither x86-64 nor, with ptrace, aarch64.
    #[error(
        "running processes can be watched by tracepoints on x86-64, and by ptrace on x86-64 and \
         aarch64; this is {}",
        std::env::consts::ARCH
    )]
    Architecture,
}

impl AttachError {
    /// Wraps the kernel's answer to an attempt to trace `pid`.
    pub(super) fn refused(pid: i32, what: &'static str, source: io::Error) -> Self {
        use std::os::unix::fs::MetadataExt;
        match source.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => {
                let yama = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok();
                let owner = std::fs::metadata(format!("/proc/{pid}"));
                Self::Denied {
                    pid,
                    what,
                    source,
                    owner_uid: owner.map_or(0, |owner| owner.uid()),
                    our_uid: nix::unistd::geteuid().as_raw(),
                    yama: yama.map(|text| text.trim().to_owned()),
                }
            }
            Some(libc::ESRCH) => Self::NoSuchProcess { pid },
            _ => Self::Setup { step: what, source },
        }
    }

    /// Wraps the kernel's answer to an attempt to use tracepoints at all.
    pub(super) fn tracepoints(what: &'static str, source: io::Error) -> Self {
        match source.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => {
                let paranoid = std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid");
                Self::TracepointsDenied {
                    what,
                    source,
                    paranoid: paranoid.map_or_else(
                        |error| format!("unreadable ({error})"),
                        |text| text.trim().to_owned(),
                    ),
                }
            }
            _ => Self::NoTracepoints { what, source },
        }
    }
}

/// What stands in the way of tracing another process, and what helps.
///
/// # References
/// ptrace(2), “Ptrace access mode checking”; `Documentation/admin-guide/LSM/Yama.rst`
fn advice(owner: u32, ours: u32, yama: Option<&str>) -> String {
    const CONTAINER: &str = "in a container, allow it: docker run --cap-add=SYS_PTRACE";
    if owner != ours && ours != 0 {
        return format!("run as root (`sudo`), with CAP_SYS_PTRACE, or as uid {owner}");
    }
    match yama {
        Some("3") => "/proc/sys/kernel/yama/ptrace_scope is 3, which forbids all tracing until \
            the next boot: boot with another value"
            .into(),
        Some(scope @ ("1" | "2")) if ours != 0 => format!(
            "/proc/sys/kernel/yama/ptrace_scope is {scope}, which forbids it to ordinary users: \
             `sudo sysctl kernel.yama.ptrace_scope=0`, or run as root or with CAP_SYS_PTRACE"
        ),
        Some(scope) => format!(
            "/proc/sys/kernel/yama/ptrace_scope is {scope}, so the refusal comes from elsewhere \
             (a process that isn't dumpable, missing CAP_SYS_PTRACE): run as root; {CONTAINER}"
        ),
        None => format!(
            "there is no /proc/sys/kernel/yama/ptrace_scope here, so the refusal comes from \
             elsewhere (a process that isn't dumpable, missing CAP_SYS_PTRACE): run as root; \
             {CONTAINER}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_setting_and_the_way_out() {
        for (owner_uid, our_uid, yama, wanted) in [
            (0, 1000, Some("0"), "or as uid 0"),
            (
                1000,
                1000,
                Some("1"),
                "ptrace_scope is 1, which forbids it to ordinary users: `sudo sysctl kernel.yama.ptrace_scope=0`",
            ),
            (1000, 1000, Some("2"), "run as root or with CAP_SYS_PTRACE"),
            (1000, 1000, Some("3"), "next boot"),
            (1000, 1000, Some("0"), "isn't dumpable"),
            (0, 0, None, "--cap-add=SYS_PTRACE"),
        ] {
            let message = AttachError::Denied {
                pid: 7,
                what: "PTRACE_SEIZE",
                source: io::Error::from_raw_os_error(libc::EPERM),
                owner_uid,
                our_uid,
                yama: yama.map(str::to_owned),
            }
            .to_string();
            assert!(message.contains("process 7: PTRACE_SEIZE was refused"));
            assert!(message.contains(wanted), "{message}");
        }
    }
}
