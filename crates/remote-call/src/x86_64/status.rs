//! What `/proc` says of a process and its threads, and what forbids to hold it.

use std::{fs, io};

use proc_memory::{Stat, Status};

use crate::{Error, HoldOptions};

/// Whether it has a shadow stack.
///
/// # References
/// `x86_Thread_features`: Linux 6.6, `arch/x86/kernel/cpu/proc.c`
pub(super) fn has_shadow_stack(status: &Status) -> bool {
    let features = status.field("x86_Thread_features").unwrap_or_default();
    let mut features = features.split(u8::is_ascii_whitespace);
    features.any(|feature| feature == b"shstk")
}

/// The signals that have handlers, and those that have come and wait, for the thread or its
/// process. `None` if that isn't told.
pub(super) fn signals_in_use(status: &Status) -> Option<u64> {
    let mut sets = ["SigCgt", "SigPnd", "ShdPnd"].into_iter();
    sets.try_fold(0, |all, set| Some(all | status.signals(set)?))
}

pub(super) fn has_seccomp(status: &Status) -> bool {
    status.number("Seccomp").is_some_and(|mode: u8| mode != 0)
}

/// Whether a process can be held, as far as that shows before.
pub(super) fn check(pid: i32, options: &HoldOptions) -> Result<(), Error> {
    if pid == std::process::id() as i32 {
        return Err(Error::Own { pid });
    }
    let status = (pid > 0).then(|| Status::of(pid).ok()).flatten();
    let status = status.ok_or(Error::NoSuchProcess { pid })?;
    let process = status.number("Tgid").unwrap_or(0);
    if process != pid {
        return Err(Error::IsThread { tid: pid, pid: process });
    }
    // The first thread may have ended before the others.
    if status.has_ended() && status.number("Threads").unwrap_or(0) <= 1 {
        return Err(Error::Zombie { pid });
    }
    // `status` says so since Linux 6.8 only.
    if Stat::of_thread(pid, pid).is_some_and(|stat| stat.is_kernel_thread()) {
        return Err(Error::KernelThread { pid });
    }
    if let Some(tracer) = status.tracing_process() {
        return Err(traced(pid, tracer));
    }
    if status.state() == 'T' {
        return Err(Error::Stopped { pid });
    }
    if has_shadow_stack(&status) {
        return Err(Error::ShadowStack { pid, tid: pid });
    }
    if has_seccomp(&status) && !options.allow_seccomp {
        return Err(Error::Seccomp { pid });
    }
    Ok(())
}

/// Why `PTRACE_SEIZE` was refused for a thread that is there.
pub(super) fn refused(pid: i32, tid: i32, source: io::Error) -> Error {
    let tracer = Status::of_thread(pid, tid).ok().and_then(|status| status.tracer());
    if let Some(tracer) = tracer {
        return traced(pid, tracer);
    }
    Error::NotPermitted { pid, permission: tracee::Permission::of_process(pid), source }
}

/// `tracer` is a thread.
fn traced(pid: i32, tracer: i32) -> Error {
    let process = Status::of(tracer).ok().and_then(|status| status.number("Tgid"));
    let tracer = process.unwrap_or(tracer);
    let name = fs::read_to_string(format!("/proc/{tracer}/comm"));
    Error::Traced { pid, tracer, name: name.map_or("?".into(), |name| name.trim().into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        let text = "Name:\ta\nState:\tS (sleeping)\nTgid:\t12\nTracerPid:\t0\nSeccomp:\t2\n\
                    Seccomp_filters:\t1\nx86_Thread_features:\tshstk wrss \n";
        let status = Status::parse(text);
        assert!(has_shadow_stack(&status) && has_seccomp(&status) && !status.has_ended());
        let status = Status::parse("State:\tZ (zombie)\nx86_Thread_features:\t\nSeccomp:\t0\n");
        assert!(status.has_ended() && !has_shadow_stack(&status) && !has_seccomp(&status));
    }

    #[test]
    fn signals() {
        let status = Status::parse(
            "SigPnd:\t0000000000000001\nShdPnd:\t0000000000000100\n\
             SigBlk:\tffffffffffffffff\nSigCgt:\t0000000180000000\n",
        );
        assert_eq!(signals_in_use(&status), Some(0x1_8000_0101));
        let status = Status::parse("SigPnd:\t0\nSigCgt:\t0\n");
        assert_eq!(signals_in_use(&status), None);
    }

    #[test]
    fn this_process_and_its_threads() {
        let pid = std::process::id() as i32;
        assert!(matches!(check(pid, &HoldOptions::default()), Err(Error::Own { .. })));
        for absent in [0, -1, i32::MAX] {
            let result = check(absent, &HoldOptions::default());
            assert!(matches!(result, Err(Error::NoSuchProcess { .. })));
        }
    }
}
