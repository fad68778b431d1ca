//! What a process has is as it was: signals, mappings, threads.

use remote_call::Held;
use suite::rounds;
use suite::waiting::eventually;

use crate::target::{PATIENCE, Target, plain};

/// SIGUSR2 in a set of signals as `/proc/PID/status` shows it.
fn has_usr2(set: &str) -> bool {
    let set = u64::from_str_radix(set, 16).unwrap();
    set & 1 << (libc::SIGUSR2 - 1) != 0
}

#[test]
fn signals_wait_and_come_once() {
    const ROUNDS: u64 = 20;
    let target = Target::start(&["signals"]);
    // It blocks SIGUSR1 and has it pending.
    eventually("a signal is pending", || {
        target.status("ShdPnd") != "0000000000000000"
            || target.status("SigPnd") != "0000000000000000"
    });
    let mask = target.status("SigBlk");
    let actions = target.status("SigCgt");
    for _ in 0..ROUNDS {
        let held = Held::hold(target.pid(), PATIENCE).unwrap();
        target.send("USR2");
        held.call(target.at("plain"), &[], PATIENCE).unwrap();
        assert!(has_usr2(&target.status("ShdPnd")), "not yet");
        assert_eq!(target.status("SigBlk"), mask);
        held.call(target.at("plain"), &[], PATIENCE).unwrap();
        held.release();
        eventually("the signal has come", || !has_usr2(&target.status("ShdPnd")));
        assert_eq!(target.status("SigCgt"), actions);
    }
    let (status, text) = target.finish();
    assert!(status.success(), "{text}");
    let expected = format!("calls {}\nusr2 {ROUNDS}\n", 2 * ROUNDS);
    assert!(text.ends_with(&expected), "{text}");
}

#[test]
fn a_stop_that_comes_meanwhile_takes_effect_afterwards() {
    for before_the_call in [true, false] {
        let target = Target::start(&["registers"]);
        let held = Held::hold(target.pid(), PATIENCE).unwrap();
        if before_the_call {
            target.send("STOP");
        }
        let value = held.call(target.at("plain"), &[1], PATIENCE).unwrap();
        assert_eq!(value, plain([1, 0, 0, 0, 0, 0]));
        if !before_the_call {
            target.send("STOP");
        }
        held.release();
        eventually("it is stopped", || target.status("State").starts_with('T'));
        assert_eq!(target.status("TracerPid"), "0");
        target.send("CONT");
        eventually("it goes on", || !target.status("State").starts_with('T'));
        target.finish_well(1);
    }
}

#[test]
fn no_mapping_comes_or_goes() {
    let target = Target::start(&["registers"]);
    let maps = || std::fs::read_to_string(format!("/proc/{}/maps", target.pid())).unwrap();
    let before = maps();
    let held = Held::hold(target.pid(), PATIENCE).unwrap();
    held.call(target.at("plain"), &[], PATIENCE).unwrap();
    held.release();
    assert_eq!(maps(), before);
    target.finish_well(1);
}

#[test]
fn eight_threads() {
    let mut target = Target::start(&["threads"]);
    assert_eq!(target.line(), "threads");
    let rounds = rounds(15, 50);
    for round in 0..rounds {
        let held = Held::hold(target.pid(), PATIENCE).unwrap();
        assert_eq!(held.threads().len(), 8);
        for thread in held.threads() {
            let task = format!("/proc/{}/task/{}/status", target.pid(), thread.tid);
            let status = std::fs::read_to_string(task).unwrap();
            assert!(status.contains("\nState:\tt"), "{status}");
            assert_eq!(thread.registers[7], thread.stack_pointer);
            assert_eq!(thread.registers[16], thread.instruction_pointer);
        }
        let value = held.call(target.at("plain"), &[round], PATIENCE).unwrap();
        assert_eq!(value, plain([round, 0, 0, 0, 0, 0]));
    }
    target.finish_well(rounds);
}
