//! Records that find no room are counted, not passed over.

use heap_growth::Tally;
use memory_trace::{Attach, AttachNote, AttachOptions, Via};

use super::harness::{Subject, attach, ways};
use memory_event::Syscall;

/// Calls of the program's part `flood`.
const CALLS: u64 = 40_000;

#[test]
fn what_overflows_is_counted() {
    if !ways().contains(&Via::Tracepoints) {
        return;
    }
    let mut subject = Subject::new(&["flood"]);
    let slow = |_: &memory_event::Event| {
        std::thread::sleep(std::time::Duration::from_micros(200));
    };
    let sink = (Tally::default(), slow);
    let attach = AttachOptions::new()
        .via(Via::Tracepoints)
        .ring_bytes(1)
        .start(&[subject.pid()], sink)
        .unwrap();
    subject.finish();
    let watched = attach.wait().unwrap();
    let tally = &watched.sink.0;
    let seen = tally.get(Syscall::Mmap).calls + tally.get(Syscall::Munmap).calls;
    assert!(watched.lost_events > 0);
    assert!(seen < CALLS, "{seen} of {CALLS}");
    // Births and ends may be among the lost ones, too.
    let sum = seen + watched.lost_events;
    assert!((CALLS..CALLS + 10).contains(&sum), "{seen} seen, {sum} in all");
}

#[test]
#[ignore = "switches ftrace off for the whole machine"]
fn programs_that_are_switched_off_meanwhile_are_noticed() {
    if !ways().contains(&Via::Bpf) {
        return;
    }
    const SWITCH: &str = "/proc/sys/kernel/ftrace_enabled";
    let mut subject = Subject::new(&["calls"]);
    let by_bpf = attach(subject.pid(), Via::Bpf);
    std::fs::write(SWITCH, "0").unwrap();
    subject.finish();
    let watched = by_bpf.wait().unwrap();
    std::fs::write(SWITCH, "1").unwrap();
    let notes = watched.notes.iter().map(ToString::to_string).collect::<String>();
    let at_sys_exit = watched.notes.iter().any(|note| matches!(note, AttachNote::AtSysExit { .. }));
    // A tracepoint isn't a function's.
    assert_ne!(at_sys_exit, notes.contains("kernel.ftrace_enabled is 0"), "{notes}");
}

#[test]
fn by_default_a_burst_fits() {
    if !ways().contains(&Via::Tracepoints) {
        return;
    }
    let mut subject = Subject::new(&["flood"]);
    let attach = Attach::start(subject.pid(), Via::Tracepoints, Tally::default()).unwrap();
    subject.finish();
    let watched = attach.wait().unwrap();
    assert_eq!(watched.lost_events, 0);
    let calls = |syscall| watched.sink.get(syscall).calls;
    assert_eq!(calls(Syscall::Mmap) + calls(Syscall::Munmap), CALLS);
}
