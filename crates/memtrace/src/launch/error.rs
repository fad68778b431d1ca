//! Why a program could not be launched or watched.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use memory_event::Ending;

/// Why [`Launch`](super::Launch) failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// The program can't be executed: not found, not executable, no format the kernel knows.
    #[error("cannot run {program:?}: {source}")]
    Exec {
        /// The program as it was given.
        program: OsString,
        /// The error of the last file that was tried.
        source: io::Error,
    },
    /// The directory to run in can't be entered.
    #[error("cannot enter the directory {directory:?} to run the program there: {source}")]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A name, argument or variable holds a NUL byte, which no program could be given.
    #[error("{text:?} holds a NUL byte: programs, arguments, variables and directories can't")]
    Nul {
        /// The text.
        text: OsString,
    },
    /// A step that should always succeed did not.
    #[error("cannot {step}: {source}")]
    Setup {
        /// What was to be done.
        step: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The system forbids watching.
    #[error(
        "not permitted to watch the program: {what} was refused ({source}); {}",
        advice(*.traced_by, .yama.as_deref())
    )]
    Refused {
        /// What was refused.
        what: &'static str,
        /// The kernel's answer.
        source: io::Error,
        /// Present value of `/proc/sys/kernel/yama/ptrace_scope`; `None` if there is no such file.
        yama: Option<String>,
        /// Who traces this very process, if anybody does.
        traced_by: Option<i32>,
    },
    /// The kernel let the program run without the stops that watching rests on.
    #[error(
        "this kernel does not stop a filtered call as Linux does since 4.8 ({observed}), so \
         calls can't be counted here; run on a plain Linux kernel, or read an strace log instead"
    )]
    Unproven {
        /// What happened instead.
        observed: &'static str,
    },
    /// The child ended before its program began.
    #[error("the program ended before it began: {ending:?}")]
    EndedEarly {
        /// How.
        ending: Ending,
    },
    /// Neither x86-64 nor aarch64.
    #[error(
        "programs can be watched on x86-64 and aarch64 only, this is {}",
        std::env::consts::ARCH
    )]
    Architecture,
}

impl LaunchError {
    /// Wraps the kernel's answer to an attempt to trace or filter.
    pub(super) fn refused(what: &'static str, source: io::Error) -> Self {
        match source.raw_os_error() {
            Some(libc::EPERM | libc::EACCES | libc::ENOSYS) => {
                let yama = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok();
                let yama = yama.map(|text| text.trim().to_owned());
                Self::Refused {
                    what,
                    source,
                    yama,
                    traced_by: own_tracer(),
                }
            }
            // No question of permission: descriptors or processes have run out.
            _ => Self::Setup { step: what, source },
        }
    }
}

/// Who traces this process.
fn own_tracer() -> Option<i32> {
    procmem::Status::of_this_thread().ok()?.tracer()
}

/// What stands in the way of tracing one's own child, and what helps.
///
/// # References
/// `Documentation/admin-guide/LSM/Yama.rst`
fn advice(traced_by: Option<i32>, yama: Option<&str>) -> String {
    if let Some(pid) = traced_by {
        return format!(
            "this process is itself traced (by process {pid}), and so are its children, which \
             can have one tracer only: run it outside of strace, gdb or the like"
        );
    }
    match yama {
        Some("2") => "/proc/sys/kernel/yama/ptrace_scope is 2, which reserves tracing for \
            CAP_SYS_PTRACE: run as root, or `sysctl kernel.yama.ptrace_scope=1`"
            .into(),
        Some("3") => "/proc/sys/kernel/yama/ptrace_scope is 3, which forbids all tracing until \
            the next boot: boot with another value"
            .into(),
        Some(value) => format!(
            "/proc/sys/kernel/yama/ptrace_scope is {value}, which permits it, so the refusal \
             comes from elsewhere: {CONTAINER}"
        ),
        None => format!("there is no /proc/sys/kernel/yama/ptrace_scope here: {CONTAINER}"),
    }
}

const CONTAINER: &str = "in a container, allow ptrace and seccomp (docker run \
    --cap-add=SYS_PTRACE --security-opt seccomp=unconfined); under systemd, look at the unit's \
    SystemCallFilter=";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_setting_and_the_way_out() {
        for (yama, wanted) in [
            (Some("1"), "ptrace_scope is 1, which permits it"),
            (Some("2"), "sysctl kernel.yama.ptrace_scope=1"),
            (Some("3"), "next boot"),
            (None, "--cap-add=SYS_PTRACE"),
        ] {
            let traced_by = None;
            let source = io::Error::from_raw_os_error(libc::EPERM);
            let yama = yama.map(str::to_owned);
            let message = LaunchError::Refused {
                what: "PTRACE_SEIZE",
                source,
                yama,
                traced_by,
            }
            .to_string();
            assert!(message.contains("PTRACE_SEIZE was refused (Operation not permitted"));
            assert!(message.contains(wanted), "{message}");
        }
    }
}
