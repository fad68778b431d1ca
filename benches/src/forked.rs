//! Work in a copy of this process that is thrown away.
//!
//! # Safety
//!
//! `unsafe` is needed for fork(2). In a program with one thread, as benches are, the copy may do
//! whatever its parent may: no lock can be held by somebody who isn't there any more.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Has a forked copy of this process do `work` and gives the time that it says it took.
///
/// Whatever `work` does to memory ends with the copy.
///
/// # Errors
///
/// When this process has other threads, when it can't be forked, or when the copy panicked (its
/// words are on standard error).
pub fn timed(work: impl FnOnce() -> Duration) -> io::Result<Duration> {
    alone()?;
    let (mut answer, mut question) = io::pipe()?;
    // SAFETY: this is the only thread (`alone`), see above.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            drop(answer);
            let nanoseconds = catch_unwind(AssertUnwindSafe(work)).map(|time| time.as_nanos());
            let told = nanoseconds
                .is_ok_and(|nanoseconds| question.write_all(&nanoseconds.to_ne_bytes()).is_ok());
            // SAFETY: ends the copy without running what its parent has registered for its own end.
            unsafe { libc::_exit(if told { 0 } else { 1 }) }
        }
        copy => {
            drop(question);
            let mut nanoseconds = [0; size_of::<u128>()];
            let told = answer.read_exact(&mut nanoseconds);
            reap(copy)?;
            told.map_err(|_| io::Error::other("the forked copy failed"))?;
            let nanoseconds = u128::from_ne_bytes(nanoseconds);
            Ok(Duration::from_nanos(
                nanoseconds.try_into().unwrap_or(u64::MAX),
            ))
        }
    }
}

fn alone() -> io::Result<()> {
    let mut status = String::new();
    File::open("/proc/self/status")?.read_to_string(&mut status)?;
    let threads = status
        .lines()
        .find_map(|line| line.strip_prefix("Threads:"));
    match threads.map(str::trim) {
        Some("1") => Ok(()),
        threads => Err(io::Error::other(format!(
            "only a process with one thread can work in forks, this one has {}",
            threads.unwrap_or("an unknown number")
        ))),
    }
}

fn reap(copy: libc::pid_t) -> io::Result<()> {
    loop {
        // SAFETY: a child of this process; its status isn't asked for.
        if unsafe { libc::waitpid(copy, std::ptr::null_mut(), 0) } == copy {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_other_threads_is_refused() {
        let elsewhere = std::thread::spawn(|| timed(|| Duration::ZERO));
        let error = elsewhere.join().unwrap().unwrap_err();
        assert!(error.to_string().contains("one thread"), "{error}");
    }
}
