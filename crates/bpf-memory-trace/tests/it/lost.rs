//! What finds no room is counted.

use bpf_memory_trace::{Hook, Missed, Options, Seen, Tracer};

use crate::harness::{Held, hooks, watched};

const CALLS: usize = 20_000;

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
    for &hook in hooks() {
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
    for &hook in hooks() {
        let (received, stacks, missed) = told(hook, options(8 << 20, 1024), false);
        // 1,176 bytes with a stack until half of 8 MiB is full, then 88.
        assert!((3_000..4_000).contains(&stacks), "{stacks} by {hook:?}");
        assert!(received > CALLS, "{received} by {hook:?}");
        assert_eq!(missed, Missed::default(), "{hook:?}");
    }
}
