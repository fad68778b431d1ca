//! What finds no room is counted.

use std::process::{Child, Command};

use bpf_memory_trace::{Hook, Missed, Options, Record, Seen, Tracer};
use memory_event::Syscall;
use suite::waiting::eventually;

use crate::harness::{Held, all_hooks, hooks, watched};

const CALLS: usize = 20_000;
/// Of one of many.
const EACH: usize = 4_000;

fn told(hook: Hook, options: Options, read: bool) -> (usize, usize, Missed) {
    let mut tracer = Tracer::new(hook, options).unwrap();
    let mut held = Held::new(&["calls", &CALLS.to_string()]);
    let mut stacks = 0;
    let (records, missed) = match read {
        true => watched(&mut tracer, &mut held),
        false => {
            tracer.watch(held.pid()).unwrap();
            held.go();
            held.ended();
            let mut records = Vec::new();
            let missed = tracer.finish(|record| records.push(record)).unwrap();
            (records, missed)
        }
    };
    for record in &records {
        if let Seen::Returned { stack: Some(_), .. } = record.what {
            stacks += 1;
        }
    }
    (records.len(), stacks, missed)
}

fn options(ring_bytes: u32, stack_bytes: u16) -> Options {
    let mut options = Options::default();
    (options.ring_bytes, options.stack_bytes) = (ring_bytes, stack_bytes);
    options
}

#[test]
fn received_and_lost_are_all_that_happened() {
    for hook in hooks() {
        let (all, _, missed) = told(hook, options(16 << 20, 0), true);
        assert_eq!(missed, Missed::default(), "{hook:?}");
        assert!(all > CALLS, "and its end: {all} by {hook:?}");
        let (received, _, missed) = told(hook, options(4096, 0), false);
        assert!(missed.ring_full > 0, "{received} of {all} found room");
        assert_eq!(received + missed.ring_full as usize, all, "{hook:?}");
    }
}

#[test]
fn a_stack_is_dropped_before_a_call_is() {
    for hook in hooks() {
        let (received, stacks, missed) = told(hook, options(8 << 20, 1024), false);
        // 1,176 bytes with a stack until half of 8 MiB is full, then 88.
        assert!((3_000..4_000).contains(&stacks), "{stacks} by {hook:?}");
        assert!(received > CALLS, "{received} by {hook:?}");
        assert_eq!(missed, Missed::default(), "{hook:?}");
    }
}

/// What arrived of so many calls, and what is said to be missing. Nothing is where the hook is
/// said to be reliable.
fn accounted(hook: Hook, calls: usize, records: &[Record], missed: Missed) {
    let is_call =
        |record: &&Record| matches!(record.what, Seen::Returned { syscall: Syscall::Brk, .. });
    let arrived = records.iter().filter(is_call).count();
    let lost = (missed.ring_full + missed.skipped + missed.no_return_slot) as usize;
    suite::remarked(format_args!("{hook:?}: {arrived} of {calls} arrived, {lost} lost"));
    match hook.is_reliable_here() {
        Ok(()) => assert_eq!((arrived, missed), (calls, Missed::default()), "{hook:?}"),
        // Losses are those of all processes.
        Err(_) => assert!(arrived <= calls && arrived + lost >= calls, "{hook:?}: {missed:?}"),
    }
}

#[test]
fn what_preemption_skips_is_counted() {
    for &hook in all_hooks() {
        let mut tracer = Tracer::new(hook, Options::default()).unwrap();
        let mut six: [Held; 6] = std::array::from_fn(|_| Held::new(&["calls", &EACH.to_string()]));
        for held in &mut six {
            tracer.watch(held.pid()).unwrap();
            held.go();
        }
        for held in &mut six {
            held.ended();
        }
        let mut records = Vec::new();
        let missed = tracer.finish(|record| records.push(record)).unwrap();
        accounted(hook, six.len() * EACH, &records, missed);
    }
}

/// Each has entered a call and has not come back.
#[test]
fn returns_are_told_or_counted_while_many_wait_in_calls() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for &hook in all_hooks() {
        let mut tracer = Tracer::new(hook, Options::default()).unwrap();
        let mut held = Held::new(&["calls", &EACH.to_string()]);
        let mut waiting: [Child; 120] =
            std::array::from_fn(|_| Command::new("cat").arg(&pipe).spawn().unwrap());
        for child in &waiting {
            eventually("it opens the pipe", || {
                let call = std::fs::read_to_string(format!("/proc/{}/syscall", child.id()));
                call.is_ok_and(|call| call.starts_with("257 "))
            });
        }
        let (records, missed) = watched(&mut tracer, &mut held);
        for child in &mut waiting {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        accounted(hook, EACH, &records, missed);
    }
}
