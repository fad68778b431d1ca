//! Programs that are launched and watched by BPF programs.

use memory_event::{Ending, Syscall, What};
use memory_trace::{
    AttachError, AttachNote, AttachOptions, HeldTarget, Launch, LaunchError, Target, Via,
};

use super::harness::{counted, mapped, program, ways};

fn possible() -> bool {
    ways().contains(&Via::Bpf)
}

/// Calls of a program from its exec on, as under ptrace.
#[test]
fn what_a_launched_program_does_is_told_as_by_ptrace() {
    if !possible() {
        return;
    }
    let target = Target::new(program()).arg("at-once");
    let mut held = HeldTarget::new(&target).unwrap();
    let pid = held.pid();
    let attach = AttachOptions::new().via(Via::Bpf).start_held(&mut held, Vec::new()).unwrap();
    let watched = attach.wait().unwrap();
    assert!(held.ends_within(std::time::Duration::ZERO));
    assert_eq!(held.wait().unwrap(), Ending::Code(5));
    assert_eq!(watched.ending, Some(Ending::Code(5)));
    assert_eq!((watched.lost_events, watched.processes), (0, 1));
    assert_eq!(watched.sink[0].what, What::Started);
    assert!(watched.sink.iter().all(|event| event.pid == pid));
    assert_eq!(mapped(&watched), (100, 100));
    let by_ptrace = Launch::start(&target, Vec::new()).unwrap().wait().unwrap();
    for syscall in Syscall::ALL {
        let calls = |events: &[memory_event::Event]| {
            let calls = events
                .iter()
                .filter(|event| matches!(&event.what, What::Call(call) if call.syscall == syscall));
            calls.count() as u64
        };
        assert_eq!(counted(&watched, syscall).calls, calls(&by_ptrace.sink), "{syscall:?}");
    }
}

#[test]
fn children_and_ends_by_signals() {
    if !possible() {
        return;
    }
    let script = "cat /dev/null; (exit 3); kill -TERM $$";
    let mut held = HeldTarget::new(&Target::new("sh").args(["-c", script])).unwrap();
    let attach = AttachOptions::new().via(Via::Bpf).start_held(&mut held, Vec::new()).unwrap();
    let watched = attach.wait().unwrap();
    let ending = held.wait().unwrap();
    assert_eq!(ending.shell_status(), 128 + 15);
    assert_eq!(watched.ending, Some(ending));
    assert_eq!(watched.processes, 3);
    let execs = watched.sink.iter().filter(|event| matches!(event.what, What::Exec { .. }));
    assert_eq!(execs.count(), 1, "of cat; the shell's own is the beginning");
}

/// The program may trace others, which it can't under ptrace.
#[test]
fn a_tracer_inside_works() {
    if !possible() || !suite::installed("strace") {
        return;
    }
    let target = Target::new("strace").args(["-o", "/dev/null", "true"]);
    let mut held = HeldTarget::new(&target).unwrap();
    let attach = AttachOptions::new().via(Via::Bpf).start_held(&mut held, Vec::new()).unwrap();
    attach.wait().unwrap();
    assert_eq!(held.wait().unwrap(), Ending::Code(0));
}

/// Not by programs that slow down the whole machine or miss calls: then it isn't begun.
#[test]
fn of_itself_the_best_way_is_taken_or_none() {
    let mut held = HeldTarget::new(&Target::new("true")).unwrap();
    match AttachOptions::new().start_held(&mut held, Vec::new()) {
        Ok(attach) => {
            let watched = attach.wait().unwrap();
            let is_worse = |note: &AttachNote| matches!(note, AttachNote::AtSysExit { .. });
            assert!(!watched.notes.iter().any(is_worse), "{:?}", watched.notes);
        }
        Err(error) => {
            assert!(matches!(error, AttachError::NoBpf { .. }), "{error}");
            assert!(!held.ends_within(std::time::Duration::ZERO), "it waits");
        }
    }
}

#[test]
fn what_can_not_be_executed_is_an_error() {
    if !possible() {
        return;
    }
    let mut held = HeldTarget::new(&Target::new("/nowhere/at all")).unwrap();
    let error = AttachOptions::new().via(Via::Bpf).start_held(&mut held, Vec::new()).unwrap_err();
    assert!(error.to_string().contains("/nowhere/at all"), "{error}");
}

/// Whoever gives it up before it has begun leaves nothing behind.
#[test]
fn one_that_nobody_watches_ends() {
    let held = HeldTarget::new(&Target::new("sleep").arg("1000")).unwrap();
    let process = format!("/proc/{}", held.pid());
    drop(held);
    assert!(!std::path::Path::new(&process).exists());
    let nul = HeldTarget::new(&Target::new("a\0b"));
    assert!(matches!(nul, Err(LaunchError::Nul { .. })));
}
