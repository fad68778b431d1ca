//! One thing that a watched thread did, and the sink that takes them in order.

use std::time::Duration;

use crate::{Call, Memory, Refusal, Syscall};

/// One thing that a watched thread did, or that was done to it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// Process id (the kernel's thread group id).
    pub pid: i32,
    /// Thread id; equal to `pid` in a process's first thread.
    pub tid: i32,
    /// Time since the watching began.
    pub at: Duration,
    /// What it was.
    pub what: What,
}

impl Event {
    /// One thing that a thread of a process did at this time.
    pub fn new(pid: i32, tid: i32, at: Duration, what: What) -> Self {
        Self { pid, tid, at, what }
    }
}

/// What an [`Event`] tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// The first process begins: its program has just been executed, no call was made yet.
    Started,
    /// This thread made another one. Told before anything that the new one does.
    Forked {
        /// Id of the new process, or of the new thread if `thread`.
        child: i32,
        /// The new one shares this process (`CLONE_THREAD`), it is not a process of its own.
        thread: bool,
    },
    /// The process replaced its program. All its other threads are gone, whether or not their
    /// end was told, and the memory they shared with it.
    Exec {
        /// [`Syscall::Execve`], or [`Syscall::Execveat`] where the source can tell it apart.
        by: Syscall,
        /// Id of the thread that made the call until now; from here on it is `pid`.
        former_tid: i32,
    },
    /// The program that the process executes: its path, or its name alone where no more is known.
    /// May follow [`What::Exec`]; [`What::Memory`] has it, too.
    Program(Vec<u8>),
    /// The private writable memory that the process has at this moment, where the source can tell:
    /// what was there before anything was asked for. Follows [`What::Started`], [`What::Exec`], or
    /// the first sight of a process that was running already.
    Memory(Memory),
    /// A watched system call came back. A successful exec is told by [`What::Exec`] instead.
    Call(Call),
    /// What stood in the way of the refused call that this thread's last event told of, where the
    /// source can tell. Told once for each [`Denied`](crate::Denied) of a process, until
    /// it executes another program.
    Refused(Box<Refusal>),
    /// So many bytes were read through a descriptor of this process since it was opened, or since
    /// this was told of it last; where the source can tell, which may be as late as just before it
    /// is closed. Of a file that isn't read from its beginning in one go it is how far the
    /// descriptor went.
    Read {
        /// The descriptor.
        fd: i32,
        /// How much.
        bytes: u64,
    },
    /// In which line of the log the call stands that this thread's last event told of. Told of mmaps
    /// that asked for an address, and by a source that has one log for all threads.
    Line(u64),
    /// A limit that the process has from here on, or was found to have.
    Limit(SoftLimit),
    /// This thread ended. When `tid` is `pid`, so did the process: a first thread that returns
    /// early is reported when the last of its fellows has ended.
    Exited(Ending),
}

/// A soft limit, the one that holds, as a call set it or was told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoftLimit {
    /// On what.
    pub resource: Resource,
    /// How much; `None` for no limit.
    pub bytes: Option<u64>,
}

/// What a limit is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Resource {
    /// `RLIMIT_DATA`: the break and, since Linux 4.7, all private writable memory but stacks.
    Data,
    /// `RLIMIT_AS`: all mappings.
    AddressSpace,
}

impl Resource {
    /// The name in setrlimit(2).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Data => "RLIMIT_DATA",
            Self::AddressSpace => "RLIMIT_AS",
        }
    }

    /// The resource of this name, if it is one of memory.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        [Self::Data, Self::AddressSpace]
            .into_iter()
            .find(|resource| resource.name().as_bytes() == name)
    }
}

/// How a process or thread ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It exited by itself with this status, 0 to 255.
    Code(i32),
    /// A signal ended it.
    #[serde(untagged)]
    Signal {
        /// Number of the signal.
        signal: i32,
        /// Whether the kernel wrote a core dump.
        #[serde(skip)]
        core_dumped: bool,
    },
}

