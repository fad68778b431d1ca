//! What benches ask of the kernel: to keep to one processor, a forked copy of this process, what a
//! command took.
//!
//! # Safety
//!
//! `unsafe` is needed for fork(2) and wait4(2). In a program with one thread, as benches are, the copy
//! may do whatever its parent may: no lock can be held by somebody who isn't there any more. wait4(2)
//! writes to what it is given alone.
#![allow(unsafe_code)]

use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork};
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, ExitStatus};
use std::time::Duration;

/// 0 is this thread.
const THIS: Pid = Pid::from_raw(0);

/// Until it is dropped, this thread and the processes that it starts run on one processor, or
/// wherever the scheduler puts them.
///
/// A tracer and what it traces wake each other at every call. On two processors the one that waits
/// falls idle each time, and waking it takes as long as the processor, or the hypervisor above it,
/// likes: 20 µs or 400. On one processor only the switch is left, which is what tracers differ in.
#[derive(Debug)]
pub struct Processors {
    before: Option<CpuSet>,
}

impl Processors {
    /// Picks the last of the processors that this thread may use, if one is wanted.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn keep_to(one: bool) -> nix::Result<Self> {
        if !one {
            return Ok(Self { before: None });
        }
        let before = sched_getaffinity(THIS)?;
        let mut numbers = (0..CpuSet::count()).rev();
        let last = numbers.find(|number| before.is_set(*number) == Ok(true));
        let mut one = CpuSet::new();
        one.set(last.ok_or(Errno::ENODEV)?)?;
        sched_setaffinity(THIS, &one)?;
        Ok(Self { before: Some(before) })
    }
}

impl Drop for Processors {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // The set was allowed before; if it isn't any more, one processor is still enough.
            let _ = sched_setaffinity(THIS, before);
        }
    }
}

/// Has a forked copy of this process do `work` and gives the time that it says it took.
///
/// Whatever `work` does to memory ends with the copy.
///
/// # Errors
/// When this process has other threads, when it can't be forked, or when the copy panicked (its
/// words are on standard error).
pub fn timed(work: impl FnOnce() -> Duration) -> io::Result<Duration> {
    alone()?;
    let (mut answer, mut question) = io::pipe()?;
    // SAFETY: this is the only thread (`alone`), see above.
    match unsafe { fork() }? {
        ForkResult::Child => {
            drop(answer);
            let nanoseconds = catch_unwind(AssertUnwindSafe(work)).map(|time| time.as_nanos());
            let told = nanoseconds
                .is_ok_and(|nanoseconds| question.write_all(&nanoseconds.to_ne_bytes()).is_ok());
            // SAFETY: ends the copy without running what its parent has registered for its own end.
            unsafe { libc::_exit(if told { 0 } else { 1 }) }
        }
        ForkResult::Parent { child } => {
            drop(question);
            let mut nanoseconds = [0; size_of::<u128>()];
            let told = answer.read_exact(&mut nanoseconds);
            while waitpid(child, None) == Err(Errno::EINTR) {}
            told.map_err(|_| io::Error::other("the forked copy failed"))?;
            let nanoseconds = u64::try_from(u128::from_ne_bytes(nanoseconds));
            Ok(Duration::from_nanos(nanoseconds.unwrap_or(u64::MAX)))
        }
    }
}

fn alone() -> io::Result<()> {
    let threads = proc_memory::Status::of_this_thread()?.number("Threads");
    match threads {
        Some(1_u64) => Ok(()),
        threads => Err(io::Error::other(format!(
            "only a process with one thread can work in forks, this one has {}",
            threads.map_or("an unknown number".to_owned(), |threads| threads.to_string())
        ))),
    }
}

/// Waits for a command's end; gives its status and the most memory that it had resident, in bytes.
/// What this process had when it started the command is the least that is told.
///
/// # Errors
/// When it was waited for already.
///
/// # References
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
    use std::thread::available_parallelism;

    #[test]
    fn one_processor_and_then_all_again() {
        let before = available_parallelism().unwrap();
        let one = Processors::keep_to(true).unwrap();
        assert_eq!(available_parallelism().unwrap().get(), 1);
        drop(one);
        assert_eq!(available_parallelism().unwrap(), before);
    }

    #[test]
    fn a_process_with_other_threads_is_refused() {
        let elsewhere = std::thread::spawn(|| timed(|| Duration::ZERO));
        let error = elsewhere.join().unwrap().unwrap_err();
        assert!(error.to_string().contains("one thread"), "{error}");
    }

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
