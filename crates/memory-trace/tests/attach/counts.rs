//! Every call is seen, with what it was given and what it gave.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use heap_growth::Counts;
use memory_event::{Ending, Event, Syscall, What};
use memory_trace::{AttachNote, AttachOptions, Via, ViaUsed};

use super::harness::{Subject, attach, counted, mapped, ways};

const fn counts(calls: u64, failed: u64) -> Counts {
    Counts { calls, failed }
}

#[test]
fn known_calls() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().canonicalize().unwrap();
    for &via in ways() {
        let mut subject = Subject::new(&["calls", path.to_str().unwrap()]);
        let attach = attach(subject.pid(), via);
        subject.go();
        assert_eq!(subject.hear(), "done");
        // The names of the files are read from the process, which must not be gone by then.
        std::thread::sleep(std::time::Duration::from_millis(300));
        subject.go();
        assert_eq!(subject.wait().code(), Some(3));
        let watched = attach.wait().unwrap();
        assert_eq!(watched.lost_events, 0);
        assert_eq!(watched.ending, Some(Ending::Code(3)), "{via:?}");
        assert_eq!(watched.processes, 1);
        let of = |syscall| counted(&watched, syscall);
        assert_eq!(of(Syscall::Brk), counts(25, 4), "{via:?}");
        assert_eq!(of(Syscall::Mmap), counts(102, 1), "{via:?}");
        assert_eq!(of(Syscall::Munmap), counts(101, 1), "{via:?}");
        let opens = |syscall| (of(syscall).calls, of(syscall).failed);
        let (old, new) = (opens(Syscall::Open), opens(Syscall::Openat));
        assert_eq!((old.0 + new.0, old.1 + new.1), (25, 5), "{via:?}");
        assert_eq!(of(Syscall::Close), counts(20, 0), "{via:?}");
        assert_eq!(mapped(&watched), (100, 100), "{via:?}");
        let paths: Vec<_> = watched
            .sink
            .iter()
            .filter_map(|event| match &event.what {
                What::Call(call) if call.syscall.is_open() && !call.failed() => {
                    let path = call.path.as_deref().map(OsStr::from_bytes);
                    Some(path.map(PathBuf::from))
                }
                _ => None,
            })
            .collect();
        assert_eq!(paths, vec![Some(path.clone()); 20], "{via:?}");
        in_order(&watched.sink);
        begins_and_explains(&watched.sink);
    }
}

fn in_order(events: &[Event]) {
    assert!(events.is_sorted_by_key(|event| event.at));
}

fn begins_and_explains(events: &[Event]) {
    assert_eq!(events[0].what, What::Started);
    let What::Memory(memory) = &events[1].what else {
        panic!("{:?}", events[1]);
    };
    assert!(!memory.ranges.is_empty());
    let refusals: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.what {
            What::Refused(refusal) => Some(refusal),
            _ => None,
        })
        .collect();
    assert_eq!(refusals.len(), 1, "explained once");
    let the_break = refusals[0].program_break.as_ref().unwrap();
    assert!(the_break.blocked, "{the_break:?}");
    assert!(matches!(events.last().unwrap().what, What::Exited(Ending::Code(3))));
}

#[test]
fn threads_that_were_there_and_threads_that_come() {
    for &via in ways() {
        let mut subject = Subject::new(&["threads"]);
        let attach = attach(subject.pid(), via);
        subject.finish();
        let watched = attach.wait().unwrap();
        assert_eq!(mapped(&watched), (800, 800), "{via:?}");
        let makers: BTreeSet<_> = watched
            .sink
            .iter()
            .filter(|event| matches!(&event.what, What::Call(call) if call.args[1] == 0x7000))
            .map(|event| (event.pid, event.tid))
            .collect();
        assert_eq!(makers.len(), 16);
        assert!(makers.iter().all(|(pid, _)| *pid == subject.pid()));
        let born = watched.sink.iter();
        let born = born.filter(|event| matches!(event.what, What::Forked { thread: true, .. }));
        assert_eq!(born.count(), 8, "{via:?}");
        assert_eq!(watched.processes, 1);
        in_order(&watched.sink);
    }
}

#[test]
fn children() {
    for &via in ways() {
        let mut subject = Subject::new(&["forks"]);
        let attach = attach(subject.pid(), via);
        subject.finish();
        let watched = attach.wait().unwrap();
        assert_eq!(mapped(&watched), (600, 600), "{via:?}");
        assert_eq!(watched.processes, 21);
        let mut codes: Vec<_> = watched
            .sink
            .iter()
            .filter_map(|event| match event.what {
                What::Exited(Ending::Code(code)) if event.pid != subject.pid() => Some(code),
                _ => None,
            })
            .collect();
        codes.sort_unstable();
        assert_eq!(codes, (0..20).collect::<Vec<_>>(), "{via:?}");
    }
}

