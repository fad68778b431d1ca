//! A process that allocates as fast as it can while it is looked at.

use std::process::Command;

use proc_memory::Process;
use ptmalloc::{Examiner, Unknown};

use super::target::Target;
use crate::compiled;

/// So many looks at eight threads that never rest, several at a time: a look at a process that is
/// at work is mostly waiting.
const LOOKS: usize = 1000;
const LOOKERS: usize = 8;

#[test]
fn every_answer_is_verified_or_none() {
    let program = compiled("programs/busy.c", "malloc-busy", &["-O1"]);
    let mut target = Target::of(&mut Command::new(program));
    assert_eq!(target.hear(), "running");
    let pid = target.pid();
    let answers: usize = std::thread::scope(|scope| {
        let lookers: Vec<_> =
            (0..LOOKERS).map(|_| scope.spawn(move || look_at(pid, LOOKS / LOOKERS))).collect();
        lookers.into_iter().map(|each| each.join().unwrap()).sum()
    });
    // How many figures there are among them depends on the machine.
    assert!(answers >= LOOKS, "{answers}");
    // It checked every block that it had, and says how many they were.
    let said = target.tell("stop");
    let rounds: u64 = said.strip_prefix("fine ").expect(&said).parse().unwrap();
    assert!(rounds > 0);
    assert!(target.child.wait().unwrap().success());
}

/// Looks at a process at work and checks what each look says; gives how many answers there were: a
/// figure or a reason for each arena, or a reason for all of them.
fn look_at(pid: i32, looks: usize) -> usize {
    let process = Process::open(pid).unwrap();
    let mut examiner = Examiner::new();
    let mut answers = 0;
    for _ in 0..looks {
        let state = match examiner.examine(&process).state {
            Ok(state) => state,
            Err(why) => {
                assert!(matches!(why, Unknown::AtWork(_)), "{why}");
                answers += 1;
                continue;
            }
        };
        answers += state.arenas.len();
        let arenas: u64 = state.arenas.iter().map(|arena| arena.system_bytes).sum();
        assert_eq!(arenas, state.system_bytes);
        for arena in &state.arenas {
            assert_eq!(arena.free.is_none(), arena.unknown.is_some(), "{arena:?}");
            let Some(free) = arena.free else {
                continue;
            };
            assert!(free.total_bytes() <= arena.system_bytes, "{arena:?}");
            assert!(free.returnable_bytes <= free.total_bytes(), "{arena:?}");
            assert!(free.chunks * 32 <= free.total_bytes(), "{arena:?}");
        }
        let all = state.arenas.iter().all(|arena| arena.free.is_some());
        assert_eq!(state.free_bytes.is_some(), all);
        assert_eq!(state.returnable_bytes.is_some(), all);
    }
    answers
}

#[test]
fn a_stopped_process_is_understood_at_once() {
    use nix::sys::signal::{Signal, kill};
    let program = compiled("programs/busy.c", "malloc-busy", &["-O1"]);
    let mut target = Target::of(&mut Command::new(program));
    assert_eq!(target.hear(), "running");
    let pid = nix::unistd::Pid::from_raw(target.pid());
    let mut known = 0;
    for _ in 0..20 {
        kill(pid, Signal::SIGSTOP).unwrap();
        nix::sys::wait::waitpid(pid, Some(nix::sys::wait::WaitPidFlag::WUNTRACED)).unwrap();
        // All of its arenas, but those that a thread was stopped in.
        if let Ok(state) = target.examine().state {
            known += state.arenas.iter().filter(|arena| arena.free.is_some()).count();
            let again = target.examine().state.unwrap();
            assert_eq!(state, again, "what stands still looks the same twice");
        }
        kill(pid, Signal::SIGCONT).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    assert!(known > 0);
    assert!(target.tell("stop").starts_with("fine "));
}

/// Looks at a process at work, each as if it were the first: how many of them know all arenas. None
/// takes what changes for a form that isn't known.
fn known_of(arguments: &[&str], looks: usize) -> usize {
    let program = compiled("programs/busy.c", "malloc-busy", &["-O1"]);
    let mut target = Target::of(Command::new(program).args(arguments));
    assert_eq!(target.hear(), "running");
    let mut known = 0;
    for _ in 0..looks {
        match target.examine().state {
            Ok(state) => known += usize::from(state.free_bytes.is_some()),
            Err(why) => assert!(matches!(why, Unknown::AtWork(_) | Unknown::NotUsed), "{why}"),
        }
    }
    assert!(target.tell("stop").starts_with("fine "));
    known
}

#[test]
fn a_busy_one_is_at_work_and_not_of_an_unknown_form() {
    known_of(&["8"], 100);
}

#[test]
fn one_that_takes_no_locks_is_at_work_and_not_of_an_unknown_form() {
    known_of(&["1"], 200);
}

#[test]
fn one_that_rests_now_and_then_is_known_now_and_then() {
    assert!(known_of(&["2", "1000"], 300) > 0);
}

#[test]
fn one_with_hardly_an_empty_bin_is_found() {
    let program = compiled("programs/full.c", "malloc-full", &["-O1"]);
    let tunables = "glibc.malloc.tcache_count=0";
    let mut shell = Command::new("env");
    let mut target = Target::of(shell.arg(format!("GLIBC_TUNABLES={tunables}")).arg(program));
    assert_eq!(target.hear(), "ready");
    let state = target.state();
    let free = state.arenas[0].free.unwrap();
    assert!(free.chunks >= 110, "{free:?}");
    assert!(free.small_bytes > 0 && free.large_bytes > 0, "{free:?}");
}
