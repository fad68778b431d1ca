//! What finds no room is counted.

use bpf_memory_trace::{Missed, Options, Seen};

use crate::harness::{Held, tracer, watched};

const CALLS: usize = 20_000;

fn told(options: Options, read: bool) -> Option<(usize, usize, Missed)> {
    let mut tracer = tracer(options)?;
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
    Some((records.len(), stacks, missed))
}

fn options(ring_bytes: u32, stack_bytes: u16) -> Options {
    let mut options = Options::default();
    (options.ring_bytes, options.stack_bytes) = (ring_bytes, stack_bytes);
    options
}

#[test]
fn received_and_lost_are_all_that_happened() {
    let Some((all, _, missed)) = told(options(16 << 20, 0), true) else {
        return;
    };
    assert_eq!(missed, Missed::default());
    assert!(all > CALLS, "and its end");
    let (received, _, missed) = told(options(4096, 0), false).unwrap();
    assert!(missed.ring_full > 0, "{received} of {all} found room in a page");
    assert_eq!(received + missed.ring_full as usize, all);
}

#[test]
fn a_stack_is_dropped_before_a_call_is() {
    let Some((received, stacks, missed)) = told(options(8 << 20, 1024), false) else {
        return;
    };
    // 1,152 bytes with a stack until half of 8 MiB is full, then 88.
    assert!((3_000..4_000).contains(&stacks), "{stacks}");
    assert!(received > CALLS, "{received}");
    assert_eq!(missed, Missed::default());
}
