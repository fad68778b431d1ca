//! New threads and processes that speak before the call that made them comes back: up to strace 5
//! `clone` tells what it makes when it has returned.

use heap_growth::{GrowthKind, Story};
use memory_event::{Event, Syscall, What};
use strace_log::{LogNote, ReadLog, StraceLog};

use super::read;

const MIB: i64 = 1 << 20;

const THREAD: &str = "child_stack=0x7f5d1cbfeff0, flags=CLONE_VM|CLONE_FS|CLONE_FILES|\
                      CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM|CLONE_SETTLS, tls=0x7f5d1cbff700";
const PROCESS: &str = "child_stack=0, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, \
                       child_tidptr=0x7f5d1cbff9d0";

fn story(log: &str) -> ReadLog<Story> {
    let mut reader = StraceLog::new(Story::default());
    reader.read("log", log.as_bytes()).unwrap();
    let finished = reader.finish();
    assert_eq!(finished.unread.count, 0, "{:?}", finished.unread);
    finished
}

fn growth(story: &Story) -> (i64, i64) {
    let growth = &story.growth;
    (growth.by_kind().total(), growth.peak().total())
}

/// pid, tid and what was done, in short.
fn told(events: &[Event]) -> Vec<(i32, i32, String)> {
    let short = |event: &Event| match &event.what {
        What::Forked { child, thread } => {
            format!("{} {child}", if *thread { "thread" } else { "process" })
        }
        What::Call(call) => call.syscall.name().to_owned(),
        What::Exec { .. } => "exec".to_owned(),
        What::Exited(_) => "exited".to_owned(),
        _ => "started".to_owned(),
    };
    let events = events.iter();
    events.map(|event| (event.pid, event.tid, short(event))).collect()
}

fn expected(events: &[(i32, i32, &str)]) -> Vec<(i32, i32, String)> {
    let owned = |(pid, tid, what): &(i32, i32, &str)| (*pid, *tid, (*what).to_owned());
    events.iter().map(owned).collect()
}

/// As without `-f`.
#[test]
fn that_nobody_was_followed_is_said() {
    let shell = "execve(\"/bin/sh\", [\"sh\"], 0x7ffe /* 9 vars */) = 0\n\
                 vfork() = 12\nvfork() = 13\nexit_group(0) = ?\n+++ exited with 0 +++\n";
    let notes = story(shell).notes;
    assert_eq!(notes, [LogNote::NotFollowed { count: 2 }]);
    assert!(notes[0].to_string().starts_with("2 processes or threads were made, and the log has"));
    let followed = format!("[pid 12] +++ exited with 0 +++\n{shell}");
    assert!(!story(&followed).notes.contains(&notes[0]));
}

/// By what was executed, in whichever of its forms; a process that was forked has its parent's.
#[test]
fn programs_have_the_names_that_they_were_executed_by() {
    let log = "300 execve(\"/bin/sh\", [\"sh\"], 0x7ffe /* 9 vars */) = 0\n\
               300 fork() = 301\n\
               301 brk(0) = 0x600000\n\
               301 brk(0x700000) = 0x700000\n\
               301 execve(\"./e\\164\", [\"eat\"], 0x7ffe /* 9 vars */ <unfinished ...>\n\
               300 brk(0) = 0x600000\n\
               300 brk(0x900000) = 0x900000\n\
               301 <... execve resumed>) = 0\n\
               301 brk(0) = 0x600000\n\
               301 brk(0xa00000) = 0xa00000\n\
               301 +++ exited with 0 +++\n\
               300 +++ exited with 0 +++\n";
    let growth = story(log).sink.growth;
    let named = growth.by_process().into_iter().map(|program| {
        let name = program.program.map(|name| String::from_utf8_lossy(&name).into_owned());
        (program.pid, name.unwrap_or_default(), program.bytes / MIB)
    });
    let expected = [(301, "./et", 4), (300, "/bin/sh", 3), (301, "/bin/sh", 1)];
    assert_eq!(
        named.collect::<Vec<_>>(),
        expected.map(|(pid, name, mib)| (pid, name.to_owned(), mib))
    );
}

