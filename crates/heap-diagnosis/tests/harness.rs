//! Starts programs whose break is known, and asks about it in both ways.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use heap_diagnosis::{Finding, process_findings};
use proc_memory::{AddressSpace, BreakState, FoundBy, Process};
use ptmalloc::{Examiner, HeapState};

use crate::compiled;
use suite::answering::Answering;

pub const MIB: u64 = 1 << 20;

/// A program that waits for its input; killed and reaped when dropped.
pub struct Running(Answering);

impl Running {
    /// Starts what the command says, with pipes for its input and output.
    pub fn start(command: &mut Command) -> Self {
        Self(Answering::start(command))
    }

    pub fn pid(&self) -> i32 {
        self.0.pid()
    }

    pub fn process(&self) -> Process {
        Process::open(self.pid()).unwrap()
    }

    /// The state of its break; found alike by queries and from the list. A program that still loads
    /// something is asked again.
    pub fn break_state(&self) -> BreakState {
        const ATTEMPTS: usize = 100;
        for _ in 0..ATTEMPTS {
            let state = BreakState::of(&self.process()).unwrap();
            let space = AddressSpace::of(self.pid()).unwrap();
            if state == BreakState::of(&self.process()).unwrap() {
                same_answer(&state, &space);
                return state;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("process {}: its break never stays the same", self.pid());
    }

    pub fn malloc(&self) -> HeapState {
        let examination = Examiner::new().examine(&self.process());
        examination.state.expect("glibc's malloc can be read")
    }

    pub fn findings(&self) -> Vec<Finding> {
        process_findings(&self.break_state(), Some(&self.malloc()), None)
    }
}

/// `scene.c`, compiled with these arguments of the compiler.
pub fn scene_with(name: &str, arguments: &[&str]) -> PathBuf {
    compiled("scene.c", name, arguments)
}

pub fn scene_program() -> PathBuf {
    scene_with("break-scene", &["-O1"])
}

/// The break of a scene, once it is there.
pub struct Scene {
    pub running: Running,
    /// As the process itself sees it.
    pub own_break: u64,
}

impl Scene {
    /// The steps are separated by spaces.
    pub fn play(steps: &str) -> Self {
        let program = scene_program();
        Self::play_by(Command::new(program).args(steps.split_whitespace()))
    }

    pub fn play_by(command: &mut Command) -> Self {
        let mut running = Running::start(command);
        let line = running.0.hear();
        let own_break =
            u64::from_str_radix(&line, 16).unwrap_or_else(|_| panic!("{command:?} said {line:?}"));
        Self { running, own_break }
    }

    pub fn state(&self) -> BreakState {
        self.running.break_state()
    }

    /// Whether the kernel grants so many bytes more.
    pub fn grants(&mut self, bytes: u64) -> bool {
        self.running.0.tell(&bytes.to_string()) == "1"
    }
}

/// Whether this kernel answers queries; if not, both answers come from the list.
pub fn has_queries() -> bool {
    let process = Process::open(i32::try_from(std::process::id()).unwrap()).unwrap();
    BreakState::of(&process).unwrap().found_by == FoundBy::ProcmapQuery
}

pub fn same_answer(state: &BreakState, space: &AddressSpace) {
    let listed = space.program_break().expect("the heap has a start");
    let by_list = (
        listed.start,
        listed.end,
        listed.room_bytes,
        listed.growable_bytes,
        listed.blocked,
        listed.blocker.as_ref(),
    );
    let by_query = (
        state.start,
        state.end,
        state.room_bytes,
        state.growable_bytes,
        state.blocked,
        state.blocker.as_ref(),
    );
    assert_eq!(by_query, by_list, "process {}", state.pid);
}

/// Kinds of findings that are about the break.
pub fn about_the_break(findings: &[Finding]) -> Vec<&str> {
    findings
        .iter()
        .map(|finding| &*finding.kind)
        .filter(|kind| kind.starts_with("break-"))
        .collect()
}
