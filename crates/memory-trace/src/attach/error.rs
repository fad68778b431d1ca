//! Why a running process could not be watched.

use std::io;

use crate::LaunchError;
use proc_memory::as_root;
use tracee::Permission;

/// Why [`Attach`](super::Attach) failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each sentence names its fields")]
pub enum AttachError {
    /// Nothing that this process may see has that number.
    #[error("there is no process {pid}: `ps -e` lists those that there are")]
    NoSuchProcess { pid: i32 },
    /// The number is that of a thread.
    #[error("{pid} is a thread of process {process}, not a process: give {process}")]
    NotAProcess { pid: i32, process: i32 },
    /// A thread of the kernel's own.
    #[error("process {pid} is a kernel thread: it has no memory of its own and makes no calls")]
    KernelThread { pid: i32 },
    /// It has ended already.
    #[error(
        "process {pid} has ended and waits to be reaped by its parent, process {parent}: there is \
         nothing left to watch"
    )]
    Zombie { pid: i32, parent: i32 },
    /// The watching process itself, or one of its threads.
    #[error("process {pid} is the watcher itself, which can't watch itself: give another's number")]
    Itself { pid: i32 },
    /// The watcher is the process's parent and would trace it, too.
    #[error(
        "process {pid} is a child of the watcher, which can't be its parent and its tracer at the \
         same time, as each would take the other's reports: start it with `Launch`, or watch it \
         by tracepoints"
    )]
    OwnChild { pid: i32 },
    /// Somebody who may not trace everybody.
    #[error(
        "not permitted to watch every process: who sees what all do must be permitted to trace any of \
         them, which takes CAP_SYS_PTRACE; run as root (`sudo`; in a container: docker run \
         --cap-add=SYS_PTRACE), or name processes of your own"
    )]
    EverybodyDenied,
    /// ptrace takes hold of one process after the other.
    #[error(
        "every process can't be watched by ptrace, which would stop each at every system call, this \
         terminal's, too: name some, or watch by BPF programs or tracepoints"
    )]
    EverybodyByPtrace,
    /// Neither way is open that sees everybody.
    #[error(
        "every process can be watched from inside the kernel alone: {reasons}; by ptrace, processes \
         that are named can be"
    )]
    NotEverybody {
        /// Why, for each way.
        reasons: String,
    },
    /// A process has one tracer at most.
    #[error(
        "process {pid} is already traced, by process {tracer} ({tracer_name}): end that one first"
    )]
    AlreadyTraced { pid: i32, tracer: i32, tracer_name: String },
    /// The system forbids tracing this process.
    #[error("not permitted to watch process {pid}: {what} was refused ({source}); {permission}")]
    Denied { pid: i32, what: &'static str, source: io::Error, permission: Permission },
    /// The kernel's tracepoints can't be used by this user.
    #[error(
        "not permitted to use tracepoints: {what} was refused ({source}); \
         /proc/sys/kernel/perf_event_paranoid is {paranoid}; it takes CAP_PERFMON, CAP_SYS_PTRACE, \
         CAP_SYS_ADMIN and, where tracefs is root's, CAP_DAC_READ_SEARCH, which root has (in a container: docker run --cap-add, and a seccomp profile \
         that permits perf_event_open), or the program: `{}`",
        as_root("setcap cap_perfmon,cap_sys_ptrace,cap_sys_admin,cap_dac_read_search+ep PROGRAM")
    )]
    TracepointsDenied {
        what: &'static str,
        source: io::Error,
        /// Present value of the setting, or why it can't be read.
        paranoid: String,
    },
    /// The kernel has no tracepoints, or doesn't show them as expected.
    #[error(
        "tracepoints can't be used here: {what} ({source}); if tracefs is only not mounted: `{}`",
        as_root("mount -t tracefs tracefs /sys/kernel/tracing")
    )]
    NoTracepoints { what: &'static str, source: io::Error },
    /// The kernel runs no BPF programs for this user, or none that see the calls.
    #[error("BPF programs can't be used here: {refusals}")]
    NoBpf {
        /// Why, for each way that was tried.
        refusals: String,
    },
    /// Calls that this process made itself did not appear as they were made.
    #[error("tracepoints can't be trusted here: {observed}; use ptrace instead")]
    Unproven { observed: String },
    /// Tracepoints on this many threads and CPUs take more descriptors than this process may have.
    #[error(
        "tracepoints on {threads} threads and {cpus} CPUs take {wanted} descriptors, and this \
         process may have {limit}: raise the limit (`ulimit -n {wanted}` as root), or use ptrace"
    )]
    Descriptors { threads: usize, cpus: usize, wanted: u64, limit: u64 },
    /// It made threads so fast that there was no moment at which all were known.
    #[error(
        "process {pid} makes threads faster than they can be taken hold of, and can't be stopped \
         for a moment: {reason}"
    )]
    Restless { pid: i32, reason: String },
    /// The program can't be started.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// A step that should always succeed did not.
    #[error("cannot {step}: {source}")]
    Setup { step: &'static str, source: io::Error },
    /// Neither x86-64 nor, with ptrace, aarch64.
    #[error(
        "running processes can be watched by tracepoints on x86-64, and by ptrace on x86-64 and \
         aarch64; this is {}",
        std::env::consts::ARCH
    )]
    Architecture,
}

impl AttachError {
    /// The error for a step that failed.
    pub(super) fn setup(step: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Setup { step, source }
    }

    /// Wraps the kernel's answer to an attempt to trace `pid`.
    pub(super) fn refused(pid: i32, what: &'static str, source: io::Error) -> Self {
        match source.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => {
                Self::Denied { pid, what, source, permission: Permission::of_process(pid) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_process_and_request() {
        let refused = io::Error::from_raw_os_error(libc::EPERM);
        let message = AttachError::refused(7, "PTRACE_SEIZE", refused).to_string();
        assert!(message.contains("process 7: PTRACE_SEIZE was refused"));
    }
}
