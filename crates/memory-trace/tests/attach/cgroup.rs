//! A cgroup: who is there, and who comes.

use std::time::{Duration, Instant};

use memory_event::{Event, What};
use memory_trace::{AttachNote, AttachOptions, Attached, Via, Whom};
use suite::cgroup::Cgroup;

use super::harness::{Subject, mapped, ways};

fn made(name: &str) -> Option<Cgroup> {
    Cgroup::made(&format!("memory-trace-{name}-{}", std::process::id()))
}

fn watched(via: Via, cgroup: &Cgroup, pids: &[i32]) -> memory_trace::Attach<Vec<Event>> {
    let whom = Whom::Cgroup { directory: cgroup.directory().to_owned(), pids: pids.to_vec() };
    AttachOptions::new().via(via).start(whom, Vec::new()).unwrap()
}

fn mapped_by(watched: &mut Attached<Vec<Event>>, pid: i32) -> usize {
    let all = std::mem::take(&mut watched.sink);
    watched.sink = all.iter().filter(|event| event.pid == pid).cloned().collect();
    let (mapped, unmapped) = mapped(watched);
    assert_eq!(mapped, unmapped);
    watched.sink = all;
    mapped
}

/// Whoever comes is watched as well.
fn one_watched_to_its_end(
    via: Via,
    cgroup: &Cgroup,
) -> (memory_trace::Attach<Vec<Event>>, Subject) {
    let mut first = Subject::new(&["calls"]);
    cgroup.take(first.pid());
    let attach = watched(via, cgroup, &[first.pid()]);
    first.finish();
    (attach, first)
}

#[test]
fn who_was_there_and_who_comes() {
    let Some(cgroup) = made("comes") else {
        return;
    };
    for &via in ways() {
        let mut subjects = ["threads", "calls", "calls"].map(|part| Subject::new(&[part]));
        let [there, comes, outside] = subjects.each_ref().map(Subject::pid);
        cgroup.take(there);
        let attach = watched(via, &cgroup, &[there]);
        cgroup.take(comes);
        for subject in &mut subjects {
            subject.finish();
        }
        attach.stop();
        let mut watched = attach.wait().unwrap();
        assert_eq!(watched.lost_events, 0);
        assert_eq!(mapped_by(&mut watched, there), 800, "{via:?}");
        assert_eq!(mapped_by(&mut watched, outside), 0, "{via:?}");
        let note =
            watched.notes.iter().any(|note| matches!(note, AttachNote::WithoutComers { .. }));
        assert_eq!(note, via == Via::Ptrace, "{via:?}: {:?}", watched.notes);
        if via == Via::Ptrace {
            assert_eq!((mapped_by(&mut watched, comes), watched.processes), (0, 1));
            continue;
        }
        assert_eq!((mapped_by(&mut watched, comes), watched.processes), (100, 2), "{via:?}");
        let ends = |event: &&Event| event.pid == comes && matches!(event.what, What::Exited(_));
        assert_eq!(watched.sink.iter().filter(ends).count(), 1, "{via:?}");
    }
}

/// As with a unit that can't be started: what was seen before isn't lost by that.
#[test]
fn a_cgroup_that_is_made_anew_again_and_again() {
    let Some(cgroup) = made("restless") else {
        return;
    };
    for &via in ways().iter().filter(|via| **via != Via::Ptrace) {
        let (attach, first) = one_watched_to_its_end(via, &cgroup);
        let since = Instant::now();
        while since.elapsed() < Duration::from_secs(2) {
            cgroup.renew();
        }
        attach.stop();
        assert_eq!(mapped_by(&mut attach.wait().unwrap(), first.pid()), 100, "{via:?}");
    }
}

/// As when a unit is started again: its cgroup has the same name, and is another.
#[test]
fn a_cgroup_that_is_made_anew() {
    let Some(cgroup) = made("anew") else {
        return;
    };
    for &via in ways().iter().filter(|via| **via != Via::Ptrace) {
        let (attach, first) = one_watched_to_its_end(via, &cgroup);
        cgroup.renew();
        // It isn't known when the watcher has looked.
        std::thread::sleep(Duration::from_millis(500));
        let mut second = Subject::new(&["calls"]);
        cgroup.take(second.pid());
        second.finish();
        attach.stop();
        let mut watched = attach.wait().unwrap();
        for pid in [first.pid(), second.pid()] {
            assert_eq!(mapped_by(&mut watched, pid), 100, "{via:?}");
        }
    }
}