/// A break that two threads move in turn, the second before anybody knows that it is one.
#[test]
fn a_thread_that_speaks_before_its_clone_returns() {
    let log = format!(
        "300 execve(\"/bin/y\", [\"y\"], [/* 9 vars */]) = 0\n\
         300 brk(0) = 0x600000\n\
         300 brk(0x700000) = 0x700000\n\
         300 clone( <unfinished ...>\n\
         301 set_robust_list(0x7f5d1cbff9e0, 24) = 0\n\
         301 brk(0x900000) = 0x900000\n\
         301 open(\"/etc/hosts\", O_RDONLY) = 3\n\
         301 brk(0xa00000) = 0xa00000\n\
         301 close(3) = 0\n\
         300 <... clone resumed> {THREAD}) = 301\n\
         300 brk(0xb00000) = 0xb00000\n\
         301 brk(0x800000) = 0x800000\n\
         301 _exit(0) = ?\n\
         301 +++ exited with 0 +++\n\
         300 +++ exited with 0 +++\n"
    );
    let finished = story(&log);
    let story = &finished.sink;
    assert_eq!(story.processes(), 1);
    assert_eq!(growth(story), (2 * MIB, 5 * MIB));
    assert_eq!(story.tally.get(Syscall::Brk).calls, 6);
    let file = story.growth.by_file()[0];
    assert_eq!((file.opens, file.bytes()), (1, MIB as u64));
    assert_eq!(finished.notes, []);

    let events = read("log", log.as_bytes()).sink;
    assert_eq!(
        told(&events)[2..6],
        expected(&[
            (300, 300, "brk"),
            (300, 300, "thread 301"),
            (300, 301, "brk"),
            (300, 301, "open"),
        ])
    );
}

/// What one thread maps, another may unmap.
#[test]
fn what_an_early_thread_unmaps_is_gone() {
    let map = |at: &str| {
        format!(
            "mmap(NULL, 4194304, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = {at}\n"
        )
    };
    let finished = story(&format!(
        "[pid 40] {}[pid 40] clone(Process 41 attached\n \
         <unfinished ...>\n\
         [pid 41] munmap(0x7f1000000000, 4194304) = 0\n\
         [pid 41] {}[pid 40] <... clone resumed> {THREAD}) = 41\n\
         [pid 40] munmap(0x7f1010000000, 4194304) = 0\n",
        map("0x7f1000000000"),
        map("0x7f1010000000"),
    ));
    assert_eq!(finished.sink.processes(), 1);
    assert_eq!(growth(&finished.sink), (0, 4 * MIB));
    assert_eq!(finished.sink.growth.returned_bytes(), 8 * MIB as u64);
    assert_eq!(finished.sink.growth.by_kind()[GrowthKind::Earlier], 0);
}

/// The same form, but a process: what it inherits isn't growth, its break is its own.
#[test]
fn a_process_in_the_same_form_stays_one() {
    let log = format!(
        "50 brk(0) = 0x600000\n\
         50 brk(0x700000) = 0x700000\n\
         50 clone( <unfinished ...>\n\
         51 brk(0x800000) = 0x800000\n\
         51 execve(\"/bin/z\", [\"z\"], [/* 9 vars */]) = 0\n\
         51 brk(0) = 0x2000000\n\
         51 brk(0x2200000) = 0x2200000\n\
         50 <... clone resumed> {PROCESS}) = 51\n\
         50 brk(0x800000) = 0x800000\n"
    );
    let finished = story(&log);
    assert_eq!(finished.sink.processes(), 2);
    // 2 of the first, 1 of the child, 2 of its second program.
    assert_eq!(growth(&finished.sink).0, 5 * MIB);
    assert_eq!(finished.sink.tally.get(Syscall::Execve).calls, 1);
    assert_eq!(finished.notes, [LogNote::BeginsInTheMiddle]);
}

/// Two processes that make one each at once.
pub(super) fn log() -> String {
    format!(
        "60 brk(0) = 0x600000\n\
         60 clone(child_stack=0, flags=SIGCHLD) = 70\n\
         70 brk(0x700000) = 0x700000\n\
         60 clone( <unfinished ...>\n\
         70 clone( <unfinished ...>\n\
         71 brk(0x800000) = 0x800000\n\
         61 brk(0x900000) = 0x900000\n\
         71 +++ exited with 0 +++\n\
         70 <... clone resumed> {THREAD}) = 71\n\
         60 <... clone resumed> {THREAD}) = 61\n\
         61 brk(0xa00000) = 0xa00000\n"
    )
}

/// The ends of their calls say which is whose.
#[test]
fn several_at_once_are_told_apart() {
    let log = log();
    let events = read("log", log.as_bytes()).sink;
    assert_eq!(
        told(&events)[3..],
        expected(&[
            (70, 70, "thread 71"),
            (70, 71, "brk"),
            (60, 60, "thread 61"),
            (60, 61, "brk"),
            (70, 71, "exited"),
            (60, 61, "brk"),
        ])
    );
    assert_eq!(story(&log).sink.processes(), 2);
}

