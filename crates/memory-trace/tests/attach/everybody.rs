//! The whole machine: whoever is there, and whoever comes.

use std::collections::HashSet;

use memory_event::{Ending, Event, Syscall, What};
use memory_trace::{AttachError, AttachOptions, Attached, Via, Whom};

use super::harness::{Subject, mapped, ways};
use super::refused::as_nobody;
use super::rights::{possible, said_with_two_capabilities};

/// The events of a process and of those that it makes.
fn family(watched: &Attached<Vec<Event>>, pid: i32) -> Vec<Event> {
    let mut family = HashSet::from([pid]);
    let mut events = Vec::new();
    for event in &watched.sink {
        if !family.contains(&event.pid) {
            continue;
        }
        if let What::Forked { child, thread: false } = event.what {
            family.insert(child);
        }
        events.push(event.clone());
    }
    events
}

/// Two that have nothing in common: their numbers, and what was told. The one was there; the other
/// is born, and executes its program, under watch.
fn two(via: Via) -> (Attached<Vec<Event>>, [i32; 2]) {
    let mut first = Subject::new(&["threads"]);
    let attach = AttachOptions::new().via(via).start(Whom::Everybody, Vec::new()).unwrap();
    let mut second = Subject::new(&["forks"]);
    first.finish();
    second.finish();
    attach.stop();
    (attach.wait().unwrap(), [first.pid(), second.pid()])
}

#[test]
fn who_was_there_and_who_comes() {
    for &via in ways().iter().filter(|via| **via != Via::Ptrace) {
        // What others do at the same time may be more than is read.
        let mut runs = (0..5).map(|_| two(via));
        let (mut watched, pids) = runs.find(|(told, _)| told.lost_events == 0).unwrap();
        assert!(watched.processes >= 22, "{}", watched.processes);
        let own = std::process::id().cast_signed();
        assert!(watched.sink.iter().all(|event| event.pid != own));
        let [first_told, second_told] = pids.map(|pid| family(&watched, pid));

        let begins = &first_told[..2];
        assert_eq!(begins[0].what, What::Started, "{via:?}");
        assert!(matches!(begins[1].what, What::Memory(_)), "{via:?}");
        let executed = What::Exec { by: Syscall::Execve, former_tid: pids[1] };
        assert!(second_told.iter().any(|event| event.what == executed), "{via:?}");
        // By its path, or by its name if it had ended when it was looked for.
        let is_named = |event: &Event| matches!(&event.what, What::Program(path) if path.ends_with(b"attach-program"));
        assert!(second_told.iter().any(is_named), "{via:?}");
        for (told, wanted, what) in [(first_told, 800, "threads"), (second_told, 600, "forks")] {
            let is_end = |event: &&Event| {
                event.pid == event.tid && matches!(event.what, What::Exited(Ending::Code(_)))
            };
            let ends = told.iter().filter(is_end).count();
            assert_eq!(ends, if what == "forks" { 21 } else { 1 }, "{via:?}: {what}");
            watched.sink = told;
            assert_eq!(mapped(&watched), (wanted, wanted), "{via:?}: {what}");
        }
    }
}

#[test]
fn it_goes_on_until_it_is_stopped() {
    for &via in ways().iter().filter(|via| **via != Via::Ptrace) {
        let attach = AttachOptions::new().via(via).start(Whom::Everybody, ()).unwrap();
        assert!(!attach.ends_within(std::time::Duration::from_millis(50)), "{via:?}");
        drop(attach);
    }
}

#[test]
fn nobody_can_stop_everybody() {
    let refused = AttachOptions::new().via(Via::Ptrace).start(Whom::Everybody, ());
    match refused.unwrap_err() {
        AttachError::EverybodyByPtrace => {}
        // As an ordinary user.
        error => assert!(matches!(error, AttachError::EverybodyDenied), "{error}"),
    }
}

/// Who may load programs may see what everybody does; who may not trace is not shown it.
#[test]
fn everybody_takes_the_right_to_trace_everybody() {
    for via in [Via::Auto, Via::Tracepoints] {
        let Some(said) = as_nobody("all", via) else {
            return;
        };
        assert!(said[0].contains("takes CAP_SYS_PTRACE; run as root (`sudo`"), "{said:?}");
    }
    if possible() {
        let said = said_with_two_capabilities("all", || ());
        assert!(said[0].contains("takes CAP_SYS_PTRACE; run as root (`sudo`"), "{said:?}");
    }
}
