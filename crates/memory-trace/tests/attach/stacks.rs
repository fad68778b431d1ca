//! Who made the calls by which memory grows.

use std::sync::{Arc, Mutex};

use memory_event::{Stack, Syscall, What};
use memory_trace::{AttachNote, AttachOptions, Caller, Via};

use super::harness::{Subject, ways};

#[test]
fn each_growth_and_nothing_else_is_asked_for() {
    for &via in ways() {
        let mut subject = Subject::new(&["calls"]);
        let pid = subject.pid();
        let options = AttachOptions::new().via(via).stack_bytes(2048);
        let options = options.at_growth(move |caller, call| {
            match caller {
                Caller::Stopped(stopped) => assert_eq!((stopped.pid, via), (pid, Via::Ptrace)),
                Caller::Copied { pid: of, stack } => {
                    assert_eq!(of, pid);
                    let [rip, rsp, ..] = stack.registers;
                    assert!(rip > 0x1000 && rsp % 8 == 0, "{rip:#x} {rsp:#x}");
                    let (start, bytes) = &stack.parts[0];
                    assert!((rsp - 1023..=rsp).contains(start), "{rsp:#x} {start:#x}");
                    // Main's stack ends a few KiB above.
                    assert!((1024..=2048).contains(&bytes.len()), "{}", bytes.len());
                }
                other => panic!("{other:?}"),
            }
            Some(Arc::new(Stack::new(vec![call.syscall.name().into()], false, None)))
        });
        let attach = options.start(&[pid], Vec::new()).unwrap();
        subject.finish();
        let watched = attach.wait().unwrap();
        assert_eq!(watched.lost_events, 0);
        let mut highest = 0;
        let mut grown = 0;
        for event in &watched.sink {
            let What::Call(call) = &event.what else { continue };
            let grew = call.syscall == Syscall::Brk && !call.failed() && call.args[0] > highest;
            assert_eq!(call.stack.is_some(), grew, "{via:?}: {call:?}");
            if grew {
                assert_eq!(&*call.stack.as_ref().unwrap().frames[0], "brk");
                grown += 1;
            }
            if call.syscall == Syscall::Brk {
                highest = highest.max(call.result.unwrap());
            }
        }
        assert_eq!(grown, 10, "{via:?}");
        assert!(!watched.notes.iter().any(|note| matches!(note, AttachNote::DroppedStacks { .. })));
    }
}

/// A stack is left out before a call is, and that is counted.
#[test]
fn stacks_that_find_no_room_are_counted() {
    if !ways().contains(&Via::Bpf) {
        return;
    }
    let mut subject = Subject::new(&["grows"]);
    let kept = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&kept);
    // Reading is held up at the first one, until the ring is half full.
    let options = AttachOptions::new().via(Via::Bpf).ring_bytes(1 << 20).at_growth(move |_, _| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        *counted.lock().unwrap() += 1;
        Some(Arc::new(Stack::default()))
    });
    let attach = options.start(&[subject.pid()], Vec::new()).unwrap();
    subject.finish();
    let watched = attach.wait().unwrap();
    assert_eq!(watched.lost_events, 0);
    let dropped = watched.notes.iter().find_map(|note| match note {
        AttachNote::DroppedStacks { calls } => Some(*calls),
        _ => None,
    });
    let grown = watched.sink.iter().filter(|event| {
        matches!(&event.what, What::Call(call) if call.syscall == Syscall::Brk && !call.failed())
    });
    // And the question where the break is.
    assert_eq!(grown.count(), 500 + 1);
    assert_eq!(*kept.lock().unwrap() + dropped.expect("most"), 500);
}
