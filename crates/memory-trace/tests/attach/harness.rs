//! What the tests share: the program that does what it is told, and the ways of watching it.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::OnceLock;

use heap_growth::Counts;
use memory_event::{Call, Event, Syscall, What};
use memory_trace::{Attach, Attached, Via, ViaUsed};

pub use suite::waiting::eventually;
use suite::waiting::{Patient, children, ended, lines};

use crate::compiled;
use suite::skipped;

/// The size of the mappings that are counted, as in `program.c`.
pub const COUNTED_BYTES: u64 = 0x7000;

/// Compiles `program.c` once.
pub fn program() -> PathBuf {
    compiled("attach/program.c", "attach-program", &["-O1"])
}

/// The program, running; killed when dropped. A shell is its parent, as a tracer can't be.
pub struct Subject {
    shell: Child,
    pid: i32,
    ended: bool,
    stdin: ChildStdin,
    stdout: BufReader<Patient<ChildStdout>>,
}

impl Subject {
    /// Starts it, and waits until it is ready.
    pub fn new(arguments: &[&str]) -> Self {
        Self::of(program(), arguments)
    }

    /// Starts another program, which is ready when it has said so.
    pub fn of(program: PathBuf, arguments: &[&str]) -> Self {
        let mut shell = Command::new("sh")
            .args(["-c", "exec 3<&0; \"$0\" \"$@\" <&3 3<&- & wait $!"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Where the shell says that its child was killed.
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdin = shell.stdin.take().unwrap();
        let stdout = lines(shell.stdout.take().unwrap());
        let mut subject = Self { shell, pid: 0, ended: false, stdin, stdout };
        let said = subject.hear();
        assert!(said == "ready" || said == "tick", "{said:?}");
        subject.pid = children(subject.shell.id().cast_signed())[0];
        subject
    }

    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Lets it go on.
    pub fn go(&mut self) {
        self.stdin.write_all(b"g").unwrap();
        self.stdin.flush().unwrap();
    }

    /// What it says next.
    pub fn hear(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Lets it do its work, and then end.
    pub fn finish(&mut self) -> ExitStatus {
        self.go();
        assert_eq!(self.hear(), "done");
        self.go();
        self.wait()
    }

    pub fn kill(&mut self) {
        let pid = self.pid.to_string();
        let status = Command::new("kill").args(["-KILL", &pid]).status();
        assert!(status.unwrap().success());
    }

    /// How it ended, as the shell says it.
    pub fn wait(&mut self) -> ExitStatus {
        let status = ended(&mut self.shell);
        self.ended = true;
        status
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // Its end is the shell's; whether it ended meanwhile doesn't matter here.
        if !self.ended {
            // 0, as long as it isn't ready, would be these tests themselves.
            let _ = match self.pid {
                0 => self.shell.kill(),
                pid => Command::new("kill").args(["-KILL", &pid.to_string()]).status().map(drop),
            };
            let _ = self.shell.wait();
        }
    }
}

/// The ways of watching that work here.
pub fn ways() -> &'static [Via] {
    static WAYS: OnceLock<Vec<Via>> = OnceLock::new();
    WAYS.get_or_init(|| {
        let wanted = [(Via::Bpf, ViaUsed::Bpf), (Via::Tracepoints, ViaUsed::Tracepoints)];
        let subject = Subject::new(&["calls"]);
        let usable =
            wanted.into_iter().filter(|(via, used)| match Attach::start(subject.pid(), *via, ()) {
                Ok(attach) => {
                    assert_eq!(attach.via(), *used);
                    true
                }
                Err(error) => {
                    let lacks = if *via == Via::Bpf { "bpf(2)" } else { "tracepoints" };
                    skipped(format_args!("{lacks}: {error}"));
                    false
                }
            });
        usable.map(|(via, _)| via).chain([Via::Ptrace]).collect()
    })
}

pub fn attach(pid: i32, via: Via) -> Attach<Vec<Event>> {
    Attach::start(pid, via, Vec::new()).unwrap_or_else(|error| panic!("{via:?}: {error}"))
}

/// Calls of one kind and how many failed.
pub fn counted(watched: &Attached<Vec<Event>>, syscall: Syscall) -> Counts {
    let mut counts = Counts::default();
    for event in &watched.sink {
        if let What::Call(call) = &event.what
            && call.syscall == syscall
        {
            counts.calls += 1;
            counts.failed += u64::from(call.failed());
        }
    }
    counts
}

/// Successful calls of one kind.
pub fn calls(watched: &Attached<Vec<Event>>, syscall: Syscall) -> Vec<&Call> {
    let calls = watched.sink.iter().filter_map(|event| match &event.what {
        What::Call(call) if call.syscall == syscall && !call.failed() => Some(call),
        _ => None,
    });
    calls.collect()
}

/// How many mappings of the counted size were made, and how many of them removed.
pub fn mapped(watched: &Attached<Vec<Event>>) -> (usize, usize) {
    let of = |wanted: Syscall| {
        let calls = watched.sink.iter().filter(|event| {
            matches!(&event.what, What::Call(call)
                if call.syscall == wanted && call.args[1] == COUNTED_BYTES && !call.failed())
        });
        calls.count()
    };
    (of(Syscall::Mmap), of(Syscall::Munmap))
}

/// State letter and tracer of a process.
pub fn state(pid: i32) -> (char, i32) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim().to_owned()
    };
    let state = field("State:").chars().next().unwrap();
    (state, field("TracerPid:").parse().unwrap())
}
