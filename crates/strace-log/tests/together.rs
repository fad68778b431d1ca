//! The logs of `strace -ff`, one for each thread.

use memory_event::{Event, What};
use strace_log::{LogNote, ReadLog, StraceLog};

fn together(logs: &[(&str, &str)]) -> ReadLog<Vec<Event>> {
    let mut reader = StraceLog::new(Vec::new());
    let inputs = logs.iter().map(|(name, log)| ((*name).to_owned(), log.as_bytes()));
    reader.read_together(inputs.collect()).unwrap();
    let mut finished = reader.finish();
    finished.sink.retain(|event| !matches!(event.what, What::Program(_)));
    finished
}

fn order(finished: &ReadLog<Vec<Event>>) -> Vec<(i32, i32, u128)> {
    let events = finished.sink.iter();
    events.map(|event| (event.pid, event.tid, event.at.as_micros())).collect()
}

#[test]
fn merged_by_time_over_midnight() {
    let first = "23:59:59.999990 execve(\"/bin/x\", [\"x\"], 0x7ffe) = 0\n\
                 23:59:59.999991 clone3({flags=CLONE_VM|CLONE_THREAD} => {parent_tid=[12]}, 88) = 12\n\
                 00:00:00.000003 brk(NULL) = 0x1000\n\
                 \x20> /lib/libc.so.6(sbrk+0x12) [0x12]\n\
                 \x20> /bin/x(main+0x2) [0x2]\n\
                 00:00:00.000005 +++ exited with 0 +++\n";
    let second = "23:59:59.999999 brk(NULL) = 0x1000\n\
                  00:00:00.000004 +++ exited with 0 +++\n";
    let finished = together(&[("log.11", first), ("log.12", second)]);
    assert_eq!(
        order(&finished),
        [(11, 11, 0), (11, 11, 1), (11, 12, 9), (11, 11, 13), (11, 12, 14), (11, 11, 15)]
    );
    let What::Call(call) = &finished.sink[3].what else {
        panic!("{:?}", finished.sink[3]);
    };
    let stack = call.stack.as_ref().expect("its stack stays with it");
    assert_eq!(stack.frames.iter().map(|frame| &**frame).collect::<Vec<_>>(), ["sbrk", "main"]);
    assert_eq!(finished.notes, []);
    assert!(finished.ending.unwrap().success());
}

#[test]
fn without_times_one_after_another() {
    let first = "execve(\"/bin/x\", [\"x\"], 0x7ffe) = 0\nfork() = 12\n+++ exited with 3 +++\n";
    let finished = together(&[("log.11", first), ("log.12", "brk(NULL) = 0x1000\n")]);
    assert_eq!(order(&finished), [(11, 11, 0), (11, 11, 0), (11, 11, 0), (12, 12, 0)]);
    assert_eq!(finished.notes, [LogNote::NotMerged { logs: 2 }]);
    assert_eq!(finished.ending.unwrap().shell_status(), 3);
}

/// The thread's id is the lower one.
#[test]
fn without_times_where_ids_have_come_round() {
    let thread = "rseq(0x7f0, 0x20, 0, 0x53053053) = 0\nbrk(NULL) = 0x1000\n";
    let first = "execve(\"/bin/x\", [\"x\"], 0x7ffe) = 0\n\
                 clone3({flags=CLONE_VM|CLONE_THREAD} => {parent_tid=[301]}, 88) = 301\n";
    let finished = together(&[("log.301", thread), ("log.32767", first)]);
    assert_eq!(order(&finished), [(32767, 32767, 0), (32767, 32767, 0), (32767, 301, 0)]);
    assert_eq!(finished.notes, [LogNote::NotMerged { logs: 2 }]);
}

#[test]
fn one_that_is_no_log_is_named() {
    let mut reader = StraceLog::new(());
    let inputs = vec![("a.1".to_owned(), &b"brk(NULL) = 0x1\n"[..]), ("b.2".to_owned(), b"")];
    let error = reader.read_together(inputs).unwrap_err().to_string();
    assert!(error.contains("b.2 is empty"), "{error}");
}