impl Ending {
    /// Reads a status as `waitpid` gives it; `None` if it doesn't tell of an end.
    ///
    /// # References
    /// wait(2)
    pub fn from_wait_status(status: i32) -> Option<Self> {
        if libc::WIFEXITED(status) {
            Some(Self::Code(libc::WEXITSTATUS(status)))
        } else if libc::WIFSIGNALED(status) {
            Some(Self::Signal {
                signal: libc::WTERMSIG(status),
                core_dumped: libc::WCOREDUMP(status),
            })
        } else {
            None
        }
    }

    /// The status with which a shell reports this ending: the code, or 128 + the signal.
    pub fn shell_status(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal { signal, .. } => 128 + signal,
        }
    }

    /// True for exit status 0.
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }
}

impl From<std::process::ExitStatus> for Ending {
    /// The ending of a process that [`std::process::Child::wait`] waited for.
    fn from(status: std::process::ExitStatus) -> Self {
        use std::os::unix::process::ExitStatusExt;
        // `Child::wait` asks for ends alone (no WUNTRACED), so there is one. Should there be none
        // nevertheless, it must not look like a success.
        Self::from_wait_status(status.into_raw()).unwrap_or(Self::Code(255))
    }
}

/// A consumer of events: a story, or a tuple of stories told side by side.
///
/// It is called in the order in which the source saw the events. What it does delays the watched
/// program, so a sink should only count and remember, within constant memory.
pub trait Sink {
    /// Takes one event.
    fn take(&mut self, event: &Event);
}

impl<F: FnMut(&Event)> Sink for F {
    fn take(&mut self, event: &Event) {
        self(event);
    }
}

impl Sink for () {
    fn take(&mut self, _event: &Event) {}
}

impl Sink for Box<dyn Sink + Send> {
    fn take(&mut self, event: &Event) {
        (**self).take(event);
    }
}

/// Keeps every event: for tests and short runs, as memory grows with the run.
impl Sink for Vec<Event> {
    fn take(&mut self, event: &Event) {
        self.push(event.clone());
    }
}

macro_rules! sinks_side_by_side {
    ($($sink:ident),*) => {
        impl<$($sink: Sink),*> Sink for ($($sink),*) {
            fn take(&mut self, event: &Event) {
                #[allow(non_snake_case, reason = "each is called as its type is")]
                let ($($sink),*) = self;
                $($sink.take(event);)*
            }
        }
    };
}

sinks_side_by_side!(A, B);
sinks_side_by_side!(A, B, C);
sinks_side_by_side!(A, B, C, D);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_statuses() {
        assert_eq!(Ending::from_wait_status(7 << 8), Some(Ending::Code(7)));
        let killed = Ending::Signal { signal: 9, core_dumped: false };
        assert_eq!(Ending::from_wait_status(9), Some(killed));
        assert_eq!(killed.shell_status(), 137);
        let dumped = Ending::Signal { signal: 11, core_dumped: true };
        assert_eq!(Ending::from_wait_status(11 | 0x80), Some(dumped));
        assert_eq!(Ending::from_wait_status(0x137f), None, "stopped, not ended");
    }

    #[test]
    fn ending_in_json() {
        let json = |ending| serde_json::to_string(&ending).unwrap();
        assert_eq!(json(Ending::Code(3)), r#"{"code":3}"#);
        assert_eq!(json(Ending::Signal { signal: 6, core_dumped: true }), r#"{"signal":6}"#);
    }

    #[test]
    fn sinks_side_by_side() {
        let mut count = 0;
        let event = Event::new(1, 1, Duration::ZERO, What::Started);
        let mut sink = (Vec::new(), |_: &Event| count += 1, ());
        sink.take(&event);
        sink.take(&event);
        assert_eq!(sink.0.len(), 2);
        assert_eq!(count, 2);
    }
}
