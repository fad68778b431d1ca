//! The soft limits of a process: from the system call where it may be used, otherwise from the file
//! that everybody may read.
//!
//! # Safety
//! `prlimit` with no new limit changes nothing and writes one `rlimit` to the place that it is
//! given.
//!
//! # References
//! prlimit(2), which wants the same user or CAP_SYS_RESOURCE; proc_pid_limits(5)
#![allow(unsafe_code)]

use nix::errno::Errno;

use crate::process::{Process, ProcessError};

/// The limits, and what the file calls them.
const LIMITS: [(libc::__rlimit_resource_t, &str); 2] =
    [(libc::RLIMIT_DATA, "Max data size"), (libc::RLIMIT_AS, "Max address space")];

/// `RLIMIT_DATA` and `RLIMIT_AS` of a process, in bytes; `None` for no limit.
pub(super) fn of(process: &Process) -> Result<[Option<u64>; 2], ProcessError> {
    by_call(process).or_else(|_| by_file(process))
}

/// By number: whoever asks makes sure afterwards that the process lives still, so that the number
/// was its own.
fn by_call(process: &Process) -> Result<[Option<u64>; 2], Errno> {
    let mut found = [None; 2];
    for (soft, (resource, _)) in found.iter_mut().zip(LIMITS) {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        let (pid, unchanged) = (process.pid(), std::ptr::null());
        // SAFETY: `limit` is a place for one rlimit, and outlives the call.
        let done = unsafe { libc::prlimit(pid, resource, unchanged, &raw mut limit) };
        Errno::result(done)?;
        *soft = (limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur);
    }
    Ok(found)
}

fn by_file(process: &Process) -> Result<[Option<u64>; 2], ProcessError> {
    let table = process.whole("limits")?;
    let mut found = [None; 2];
    for (soft, (_, name)) in found.iter_mut().zip(LIMITS) {
        let limit = soft_limit(&table, name);
        *soft = limit.ok_or_else(|| process.malformed("limits", "a limit is missing"))?;
    }
    Ok(found)
}

/// The soft limit of this name, `Some(None)` for `unlimited`; `None` if the table doesn't have it.
fn soft_limit(limits: &[u8], name: &str) -> Option<Option<u64>> {
    let row =
        limits.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(name.as_bytes()))?;
    let row = std::str::from_utf8(row).ok()?;
    // Another limit's name may start with this one.
    let mut words = row.strip_prefix(' ')?.split_ascii_whitespace();
    match words.next()? {
        "unlimited" => Some(None),
        bytes => bytes.parse().ok().map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(tail: Vec<u8>) {
            soft_limit(&tail, "Max data size");
            soft_limit(&[b"Max data size   ", &*tail].concat(), "Max data size");
        }
    }

    const TABLE: &[u8] = b"\
Limit                     Soft Limit           Hard Limit           Units     \n\
Max cpu time              unlimited            unlimited            seconds   \n\
Max data size             1048576              unlimited            bytes     \n\
Max stack size            8388608              unlimited            bytes     \n\
Max address space         unlimited            unlimited            bytes     \n";

    #[test]
    fn the_soft_limits_are_read() {
        assert_eq!(soft_limit(TABLE, "Max data size"), Some(Some(1 << 20)));
        assert_eq!(soft_limit(TABLE, "Max address space"), Some(None));
    }

    #[test]
    fn what_is_not_there_is_not_guessed() {
        assert_eq!(soft_limit(TABLE, "Max locked memory"), None);
        assert_eq!(soft_limit(TABLE, "Max data"), None, "a row of its own name");
        for odd in [
            &b""[..],
            b"Max data size",
            b"Max data size\n",
            b"Max data size             \n",
            b"Max data size             many   many   bytes\n",
            b"Max data size             -1     -1     bytes\n",
            b"Max data size             18446744073709551616  unlimited  bytes\n",
            b"Max data size             \xff\xfe  unlimited  bytes\n",
            b" Max data size            1      1      bytes\n",
        ] {
            let found = soft_limit(odd, "Max data size");
            assert!(!matches!(found, Some(Some(_))), "{odd:?}: {found:?}");
        }
        let none = b"Max data size             0      0      bytes";
        assert_eq!(soft_limit(none, "Max data size"), Some(Some(0)));
    }

    #[test]
    fn the_call_and_the_file_tell_the_same() {
        let process = Process::open(std::process::id() as i32).unwrap();
        assert_eq!(by_call(&process).unwrap(), by_file(&process).unwrap());
    }
}
