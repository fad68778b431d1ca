//! The stream of events itself: who is introduced when, and what opens tell.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use memory_event::{Call, Event, Syscall, What};

use memory_trace::Stream;

use super::harness::{compiled, target, watch};

/// Every thread is introduced before it is heard of, belongs to one process, and ends once.
fn check_order(events: &[Event]) {
    assert_eq!(events[0].what, What::Started);
    let mut process_of = BTreeMap::from([(events[0].tid, events[0].pid)]);
    let mut last = events[0].at;
    for event in events {
        assert!(event.at >= last, "time goes on");
        last = event.at;
        assert_eq!(process_of.get(&event.tid), Some(&event.pid), "{event:?}");
        match event.what {
            What::Forked { child, thread } => {
                let pid = if thread { event.pid } else { child };
                assert_eq!(process_of.insert(child, pid), None, "{event:?}");
            }
            What::Exec { .. } => {
                process_of.retain(|tid, pid| *pid != event.pid || *tid == event.pid);
            }
            What::Exited(_) => {
                process_of.remove(&event.tid);
            }
            _ => {}
        }
    }
    assert!(process_of.is_empty(), "everybody's end was told: {process_of:?}");
}

#[test]
fn everybody_is_introduced_and_taken_leave_of() {
    for (program, arguments, threads, processes) in [
        ("threads", vec![], 64, 1),
        ("forks", vec![], 0, 1001),
        ("spawn", vec![], 0, 31),
        ("exec_self", vec!["thread", "5"], 10, 1),
    ] {
        let events = watch(&target(compiled(program)).args(arguments), Vec::new()).sink;
        check_order(&events);
        let born = |wanted: bool| {
            let born = |event: &&Event| match event.what {
                What::Forked { thread, .. } => thread == wanted,
                _ => false,
            };
            events.iter().filter(born).count()
        };
        assert_eq!((born(true), born(false) + 1), (threads, processes), "{program}");
    }
}

#[test]
fn a_thread_that_executes_becomes_the_process() {
    let events = watch(&target(compiled("exec_self")).args(["thread", "3"]), Vec::new()).sink;
    let execs: Vec<_> = events
        .iter()
        .filter_map(|event| match event.what {
            What::Exec { former_tid, .. } => Some((event.pid, event.tid, former_tid)),
            _ => None,
        })
        .collect();
    assert_eq!(execs.len(), 3);
    for (pid, tid, former) in execs {
        assert!(pid == events[0].pid && tid == pid && former != pid);
    }
}

fn opened(events: &[Event]) -> HashSet<Vec<u8>> {
    let path = |event: &Event| match &event.what {
        What::Call(Call { syscall, path, .. }) => {
            assert!(path.is_none() || syscall.is_open());
            path.clone()
        }
        _ => None,
    };
    events.iter().filter_map(path).collect()
}

#[test]
fn opens_tell_the_file_in_any_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let name = directory.path().join(OsStr::from_bytes(b"not \xff UTF-8"));
    std::fs::write(&name, "text").unwrap();
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&name, &link).unwrap();
    let events =
        watch(&target("cat").arg(&link).arg("/nonexistent").stderr(Stream::Null), Vec::new()).sink;
    let files = opened(&events);
    let name = std::fs::canonicalize(name).unwrap();
    assert!(files.contains(&name.into_os_string().into_vec()), "the file, not the link: {files:?}");
    assert!(!files.contains(b"/nonexistent".as_slice()));
    let refused = events.iter().any(|event| match &event.what {
        What::Call(call) => call.syscall.is_open() && call.result == Err(libc::ENOENT),
        _ => false,
    });
    assert!(refused, "a failed open is told, too");
}

#[test]
fn arguments_are_those_that_the_program_gave() {
    let events = watch(&target(compiled("killed")).arg("self"), Vec::new()).sink;
    let moves = events.iter().filter_map(|event| match &event.what {
        What::Call(call) if call.syscall == Syscall::Mremap => Some(call),
        _ => None,
    });
    let mut count = 0;
    for call in moves {
        assert_eq!(call.args[1..4], [4096, 4096, libc::MREMAP_MAYMOVE as u64]);
        assert_eq!(call.result, Ok(call.args[0]), "it had no reason to move");
        count += 1;
    }
    assert_eq!(count, 100);
}
