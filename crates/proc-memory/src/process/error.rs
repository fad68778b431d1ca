//! Why a figure of a process could not be had, and what helps.

use std::{fmt, io};

use nix::unistd::geteuid;

/// A file of a process could not be read: which process, which file, why.
#[derive(Debug)]
#[non_exhaustive]
pub struct ProcessError {
    /// The process that was asked for.
    pub pid: i32,
    /// The file below `/proc/PID`; empty for the directory itself.
    pub file: &'static str,
    /// What stood in the way.
    pub reason: Reason,
}

impl ProcessError {
    /// Why a file of a process could not be read.
    pub fn new(pid: i32, file: &'static str, reason: Reason) -> Self {
        Self { pid, file, reason }
    }
}

/// What stood in the way of reading a process's file.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reason {
    /// Nothing that this process may see has that number.
    NoSuchProcess,
    /// `/proc` is not mounted here.
    NoProc,
    /// The number is that of a thread.
    Thread {
        /// Of this process.
        process: i32,
    },
    /// The process has ended.
    Ended,
    /// The process has ended and its parent has not waited for it yet: its memory is gone.
    Zombie,
    /// The main thread has ended while others run on; the kernel shows their memory only under
    /// `/proc/PID/task`.
    MainThreadEnded {
        /// Threads that the kernel still counts, the ended one included.
        threads: u64,
    },
    /// A kernel thread, which has no memory of its own.
    KernelThread,
    /// This process may not read that of the other.
    Denied {
        /// Owner of the process's `/proc` files, where it could be read. It is root for a process
        /// that is not dumpable, whoever runs it.
        owner_uid: Option<u32>,
        /// The effective user that asked.
        our_uid: u32,
    },
    /// The running kernel has no such file.
    NotInKernel,
    /// The process replaced its memory (exec) each time it was read.
    KeepsChanging,
    /// The file's content is not what its format promises; the text says in what respect.
    Malformed(&'static str),
    /// Anything else.
    Io(io::Error),
}

/// Why root, too, may not look into a process or trace it, and what helps: half a sentence, of who asks.
///
/// # References
/// ptrace(2), “Ptrace access mode checking”
pub const ROOT_IS_REFUSED: &str = "this is root, but without CAP_SYS_PTRACE, or the process \
    belongs to another user namespace, or a security module (AppArmor, SELinux) protects it; in a \
    container, allow it: docker run --cap-add=SYS_PTRACE";

/// A command that only root may run, as it is to be typed: with `sudo`, unless this is root.
pub fn as_root(command: &str) -> String {
    match geteuid().is_root() {
        true => command.to_owned(),
        false => format!("sudo {command}"),
    }
}

impl fmt::Display for ProcessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, file, reason } = self;
        write!(f, "process {pid}: ")?;
        match reason {
            // Nothing is hidden from root.
            Reason::NoSuchProcess if geteuid().is_root() => f.write_str("no such process"),
            Reason::NoSuchProcess => write!(
                f,
                "no such process (or /proc is mounted with hidepid and hides it: ask as its owner \
                 or as root)"
            ),
            Reason::Thread { process } => {
                write!(f, "this is a thread of process {process}: give {process}")
            }
            Reason::NoProc => write!(f, "/proc is not mounted: `mount -t proc proc /proc`"),
            Reason::Ended => write!(f, "it ended before /proc/{pid}/{file} was read"),
            Reason::Zombie => write!(
                f,
                "it has ended and waits for its parent to reap it; its memory, and with it \
                 /proc/{pid}/{file}, is gone"
            ),
            Reason::MainThreadEnded { threads } => write!(
                f,
                "its main thread has ended while others run ({threads} counted), so \
                 /proc/{pid}/{file} cannot be read; give the number of a living thread from \
                 /proc/{pid}/task"
            ),
            Reason::KernelThread => write!(
                f,
                "it is a kernel thread and has no memory of its own, so there is nothing in \
                 /proc/{pid}/{file}"
            ),
            Reason::Denied { owner_uid, our_uid } => {
                write!(f, "no permission to read /proc/{pid}/{file}: ")?;
                if *our_uid == 0 {
                    return f.write_str(ROOT_IS_REFUSED);
                }
                match owner_uid {
                    Some(uid) if uid == our_uid => write!(f, "it is your own, but not dumpable; ")?,
                    Some(uid) => {
                        write!(f, "it belongs to uid {uid} and this is uid {our_uid}; ")?;
                    }
                    None => write!(f, "it belongs to another user than uid {our_uid}; ")?,
                }
                write!(
                    f,
                    "run this as root (`sudo`), with CAP_SYS_PTRACE, or as \
                     the process's own user if it is dumpable (ptrace(2), \"Ptrace access mode \
                     checking\")"
                )
            }
            Reason::NotInKernel => write!(
                f,
                "this kernel has no /proc/{pid}/{file}{}",
                if *file == "smaps_rollup" {
                    "; it came with Linux 4.14 and needs CONFIG_PROC_PAGE_MONITOR"
                } else {
                    ""
                }
            ),
            Reason::KeepsChanging => write!(
                f,
                "it replaced its memory (exec) each time /proc/{pid}/{file} was read; stop it or \
                 try again"
            ),
            Reason::Malformed(what) => {
                write!(f, "/proc/{pid}/{file} is not as proc(5) describes it: {what}")
            }
            Reason::Io(error) => write!(f, "/proc/{pid}/{file}: {error}"),
        }
    }
}

impl std::error::Error for ProcessError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.reason {
            Reason::Io(error) => Some(error),
            _ => None,
        }
    }
}