/// A thread whose maker isn't known to be a thread itself yet.
#[test]
fn a_thread_of_an_early_thread() {
    let log = format!(
        "80 brk(0) = 0x600000\n\
         80 clone( <unfinished ...>\n\
         81 clone( <unfinished ...>\n\
         82 brk(0x700000) = 0x700000\n\
         81 <... clone resumed> {THREAD}) = 82\n\
         82 brk(0x800000) = 0x800000\n\
         80 <... clone resumed> {THREAD}) = 81\n\
         82 brk(0x900000) = 0x900000\n"
    );
    let finished = story(&log);
    assert_eq!(finished.sink.processes(), 1);
    assert_eq!(growth(&finished.sink), (3 * MIB, 3 * MIB));
}

/// `clone3` and `clone` of today tell their flags at once; two of one process are alike.
#[test]
fn flags_that_are_told_at_once() {
    let begun = "clone3({flags=CLONE_VM|CLONE_FILES|CLONE_THREAD, stack=0x7f00, stack_size=0x7f} \
                 <unfinished ...>";
    let log = format!(
        "90 brk(0) = 0x600000\n\
         90 clone(child_stack=0x7f, flags=CLONE_VM|CLONE_THREAD <unfinished ...>\n\
         91 {begun}\n\
         92 brk(0x700000) = 0x700000\n\
         91 <... clone3 resumed> => {{parent_tid=[92]}}, 88) = 92\n\
         90 <... clone resumed>, parent_tid=[91]) = 91\n\
         91 brk(0x800000) = 0x800000\n"
    );
    let finished = story(&log);
    assert_eq!(finished.sink.processes(), 1);
    assert_eq!(growth(&finished.sink), (2 * MIB, 2 * MIB));
}

#[test]
fn an_end_that_never_comes_is_guessed_and_said() {
    let log = "10 brk(0) = 0x600000\n\
               10 clone( <unfinished ...>\n\
               11 brk(0x700000) = 0x700000\n";
    let finished = read("log", log.as_bytes());
    assert_eq!(told(&finished.sink)[1..], expected(&[(10, 10, "process 11"), (11, 11, "brk")]));
    assert!(finished.notes.contains(&LogNote::ParentGuessed { count: 1 }), "{:?}", finished.notes);
    // Its end names another: nobody made this one, as far as the log tells.
    let log = format!("{log}10 <... clone resumed> {PROCESS}) = 12\n11 close(3) = 0\n");
    let finished = read("log", log.as_bytes());
    let first_tid = 11;
    let appeared = LogNote::Unannounced { first_tid, count: 1 };
    assert!(finished.notes.contains(&appeared), "{:?}", finished.notes);
    assert_eq!(
        told(&finished.sink)[1..],
        expected(&[(11, 11, "brk"), (10, 10, "process 12"), (11, 11, "close")])
    );
}

/// However long the answer takes, memory stays bounded: then it is guessed, and the true answer
/// tells nothing twice.
#[test]
fn only_so_much_waits_for_an_answer() {
    let mut log = String::from("10 brk(0) = 0x600000\n10 clone( <unfinished ...>\n");
    for _ in 0..40_000 {
        log.push_str("11 close(3) = -1 EBADF (Bad file descriptor)\n");
    }
    log.push_str(&format!("10 <... clone resumed> {PROCESS}) = 11\n"));
    let finished = story(&log);
    assert_eq!(finished.sink.tally.get(Syscall::Close).calls, 40_000);
    assert_eq!(finished.sink.processes(), 2);
    assert!(finished.notes.contains(&LogNote::ParentGuessed { count: 1 }));
}

/// A thread whose lines come before the whole line that made it (logs put together by hand).
#[test]
fn one_that_is_named_late_is_not_counted_twice() {
    let finished = story(&format!(
        "20 brk(0) = 0x600000\n\
         21 close(3) = 0\n\
         20 clone({THREAD}) = 21\n\
         20 brk(0x700000) = 0x700000\n\
         21 brk(0x800000) = 0x800000\n"
    ));
    assert_eq!(growth(&finished.sink), (2 * MIB, 2 * MIB));
    assert!(finished.notes.contains(&LogNote::Unannounced { first_tid: 21, count: 1 }));
}

/// `-ff`: the call stands whole in its maker's log, wherever that is given.
#[test]
fn a_log_for_each_thread() {
    let maker = format!(
        "1488844800.000001 brk(0) = 0x600000\n\
         1488844800.000002 clone({THREAD}) = 31\n\
         1488844800.000005 brk(0x800000) = 0x800000\n"
    );
    let made = "1488844800.000003 brk(0x700000) = 0x700000\n";
    let mut reader = StraceLog::new(Story::default());
    let logs = vec![("log.31".to_owned(), made.as_bytes())];
    let logs = logs.into_iter().chain([("log.30".to_owned(), maker.as_bytes())]);
    reader.read_together(logs.collect()).unwrap();
    let finished = reader.finish();
    assert_eq!(finished.sink.processes(), 1);
    assert_eq!(growth(&finished.sink), (2 * MIB, 2 * MIB));
}
