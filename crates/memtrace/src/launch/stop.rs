//! What a wait status of a traced thread says.

use memory_event::Ending;

/// Why `waitpid` reported a traced thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It is no more.
    Ended(Ending),
    /// The filter stopped it before a watched call.
    Filter,
    /// It stands behind the call that it was let into.
    CallDone,
    /// It made a new process or thread.
    Birth,
    /// Its program was replaced.
    Exec,
    /// It is about to end; its memory is still there.
    Exit,
    /// Its process was stopped by a signal, as a shell's Ctrl-Z does.
    Group,
    /// It is about to get this signal.
    Signal(i32),
    /// The first stop of a new thread, the end of a group stop, or nothing of interest.
    Other,
}

/// `PTRACE_EVENT_STOP`; libc lacks it for some C libraries.
const EVENT_STOP: i32 = 128;

impl Stop {
    /// Reads a status of a thread that was seized with TRACESYSGOOD.
    ///
    /// # References
    /// ptrace(2), “Stopped states”; real-time signals come through here unharmed, which is why
    /// the status is taken apart by hand
    pub(crate) fn decode(status: i32) -> Self {
        if let Some(ending) = Ending::from_wait_status(status) {
            return Self::Ended(ending);
        }
        let signal = libc::WSTOPSIG(status);
        match status >> 16 {
            0 if signal == libc::SIGTRAP | 0x80 => Self::CallDone,
            0 => Self::Signal(signal),
            libc::PTRACE_EVENT_SECCOMP => Self::Filter,
            libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE => {
                Self::Birth
            }
            libc::PTRACE_EVENT_EXEC => Self::Exec,
            libc::PTRACE_EVENT_EXIT => Self::Exit,
            EVENT_STOP if is_stop_signal(signal) => Self::Group,
            _ => Self::Other,
        }
    }
}

fn is_stop_signal(signal: i32) -> bool {
    matches!(
        signal,
        libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stopped(event: i32, signal: i32) -> Stop {
        Stop::decode(event << 16 | signal << 8 | 0x7f)
    }

    #[test]
    fn statuses() {
        assert_eq!(stopped(0, libc::SIGTRAP | 0x80), Stop::CallDone);
        assert_eq!(stopped(0, libc::SIGTRAP), Stop::Signal(libc::SIGTRAP));
        assert_eq!(stopped(0, libc::SIGSTOP), Stop::Signal(libc::SIGSTOP));
        assert_eq!(
            stopped(0, 64),
            Stop::Signal(64),
            "the highest real-time signal"
        );
        assert_eq!(
            stopped(libc::PTRACE_EVENT_SECCOMP, libc::SIGTRAP),
            Stop::Filter
        );
        assert_eq!(
            stopped(libc::PTRACE_EVENT_VFORK, libc::SIGTRAP),
            Stop::Birth
        );
        assert_eq!(stopped(libc::PTRACE_EVENT_EXEC, libc::SIGTRAP), Stop::Exec);
        assert_eq!(stopped(libc::PTRACE_EVENT_EXIT, libc::SIGTRAP), Stop::Exit);
        assert_eq!(stopped(EVENT_STOP, libc::SIGTTIN), Stop::Group);
        assert_eq!(stopped(EVENT_STOP, libc::SIGTRAP), Stop::Other);
        assert_eq!(Stop::decode(0), Stop::Ended(Ending::Code(0)));
    }
}
