//! Hooks: who is called, when, and where the process stands.

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, mpsc};

use heap_growth::Tally;
use memory_event::{Ending, Event, Stack, Syscall, What};
use memory_trace::{LaunchOptions, Stopped, Watch};

use super::harness::{compiled, is_alive, target, watch};

/// The word that a stopped thread's stack pointer points to, and its program counter.
#[cfg(target_arch = "x86_64")]
fn top_of_stack(tid: i32) -> (u64, u64) {
    use std::os::unix::fs::FileExt;
    let mut registers = std::mem::MaybeUninit::<libc::user_regs_struct>::zeroed();
    // SAFETY: GETREGS writes one user_regs_struct.
    let result = unsafe { libc::ptrace(libc::PTRACE_GETREGS, tid, 0, registers.as_mut_ptr()) };
    assert_eq!(result, 0, "a hook may make ptrace requests");
    // SAFETY: just written.
    let registers = unsafe { registers.assume_init() };
    let mut word = [0; 8];
    let memory = std::fs::File::open(format!("/proc/{tid}/mem")).unwrap();
    memory.read_exact_at(&mut word, registers.rsp).unwrap();
    (u64::from_ne_bytes(word), registers.rip)
}

#[test]
fn every_program_of_a_tree_stands_before_its_first_instruction() {
    for watch in [Watch::Calls, Watch::Life] {
        let (sender, programs) = mpsc::channel();
        let launch = LaunchOptions::new()
            .watch(watch)
            .at_exec(move |Stopped { pid, tid }| {
                assert_eq!(pid, tid);
                let mut words = Vec::new();
                let file = std::fs::File::open(format!("/proc/{pid}/cmdline"));
                file.unwrap().read_to_end(&mut words).unwrap();
                let words = words.iter().filter(|byte| **byte == 0).count() as u64;
                #[cfg(target_arch = "x86_64")]
                {
                    // System V ABI, “Initial Stack and Register State”: argc is on top.
                    let (argc, instruction) = top_of_stack(tid);
                    assert_eq!(argc, words);
                    assert_ne!(instruction, 0);
                }
                sender.send(words).unwrap();
            })
            .start(
                &target("sh").args(["-c", "cat /dev/null; (cat -u /dev/null); exec true"]),
                Tally::default(),
            )
            .unwrap();
        let finished = launch.wait().unwrap();
        assert!(finished.ending.success());
        assert_eq!(programs.iter().collect::<Vec<_>>(), [3, 2, 3, 1]);
        assert!(finished.cost.hook_seconds > 0.0);
        assert!(finished.cost.hook_seconds < finished.cost.wall_seconds);
        let execs = finished.sink.get(Syscall::Execve);
        assert_eq!(execs.calls - execs.failed, 3, "they are told all the same");
    }
}

#[test]
fn a_hook_at_exec_changes_no_count() {
    let target = target("sh").args(["-c", "cat /dev/null; exec ls /"]);
    let plain = watch(&target, Tally::default()).sink;
    let launch = LaunchOptions::new().at_exec(|_| ()).start(&target, Tally::default());
    assert_eq!(launch.unwrap().wait().unwrap().sink, plain);
}

#[test]
fn calls_that_made_memory_grow_carry_what_the_hook_gave() {
    let (sender, seen) = mpsc::channel();
    let launch = LaunchOptions::new()
        .at_growth(move |stopped, call| {
            sender.send((stopped.tid, call.args)).unwrap();
            let requested_bytes = Some(call.args[1]);
            Some(Arc::new(Stack::new(Vec::new(), false, requested_bytes)))
        })
        .start(&target(compiled("fallback")).arg("free"), Vec::new())
        .unwrap();
    let events: Vec<Event> = launch.wait().unwrap().sink;
    let mut seen = seen.iter();
    let mut last_break = 0;
    let mut grown = 0;
    for event in &events {
        let What::Call(call) = &event.what else {
            continue;
        };
        let writable = |protection: u64| protection & libc::PROT_WRITE as u64 != 0;
        let private = call.args[3] & libc::MAP_PRIVATE as u64 != 0;
        let grew = match (call.syscall, call.result) {
            (Syscall::Brk, Ok(end)) => {
                let before = std::mem::replace(&mut last_break, end);
                call.args[0] == end && end > before
            }
            (Syscall::Mmap, Ok(_)) => writable(call.args[2]) && private,
            (Syscall::Mprotect, Ok(_)) => writable(call.args[2]),
            _ => false,
        };
        assert_eq!(call.stack.is_some(), grew, "{call:?}");
        if let Some(stack) = &call.stack {
            assert_eq!(seen.next(), Some((event.tid, call.args)));
            assert_eq!(stack.requested_bytes, Some(call.args[1]));
            grown += u32::from(call.syscall == Syscall::Brk);
        }
    }
    assert_eq!(seen.next(), None);
    assert!(grown > 50, "8,000,000 bytes in steps of 132 KiB: {grown}");
}

#[test]
fn a_hook_that_panics_takes_the_run_with_it() {
    static PID: AtomicI32 = AtomicI32::new(0);
    let script = "sleep 300 & sleep 300 & true; true; kill -9 $$";
    for place in ["exec", "exit"] {
        let hook = move |stopped: Stopped| {
            PID.store(stopped.pid, Ordering::Relaxed);
            panic!("in the hook at {place}");
        };
        let options = LaunchOptions::new().watch(Watch::Life);
        let options = match place {
            "exec" => options.at_exec(hook),
            _ => options.at_exit(hook),
        };
        let run = || options.start(&target("sh").args(["-c", script]), ())?.wait();
        let panic = catch_unwind(AssertUnwindSafe(run)).err();
        let panic = panic.expect("the panic goes on");
        let message = panic.downcast_ref::<String>().unwrap();
        assert_eq!(*message, format!("in the hook at {place}"));
        assert!(!is_alive(PID.load(Ordering::Relaxed)));
    }
}

#[test]
fn a_hook_that_kills_ends_the_process() {
    let launch = LaunchOptions::new()
        .watch(Watch::Life)
        .at_exec(|stopped| {
            let killed =
                std::process::Command::new("kill").args(["-9", &stopped.pid.to_string()]).status();
            assert!(killed.unwrap().success());
        })
        .at_exit(|_| ())
        .start(&target("sleep").arg("300"), ());
    let ending = launch.unwrap().wait().unwrap().ending;
    assert!(matches!(ending, Ending::Signal { signal: 9, .. }));
}
