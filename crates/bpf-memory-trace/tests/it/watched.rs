//! Who is watched, and who isn't.

use bpf_memory_trace::{Missed, Options, Tracer};

use crate::harness::{Held, hooks, watched};

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
