//! Why a program could not be launched or watched.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use memory_event::Ending;
use tracee::Permission;

/// Why [`Launch`](super::Launch) failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each sentence names its fields")]
pub enum LaunchError {
    /// The program can't be executed: not found, not executable, no format the kernel knows.
    #[error("cannot run {program:?}: {source}")]
    Exec { program: OsString, source: io::Error },
    /// The directory to run in can't be entered.
    #[error("cannot enter the directory {directory:?} to run the program there: {source}")]
    Directory { directory: PathBuf, source: io::Error },
    /// A name, argument or variable holds a NUL byte, which no program could be given.
    #[error("{text:?} holds a NUL byte: programs, arguments, variables and directories can't")]
    Nul { text: OsString },
    /// A step that should always succeed did not.
    #[error("cannot {step}: {source}")]
    Setup { step: &'static str, source: io::Error },
    /// The system forbids watching.
    #[error("not permitted to watch the program: {what} was refused ({source}); {permission}")]
    Refused { what: &'static str, source: io::Error, permission: Permission },
    /// The kernel let the program run without the stops that watching rests on.
    #[error(
        "this kernel does not stop a filtered call as Linux does since 4.8 ({observed}), so \
         calls can't be counted here; run on a plain Linux kernel, or read an strace log instead"
    )]
    Unproven { observed: &'static str },
    /// The child ended before its program began.
    #[error("the program ended before it began: {ending:?}")]
    EndedEarly { ending: Ending },
    /// Neither x86-64 nor aarch64.
    #[error(
        "programs can be watched on x86-64 and aarch64 only, this is {}",
        std::env::consts::ARCH
    )]
    Architecture,
}

impl LaunchError {
    /// The error for a step that failed.
    pub(crate) fn setup(step: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Setup { step, source }
    }

    /// Wraps the kernel's answer to an attempt to trace or filter.
    pub(super) fn refused(what: &'static str, source: io::Error) -> Self {
        match source.raw_os_error() {
            Some(libc::EPERM | libc::EACCES | libc::ENOSYS) => {
                Self::Refused { what, source, permission: Permission::of_own_child() }
            }
            // No question of permission: descriptors or processes have run out.
            _ => Self::Setup { step: what, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_request() {
        let refused = io::Error::from_raw_os_error(libc::EPERM);
        let message = LaunchError::refused("PTRACE_SEIZE", refused).to_string();
        assert!(message.contains("PTRACE_SEIZE was refused (Operation not permitted"));
    }
}
