//! Files that io_uring opens.

use memory_event::{Event, Syscall};
use memory_trace::{AttachNote, Attached, Via};

use super::harness::{Subject, attach, calls, ways};
use crate::compiled;

/// How often io_uring was in use, as the notes say.
fn rings(watched: &Attached<Vec<Event>>) -> u64 {
    let rings = watched.notes.iter().find_map(|note| match note {
        AttachNote::IoUring { rings, .. } => Some(*rings),
        _ => None,
    });
    rings.unwrap_or(0)
}

#[test]
fn are_told_or_it_is_said_that_they_are_not() {
    let source = "../../bpf-memory-trace/tests/programs/uring.c";
    let program = compiled(source, "attach-uring", &["-O1", "-DTALKS"]);
    for &via in ways() {
        let mut subject = Subject::of(program.clone(), &[]);
        let early = attach(subject.pid(), via);
        subject.go();
        assert_eq!(subject.hear(), "done");
        // The ring is there already.
        early.stop();
        let watched = early.wait().unwrap();
        let late = attach(subject.pid(), via);
        subject.go();
        subject.wait();
        let unseen = [rings(&watched), rings(&late.wait().unwrap())];
        let opened = calls(&watched, Syscall::Openat);
        let paths: Vec<_> = opened.iter().map(|call| call.path.as_deref().unwrap()).collect();
        match unseen {
            [0, 0] => {
                assert_eq!(via, Via::Bpf);
                let [hosts, passwd] = [&b"/etc/hosts"[..], b"/etc/passwd"];
                assert_eq!(paths, [hosts, passwd, hosts, hosts]);
                assert_eq!(calls(&watched, Syscall::Close).len(), 4);
            }
            _ => assert_eq!((unseen, paths.len()), ([1, 1], 0), "{via:?}"),
        }
    }
}
