//! The process goes on as if nobody had watched, however the watching ends.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::process::{Command, Stdio};

use memory_event::{Event, What};
use memory_trace::Attach;

use super::harness::{Subject, attach, eventually, mapped, state, ways};
use super::role;

#[test]
fn stopping_the_watching_leaves_it_running() {
    for &via in ways() {
        let mut subject = Subject::new(&["ticks"]);
        for _ in 0..5 {
            let attach = attach(subject.pid(), via);
            subject.go();
            assert_eq!(subject.hear(), "tick");
            let stopper = attach.stopper();
            stopper.stop();
            let watched = attach.wait().unwrap();
            assert_eq!(watched.ending, None);
            assert_eq!(mapped(&watched), (1, 1), "{via:?}");
            assert_eq!(state(subject.pid()).1, 0, "nobody traces it any more");
            subject.go();
            assert_eq!(subject.hear(), "tick");
        }
        drop(attach(subject.pid(), via));
        subject.go();
        assert_eq!(subject.hear(), "tick", "after a drop");
    }
}

#[test]
fn many_threads_are_let_go() {
    for &via in ways() {
        let mut subject = Subject::new(&["threads"]);
        for _ in 0..3 {
            drop(attach(subject.pid(), via));
        }
        assert_eq!(subject.finish().code(), Some(3), "{via:?}");
    }
}

#[test]
fn queued_signals_come_in_order() {
    for &via in ways() {
        let mut subject = Subject::new(&["signals"]);
        let pid = subject.pid();
        let sender = std::thread::spawn(move || {
            for number in 0..400 {
                let status = Command::new("/bin/kill")
                    .args(["-s", "RTMIN+3", "-q", &number.to_string(), &pid.to_string()])
                    .status();
                assert!(status.unwrap().success());
            }
        });
        while !sender.is_finished() {
            let attach = attach(pid, via);
            std::thread::sleep(std::time::Duration::from_millis(30));
            drop(attach);
        }
        sender.join().unwrap();
        assert_eq!(subject.hear(), "right", "{via:?}");
    }
}

fn signal(name: &str, pid: i32) {
    let status = Command::new("/bin/kill").args(["-s", name, &pid.to_string()]).status();
    assert!(status.unwrap().success());
}

#[test]
fn stopped_and_continued() {
    for &via in ways() {
        let mut subject = Subject::new(&["ticks"]);
        let pid = subject.pid();
        let stops = |name, wanted: &str| {
            signal(name, pid);
            eventually(name, || wanted.contains(state(pid).0));
        };
        // Stopped while watched, and left so.
        let watching = attach(pid, via);
        stops("STOP", "Tt");
        drop(watching);
        eventually("stopped without a tracer", || state(pid) == ('T', 0));
        // Stopped already when the watching begins.
        let watching = attach(pid, via);
        assert!("Tt".contains(state(pid).0), "{via:?}");
        stops("CONT", "SR");
        subject.go();
        assert_eq!(subject.hear(), "tick", "{via:?}");
        watching.stop();
        assert_eq!(mapped(&watching.wait().unwrap()), (1, 1), "{via:?}");
    }
}

#[test]
fn killing_the_watcher_leaves_it_running() {
    for &via in ways() {
        let mut subject = Subject::new(&["ticks"]);
        let mut watcher = role::watcher(&role::myself(), subject.pid(), via)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = suite::waiting::lines(watcher.stdout.take().unwrap()).lines();
        let mut lines = lines.map_while(Result::ok);
        let said = lines.find_map(|line| role::said(&line).map(str::to_owned));
        assert_eq!(said, Some(format!("watching by {via:?}")));
        subject.go();
        assert_eq!(subject.hear(), "tick");
        watcher.kill().unwrap();
        watcher.wait().unwrap();
        eventually("no tracer", || state(subject.pid()).1 == 0);
        for _ in 0..10 {
            subject.go();
            assert_eq!(subject.hear(), "tick", "{via:?}");
        }
    }
}

#[test]
fn a_sink_that_panics_holds_nobody() {
    for &via in ways() {
        let mut subject = Subject::new(&["ticks"]);
        let sink = |event: &Event| {
            assert!(!matches!(event.what, What::Call(_)), "as the test wants it");
        };
        let attach = Attach::start(subject.pid(), via, sink).unwrap();
        for _ in 0..3 {
            subject.go();
            assert_eq!(subject.hear(), "tick");
        }
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| attach.wait()));
        assert!(outcome.is_err());
        assert_eq!(state(subject.pid()).1, 0);
    }
}

/// In a process of its own, as other tests open files meanwhile.
#[test]
fn nothing_is_left_behind() {
    if std::env::var_os("ATTACH_ALONE").is_none() {
        let alone = Command::new(role::myself())
            .args(["--exact", "attach::unharmed::nothing_is_left_behind"])
            .env("ATTACH_ALONE", "1")
            .output()
            .unwrap();
        assert!(alone.status.success(), "{}", String::from_utf8_lossy(&alone.stdout));
        return;
    }
    let open = || -> BTreeSet<_> {
        let list = std::fs::read_dir("/proc/self/fd").unwrap();
        let list = list.map(|entry| entry.unwrap().file_name());
        list.collect()
    };
    let mounts = || std::fs::read_to_string("/proc/self/mounts").unwrap();
    for &via in ways() {
        let subject = Subject::new(&["threads"]);
        let before = (open(), mounts());
        drop(attach(subject.pid(), via));
        assert_eq!((open(), mounts()), before, "{via:?}");
        let children = std::fs::read_to_string("/proc/thread-self/children").unwrap();
        let threads = std::fs::read_dir("/proc/self/task").unwrap().count();
        assert!(children.split_whitespace().count() <= 1 && threads <= 2, "{children}");
    }
}
