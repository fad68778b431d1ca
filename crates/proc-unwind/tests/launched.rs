//! Together with the `launch` source, which stops the threads and calls for their stacks.

use std::sync::{Arc, Mutex};

use memory_event::{Event, Syscall, What};
use memory_trace::LaunchOptions;
use memory_trace::Target;
use proc_unwind::Stacks;

use crate::frames::{LARGE_BYTES, from};
use crate::harness::compiled;

#[test]
fn growth_is_told_with_its_stack() {
    let program = compiled("deep", "O2", &["-O2", "-fomit-frame-pointer"]);
    let stacks = Arc::new(Mutex::new(Stacks::new()));
    let (at_growth, at_exec) = (Arc::clone(&stacks), Arc::clone(&stacks));
    let launch = LaunchOptions::new()
        .at_growth(move |stopped, _| at_growth.lock().unwrap().of(stopped.pid, stopped.tid))
        .at_exec(move |stopped| at_exec.lock().unwrap().forget(stopped.pid))
        .start(&Target::new(program).arg("3"), Vec::<Event>::new())
        .unwrap();
    let finished = launch.wait().unwrap();
    assert!(finished.ending.success());
    let large = finished.sink.iter().filter_map(|event| match &event.what {
        What::Call(call)
            if call.syscall == Syscall::Mmap && call.args[1] / 8192 == LARGE_BYTES / 8192 =>
        {
            call.stack.clone()
        }
        _ => None,
    });
    let large: Vec<_> = large.collect();
    assert_eq!(large.len(), 2);
    for stack in large {
        assert_eq!(from(&stack, "allocate_here")[1..5], ["go_down"; 4]);
        assert_eq!(stack.requested_bytes, Some(LARGE_BYTES));
    }
    assert_eq!(stacks.lock().unwrap().notes(), [""; 0]);
}
