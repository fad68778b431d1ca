//! Who is watched, and who isn't.

use std::fs::File;
use std::os::fd::AsFd;

use bpf_memory_trace::{Missed, Options, Record, Scope, Seen, Tracer};

use crate::harness::{Held, hooks, watched};
use suite::cgroup::Cgroup;

#[test]
fn who_is_watched_no_longer_is_not_told() {
    for hook in hooks() {
        let mut tracer = Tracer::new(hook, Options::default()).unwrap();
        let [mut first, mut second] = [0, 1].map(|_| Held::new(&["calls", "10"]));
        tracer.watch(first.pid()).unwrap();
        tracer.watch(second.pid()).unwrap();
        tracer.unwatch_all().unwrap();
        first.go();
        first.ended();
        let (records, missed) = watched(&mut tracer, &mut second);
        assert!(records.len() > 10, "it is watched again, by {hook:?}");
        assert!(records.iter().all(|record| record.pid == second.pid()));
        assert_eq!(missed, Missed::default());
    }
}

#[test]
fn nobody_is_told_without_being_asked_for() {
    for hook in hooks() {
        let mut tracer = Tracer::new(hook, Options::default()).unwrap();
        let mut held = Held::new(&["calls", "10"]);
        held.go();
        held.ended();
        tracer.prove().unwrap();
        let mut told = 0;
        tracer.finish(|_| told += 1).unwrap();
        assert_eq!(told, 0, "{hook:?}");
    }
}

#[test]
fn nobody_watches_itself() {
    for hook in hooks() {
        let tracer = Tracer::new(hook, Options::default()).unwrap();
        let refused = tracer.watch(std::process::id()).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::EINVAL));
    }
}

/// Of two that have nothing in common, one is born later.
#[test]
fn everybody_is_told() {
    for hook in hooks() {
        let mut options = Options::default();
        options.scope = Scope::Everybody;
        let mut tracer = Tracer::new(hook, options).unwrap();
        let mut first = Held::new(&["calls", "10"]);
        tracer.watch_everybody().unwrap();
        let mut second = Held::new(&["calls", "10"]);
        for held in [&mut first, &mut second] {
            held.go();
            held.ended();
        }
        let mut records = Vec::new();
        tracer.finish(|record| records.push(record)).unwrap();
        let of = |pid| records.iter().filter(move |record| record.pid == pid);
        assert!(of(first.pid()).count() > 10, "{hook:?}");
        // It has begun under watch, and so has its file been opened.
        assert!(of(second.pid()).count() > of(first.pid()).count(), "{hook:?}");
        let is_end =
            |record: &&Record| matches!(record.what, Seen::Exited { process_status: Some(_), .. });
        assert_eq!([&first, &second].map(|held| of(held.pid()).filter(is_end).count()), [1, 1]);
        tracer.unwatch_all().unwrap();
        let mut third = Held::new(&["calls", "10"]);
        third.go();
        third.ended();
        tracer.finish(|record| assert_ne!(record.pid, third.pid())).unwrap();
    }
}

#[test]
fn everybody_is_told_only_by_who_was_made_for_it() {
    for hook in hooks() {
        let tracer = Tracer::new(hook, Options::default()).unwrap();
        assert_eq!(tracer.watch_everybody().unwrap_err().raw_os_error(), Some(libc::EINVAL));
    }
}

/// Who comes there is told from then on; who isn't there, isn't.
#[test]
fn a_cgroup_is_told() {
    let Some(cgroup) = Cgroup::made(&format!("bpf-memory-trace-{}", std::process::id())) else {
        return;
    };
    for hook in hooks() {
        let mut options = Options::default();
        options.scope = Scope::Cgroup;
        let mut tracer = Tracer::new(hook, options).unwrap();
        let directory = File::open(cgroup.directory()).unwrap();
        tracer.watch_cgroup(directory.as_fd()).unwrap();
        let [mut inside, mut outside] = [0, 1].map(|_| Held::new(&["calls", "10"]));
        cgroup.take(inside.pid());
        for held in [&mut inside, &mut outside] {
            held.go();
            held.ended();
        }
        let mut records = Vec::new();
        tracer.finish(|record| records.push(record)).unwrap();
        assert!(records.len() > 10, "{hook:?}");
        assert!(records.iter().all(|record| record.pid == inside.pid()), "{hook:?}");
        tracer.unwatch_all().unwrap();
        let mut later = Held::new(&["calls", "10"]);
        cgroup.take(later.pid());
        later.go();
        later.ended();
        tracer.finish(|record| panic!("{record:?}")).unwrap();
        let nowhere = File::open("/").unwrap();
        let refused = tracer.watch_cgroup(nowhere.as_fd()).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::EBADF));
    }
}
