//! What a command took, as the kernel tells who waits for it.
//!
//! # Safety
//!
//! `unsafe` is needed for wait4(2). It writes to what it is given alone.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};

/// Waits for a command's end; gives its status and the most memory that it had resident, in bytes.
/// What this process had when it started the command is the least that is told.
///
/// # Errors
///
/// When it was waited for already.
///
/// # References
///
/// getrusage(2), `ru_maxrss`
pub fn ended(child: Child) -> io::Result<(ExitStatus, u64)> {
    let (mut status, mut usage) = (0, MaybeUninit::<libc::rusage>::uninit());
    let pid = child.id().cast_signed();
    // SAFETY: both places are this function's own.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()) };
    if waited != pid {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was filled in, as there was somebody to wait for.
    let kib = unsafe { usage.assume_init() }.ru_maxrss;
    Ok((ExitStatus::from_raw(status), kib.cast_unsigned() << 10))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_commands_status_and_memory() {
        let failing = Command::new("sh").args(["-c", "exit 3"]).spawn().unwrap();
        let (status, _) = ended(failing).unwrap();
        assert_eq!(status.code(), Some(3));
        let large = "x = bytearray(80 << 20)";
        let python = Command::new("python3").args(["-c", large]).spawn();
        let Ok(python) = python else { return };
        let (status, peak) = ended(python).unwrap();
        assert!(status.success());
        assert!((80 << 20..400 << 20).contains(&peak), "{peak}");
    }
}