/// One of them makes children; which are nobody's twice.
#[test]
fn several_at_once() {
    for &via in ways() {
        let mut subjects = ["calls", "threads", "forks"].map(|part| Subject::new(&[part]));
        let pids = subjects.each_ref().map(Subject::pid);
        let again = [pids[0], pids[1], pids[2], pids[0]];
        let attach = AttachOptions::new().via(via).start(&again, Vec::new()).unwrap();
        for subject in &mut subjects {
            subject.finish();
        }
        let watched = attach.wait().unwrap();
        assert_eq!(mapped(&watched), (100 + 800 + 600, 100 + 800 + 600), "{via:?}");
        assert_eq!((watched.processes, watched.lost_events), (3 + 20, 0), "{via:?}");
        assert_eq!(watched.ending, None, "there are three");
        let of = |what: fn(&What) -> bool| {
            let events = watched.sink.iter().filter(|event| what(&event.what));
            events.map(|event| event.pid).filter(|pid| pids.contains(pid)).collect::<Vec<_>>()
        };
        let sorted = |mut pids: Vec<i32>| {
            pids.sort_unstable();
            pids
        };
        let all = sorted(pids.to_vec());
        assert_eq!(sorted(of(|what| *what == What::Started)), all, "{via:?}");
        assert_eq!(sorted(of(|what| matches!(what, What::Memory(_)))), all, "{via:?}");
        in_order(&watched.sink);
    }
}

#[test]
fn through_exec() {
    for &via in ways() {
        let mut subject = Subject::new(&["exec"]);
        let pid = subject.pid();
        let attach = attach(pid, via);
        subject.go();
        assert_eq!(subject.wait().code(), Some(5));
        let watched = attach.wait().unwrap();
        assert_eq!(mapped(&watched), (100, 100), "{via:?}");
        assert_eq!(watched.ending, Some(Ending::Code(5)));
        let exec = What::Exec { by: Syscall::Execve, former_tid: pid };
        let execs = watched.sink.iter().filter(|event| event.what == exec);
        assert_eq!(execs.count(), 1, "{via:?}");
    }
}

#[test]
fn a_storm_of_new_threads_while_it_is_attached_to() {
    for &via in ways() {
        for _ in 0..3 {
            let mut subject = Subject::new(&["storm"]);
            let attach = attach(subject.pid(), via);
            subject.go();
            let stayed: usize = subject.hear().parse().unwrap();
            assert_eq!(subject.hear(), "done");
            subject.go();
            subject.wait();
            let watched = attach.wait().unwrap();
            assert_eq!(watched.lost_events, 0);
            assert_eq!(mapped(&watched), (50 * stayed, 50 * stayed), "{via:?}");
        }
    }
}

#[test]
fn a_target_that_is_killed() {
    for &via in ways() {
        let mut subject = Subject::new(&["calls"]);
        let attach = attach(subject.pid(), via);
        assert!(!attach.is_finished());
        subject.kill();
        subject.wait();
        let watched = attach.wait().unwrap();
        if let Some(ending) = watched.ending {
            assert_eq!(ending.shell_status(), 128 + 9, "{via:?}");
        } else {
            let unknown = AttachNote::UnknownEndings { processes: 1 };
            assert!(watched.notes.contains(&unknown), "{:?}", watched.notes);
        }
    }
}

#[test]
fn the_best_way_is_chosen_and_the_other_one_is_explained() {
    let subject = Subject::new(&["calls"]);
    let auto = attach(subject.pid(), Via::Auto);
    let used = auto.via();
    auto.stop();
    let notes = auto.wait().unwrap().notes;
    let said: Vec<_> = notes.iter().map(ToString::to_string).collect();
    let said = said.join("\n");
    match used {
        ViaUsed::Bpf => assert!(!said.contains("slow"), "{said}"),
        ViaUsed::Tracepoints => {
            assert!(ways().contains(&Via::Tracepoints));
            assert!(said.contains("BPF programs can't be used here: "), "{said}");
            assert!(!said.contains("watched with ptrace"), "{said}");
        }
        _ => {
            assert_eq!(ways(), [Via::Ptrace]);
            assert!(said.contains("tracepoints were not used: "), "{said}");
        }
    }
}

/// BPF programs where every call comes by are for those who ask for them, and are told the price.
#[test]
fn who_wants_bpf_programs_is_told_what_they_cost() {
    if !ways().contains(&Via::Bpf) {
        return;
    }
    let subject = Subject::new(&["calls"]);
    let by_bpf = attach(subject.pid(), Via::Bpf);
    by_bpf.stop();
    let watched = by_bpf.wait().unwrap();
    let at_sys_exit = watched.notes.iter().find_map(|note| match note {
        AttachNote::AtSysExit { instead_of_functions } => Some(instead_of_functions),
        _ => None,
    });
    match at_sys_exit {
        Some(reasons) => assert!(reasons.contains("kretprobe.multi"), "{reasons}"),
        // The programs are at the calls' own functions: whoever asks for nothing gets that, too.
        None => assert_eq!(attach(Subject::new(&["calls"]).pid(), Via::Auto).via(), ViaUsed::Bpf),
    }
}
