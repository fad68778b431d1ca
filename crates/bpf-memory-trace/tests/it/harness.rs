//! A program that is held until it is watched.

use std::io::Write;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use bpf_memory_trace::{Hook, Missed, Options, Record, Tracer};
use suite::waiting::{ended, eventually};

use crate::compiled;

/// The hooks that can be had here; if there is none, says why.
pub fn all_hooks() -> &'static [Hook] {
    static HOOKS: OnceLock<Vec<Hook>> = OnceLock::new();
    let hooks = HOOKS.get_or_init(|| {
        let works = |hook: &Hook| Tracer::new(*hook, Options::default()).is_ok();
        let all = [Hook::KprobeMulti, Hook::Fexit, Hook::SysExit];
        all.into_iter().filter(works).collect()
    });
    if hooks.is_empty() {
        let refused = Tracer::new(Hook::SysExit, Options::default()).map(drop);
        suite::skipped(format_args!("bpf(2): {}", refused.expect_err("no hook works")));
    }
    hooks
}

/// Of these, those that miss nothing.
pub fn hooks() -> impl Iterator<Item = Hook> {
    all_hooks().iter().copied().filter(|hook| hook.is_reliable_here().is_ok())
}

/// A program that waits.
pub struct Held {
    child: Child,
    stdin: ChildStdin,
}

impl Held {
    /// Of `work.c`.
    pub fn new(arguments: &[&str]) -> Self {
        Self::of(Command::new(compiled("programs/work.c", "bpf-work", &["-O1"])).args(arguments))
    }

    pub fn of(program: &mut Command) -> Self {
        let mut child = program.stdin(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let held = Self { child, stdin };
        eventually("it reads", || {
            let call = std::fs::read_to_string(format!("/proc/{}/syscall", held.pid()));
            // 3: of 32-bit code.
            call.is_ok_and(|call| call.starts_with("0 0x0 ") || call.starts_with("3 0x0 "))
        });
        held
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn go(&mut self) {
        self.stdin.write_all(b"g\n").unwrap();
    }

    pub fn ended(&mut self) {
        ended(&mut self.child);
    }
}

/// Watches the program from where it waits to its end.
pub fn watched(tracer: &mut Tracer, held: &mut Held) -> (Vec<Record>, Missed) {
    let mut records = Vec::new();
    tracer.watch(held.pid()).unwrap();
    held.go();
    loop {
        tracer.read(|record| records.push(record));
        let alive = std::fs::read_to_string(format!("/proc/{}/stat", held.pid()));
        if !alive.is_ok_and(|stat| !stat.contains(") Z ")) {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    held.ended();
    let missed = tracer.finish(|record| records.push(record)).unwrap();
    (records, missed)
}
