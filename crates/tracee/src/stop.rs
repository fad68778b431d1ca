//! Wait status: why a traced thread was reported.

/// Why a traced thread was reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// It is no more, with this wait status.
    Ended(i32),
    /// A seccomp filter stopped it before a system call (`PTRACE_EVENT_SECCOMP`).
    Seccomp,
    /// It is at the entry or the exit of a system call (`PTRACE_O_TRACESYSGOOD`).
    Syscall,
    /// It made a process or a thread (`PTRACE_EVENT_FORK`, `VFORK`, `CLONE`).
    NewTask,
    /// Its program was replaced (`PTRACE_EVENT_EXEC`).
    Exec,
    /// It is about to end; its memory is still there (`PTRACE_EVENT_EXIT`).
    Exit,
    /// Its process was stopped by a signal, as a shell's Ctrl-Z does (group-stop).
    Group,
    /// It is about to get this signal (signal-delivery-stop).
    Signal(i32),
    /// It was asked to stop, is new, or SIGCONT ended a group-stop (`PTRACE_EVENT_STOP`); or
    /// nothing that is known here.
    Interrupted,
}

/// `PTRACE_EVENT_STOP`; libc lacks it for some C libraries.
const EVENT_STOP: i32 = 128;

impl Stop {
    /// Reads what waitpid(2) gave for a thread that was seized with TRACESYSGOOD.
    ///
    /// # References
    /// ptrace(2), “Stopped states”; real-time signals come through here unharmed, which is why the
    /// status is taken apart by hand
    pub fn of_wait_status(status: i32) -> Self {
        match libc::WIFSTOPPED(status) {
            true => Self::of_waitid(status >> 8),
            false => Self::Ended(status),
        }
    }

    /// Reads `si_status` of a stop as waitid(2) gives it: `signal | event << 8`, and bit 7 for a
    /// system call.
    pub fn of_waitid(si_status: i32) -> Self {
        let (signal, event) = (si_status & 0xff, si_status >> 8);
        match event {
            0 if signal == libc::SIGTRAP | 0x80 => Self::Syscall,
            0 => Self::Signal(signal),
            libc::PTRACE_EVENT_SECCOMP => Self::Seccomp,
            libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE => {
                Self::NewTask
            }
            libc::PTRACE_EVENT_EXEC => Self::Exec,
            libc::PTRACE_EVENT_EXIT => Self::Exit,
            EVENT_STOP if is_stop_signal(signal) => Self::Group,
            _ => Self::Interrupted,
        }
    }
}

fn is_stop_signal(signal: i32) -> bool {
    matches!(signal, libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stopped(event: i32, signal: i32) -> Stop {
        let stop = Stop::of_wait_status(event << 16 | signal << 8 | 0x7f);
        assert_eq!(Stop::of_waitid(event << 8 | signal), stop);
        stop
    }

    #[test]
    fn statuses() {
        let trap = libc::SIGTRAP;
        assert_eq!(stopped(0, trap | 0x80), Stop::Syscall);
        assert_eq!(stopped(0, trap), Stop::Signal(trap));
        assert_eq!(stopped(0, libc::SIGSTOP), Stop::Signal(libc::SIGSTOP));
        assert_eq!(stopped(0, 64), Stop::Signal(64), "a real-time signal");
        assert_eq!(stopped(libc::PTRACE_EVENT_SECCOMP, trap), Stop::Seccomp);
        assert_eq!(stopped(libc::PTRACE_EVENT_VFORK, trap), Stop::NewTask);
        assert_eq!(stopped(libc::PTRACE_EVENT_EXEC, trap), Stop::Exec);
        assert_eq!(stopped(libc::PTRACE_EVENT_EXIT, trap), Stop::Exit);
        assert_eq!(stopped(EVENT_STOP, libc::SIGTTIN), Stop::Group);
        assert_eq!(stopped(EVENT_STOP, trap), Stop::Interrupted);
        assert_eq!(Stop::of_wait_status(0), Stop::Ended(0));
        assert_eq!(Stop::of_wait_status(9), Stop::Ended(9), "killed");
    }
}
