//! Calls, their values, and those that go wrong.

use std::process::Command;
use std::time::Duration;
use suite::rounds;
use suite::waiting::eventually;

use remote_call::{Argument, Call, CallError, Error, Held, HoldOptions, Interrupt, Unfit};

use crate::compiled;
use crate::target::{PATIENCE, Target, plain};

#[test]
fn calls_and_their_values() {
    let rounds = rounds(20, 100);
    let target = Target::start(&["registers"]);
    for round in 0..rounds {
        let held = Held::hold(target.pid(), PATIENCE).unwrap();
        assert_eq!(held.pid(), target.pid());
        assert_eq!(held.threads().len(), 1);
        for turn in 0..10 {
            let arguments = [round, turn, 1 << 40, 4, 5, 6];
            let value = held.call(target.at("plain"), &arguments, PATIENCE).unwrap();
            assert_eq!(value, plain(arguments));
            let count = held.call(target.at("counted"), &[], PATIENCE).unwrap();
            assert_eq!(count, 10 * round + turn + 1);
        }
        held.release();
        target.assert_it_runs();
    }
    target.finish_well(10 * rounds);
}

#[test]
fn data_are_passed_and_come_back() {
    let target = Target::start(&["registers"]);
    let held = Held::hold(target.pid(), PATIENCE).unwrap();
    let call = Call::of(target.at("number"));
    for (text, number) in [(b"4711\0\0\0\0", 4711), (b"12\0\0\0\0\0\0", 12)] {
        let data = [*text, 100_u64.to_le_bytes()].concat();
        let called = call.clone().with_data(&data).with(&[Argument::Data(0), Argument::Data(8)]);
        let returned = held.make(&called, PATIENCE).unwrap();
        assert_eq!(returned.value, number);
        assert_eq!(returned.data, [*text, (100 + number).to_le_bytes()].concat());
    }
    let refused = held.make(&call.clone().with_data(&[b' '; 4097]), PATIENCE);
    assert!(matches!(refused, Err(CallError::Data { bytes: 4097 })), "{refused:?}");
    let refused = held.make(&call.with(&[Argument::Data(1)]), PATIENCE);
    assert!(matches!(refused, Err(CallError::Data { bytes: 0 })), "{refused:?}");
    held.release();
    target.finish_well(0);
}

#[test]
fn each_thread_can_be_had() {
    let target = Target::start(&["threads"]);
    let held = Held::hold(target.pid(), PATIENCE).unwrap();
    assert!(held.threads().len() > 1);
    for thread in held.threads() {
        let call = Call::of(target.at("caller")).by(thread.tid);
        assert_eq!(held.make(&call, PATIENCE).unwrap().value, thread.tid as u64);
    }
    let nobody = held.make(&Call::of(target.at("caller")).by(1), PATIENCE);
    assert!(matches!(nobody, Err(CallError::NoThread { .. })), "{nobody:?}");
}

/// How often the first thread had to wait while it made a call with a thousand system calls.
fn waits(target: Target) -> u64 {
    let waits = || target.status("voluntary_ctxt_switches").parse::<u64>();
    let held = Held::hold(target.pid(), PATIENCE).unwrap();
    let before = waits().unwrap();
    let value = held.call(target.at("busy"), &[1000], PATIENCE).unwrap();
    let after = waits().unwrap();
    held.release();
    assert_eq!(value, 1000);
    target.finish_well(0);
    after - before
}

#[test]
fn it_is_not_stopped_at_each_system_call() {
    let waited = waits(Target::start(&["registers"]));
    assert!(waited < 100, "{waited} times");
}

#[test]
fn it_is_where_the_program_has_a_use_for_the_signals() {
    let mut target = Target::start(&["urgent"]);
    assert_eq!(target.line(), "urgent", "it has its handlers");
    let waited = waits(target);
    assert!(waited >= 2000, "{waited} times");
}

#[test]
fn one_that_is_dropped_is_let_go() {
    let target = Target::start(&["registers"]);
    let held = Held::hold(target.pid(), PATIENCE).unwrap();
    assert!(target.status("State").starts_with('t'));
    let so_far = held.stood_still();
    assert!(held.stood_still() > so_far, "it still stands");
    drop(held);
    target.finish_well(0);
}

#[test]
fn a_crash_is_told_and_undone() {
    let target = Target::start(&["registers"]);
    let crashes = [("crash", libc::SIGSEGV), ("divide", libc::SIGFPE)];
    for (function, expected) in crashes {
        let held = Held::hold(target.pid(), PATIENCE).unwrap();
        match held.call(target.at(function), &[7], PATIENCE) {
            Err(CallError::Crashed { signal, instruction_pointer, .. }) => {
                assert_eq!(signal, expected);
                let offset = instruction_pointer - target.at(function);
                assert!(offset < 64, "{function}+{offset}");
            }
            other => panic!("{function}: {other:?}"),
        }
        let value = held.call(target.at("plain"), &[1], PATIENCE).unwrap();
        assert_eq!(value, plain([1, 0, 0, 0, 0, 0]), "it can be called again");
    }
    let held = Held::hold(target.pid(), PATIENCE).unwrap();
    let error = held.call(target.at("abort"), &[], PATIENCE).unwrap_err();
    assert!(matches!(error, CallError::Crashed { signal: libc::SIGABRT, .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("did not finish"), "{text}");
    held.release();
    target.finish_well(2);
}

#[test]
fn one_that_does_not_return_is_let_go_and_goes_on_when_it_does() {
    let target = Target::start(&["registers"]);
    let held = Held::hold(target.pid(), PATIENCE).unwrap();
    let patience = Duration::from_millis(50);
    let error = held.call(target.at("stuck"), &[], patience).unwrap_err();
    assert!(matches!(error, CallError::TimedOut { .. }), "{error}");
    target.assert_it_runs();
    let error = held.call(target.at("plain"), &[], PATIENCE).unwrap_err();
    assert!(matches!(error, CallError::Released { .. }), "{error}");
    held.release();
    // In the middle of the first, the same thread makes another.
    let held = Held::hold(target.pid(), PATIENCE).unwrap();
    held.call(target.at("unstick"), &[], PATIENCE).unwrap();
    held.release();
    // It had all signals blocked, and gets this one when the function has returned.
    target.finish_well(1);
}

/// However long the function would be waited for, and in both ways in which its end is seen.
#[test]
fn one_that_is_asked_for_is_let_go_at_once_and_goes_on_when_it_returns() {
    for mode in ["registers", "urgent"] {
        let mut target = Target::start(&[mode]);
        if mode == "urgent" {
            assert_eq!(target.line(), "urgent", "it has its handlers");
        }
        let interrupt = Interrupt::default();
        let options = HoldOptions::default().interrupted_by(&interrupt);
        let held = Held::hold_with(target.pid(), PATIENCE, options.clone()).unwrap();
        let asks = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            interrupt.ask();
        });
        let forever = Duration::from_secs(3600);
        let error = held.call(target.at("stuck"), &[], forever).unwrap_err();
        asks.join().unwrap();
        assert!(matches!(error, CallError::Interrupted { .. }), "{error}");
        target.assert_it_runs();
        held.release();
        match Held::hold_with(target.pid(), PATIENCE, options) {
            Err(error) => assert!(matches!(error, Error::Interrupted { .. }), "{error}"),
            Ok(held) => {
                let error = held.call(target.at("plain"), &[], PATIENCE).unwrap_err();
                assert!(matches!(error, CallError::NotBegun { .. }), "{error}");
            }
        }
        let held = Held::hold(target.pid(), PATIENCE).unwrap();
        held.call(target.at("unstick"), &[], PATIENCE).unwrap();
        held.release();
        target.finish_well(1);
    }
}

#[test]
fn what_cannot_be_called() {
    let target = Target::start(&["registers"]);
    let held = Held::hold(target.pid(), PATIENCE).unwrap();
    for address in [0, 1, u64::MAX, target.at("data")] {
        let error = held.call(address, &[], PATIENCE).unwrap_err();
        assert!(matches!(error, CallError::NotCode { .. }), "{error}");
    }
    let error = held.call(target.at("plain"), &[0; 7], PATIENCE).unwrap_err();
    assert!(matches!(error, CallError::Arguments { given: 7 }), "{error}");
    drop(held);
    target.finish_well(0);
}

#[test]
fn a_thread_on_an_unknown_stack_makes_no_calls() {
    let target = Target::start(&["foreign-stack"]);
    eventually("it runs", || target.status("State").starts_with('R'));
    // It is about to go there.
    std::thread::sleep(Duration::from_millis(50));
    let held = Held::hold(target.pid(), PATIENCE).unwrap();
    match held.call(target.at("plain"), &[], PATIENCE) {
        Err(error @ CallError::NoThread { .. }) => {
            let text = error.to_string();
            assert!(text.contains("neither the main one"), "{text}");
            let CallError::NoThread { reasons, .. } = error else { unreachable!() };
            assert_eq!(reasons, [(target.pid(), Unfit::UnknownStack)]);
        }
        other => panic!("{other:?}"),
    }
    drop(held);
    target.finish_well(0);
}

#[test]
fn a_thread_on_a_small_stack_makes_no_calls() {
    let target = Target::start(&["small-stack"]);
    eventually("it is a zombie", || target.status("State").starts_with('Z'));
    let held = Held::hold(target.pid(), PATIENCE).unwrap();
    match held.call(target.at("plain"), &[], PATIENCE) {
        Err(CallError::NoThread { reasons, .. }) => {
            assert_eq!(reasons, [(held.threads()[0].tid, Unfit::SmallStack)]);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_static_program() {
    let flags = ["-O1", "-static"];
    let program = compiled("it/program/target.c", "remote-call-target-static", &flags);
    let target = Target::of(Command::new(program).arg("registers"));
    let held = Held::hold(target.pid(), PATIENCE).unwrap();
    let value = held.call(target.at("plain"), &[1], PATIENCE).unwrap();
    assert_eq!(value, plain([1, 0, 0, 0, 0, 0]));
    held.release();
    target.finish_well(1);
}

#[test]
fn a_process_whose_first_thread_has_ended() {
    let target = Target::start(&["first-thread-ends"]);
    eventually("it is a zombie", || target.status("State").starts_with('Z'));
    let held = Held::hold(target.pid(), PATIENCE).unwrap();
    assert_eq!(held.threads().len(), 1);
    assert_ne!(held.threads()[0].tid, target.pid());
    let value = held.call(target.at("plain"), &[1, 2], PATIENCE).unwrap();
    assert_eq!(value, plain([1, 2, 0, 0, 0, 0]));
}
