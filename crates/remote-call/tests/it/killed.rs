//! A caller that is killed, at whatever moment, leaves no trace in the process that it held.

mod stepped;

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use remote_call::Held;
use suite::rounds;

use crate::target::{PATIENCE, Target};

/// Tells a second copy of this program what to hold.
const VARIABLE: &str = "REMOTE_CALL_TEST_TARGET";

/// Holds and calls: once, or until it is killed. Nothing without that variable.
#[test]
fn caller() {
    let Ok(task) = std::env::var(VARIABLE) else {
        return;
    };
    let words: Vec<_> = task.split_whitespace().collect();
    let [pid, function, times] = words.as_slice() else {
        panic!("{task}");
    };
    for _ in 0..times.parse::<u64>().unwrap() {
        let held = Held::hold(pid.parse().unwrap(), PATIENCE).unwrap();
        let function = function.parse().unwrap();
        held.call(function, &[1, 2, 3], PATIENCE).unwrap();
        held.release();
    }
}

fn caller_of(target: &Target, times: u64) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let task = format!("{} {} {times}", target.pid(), target.at("plain"));
    command
        .args(["--exact", "killed::caller", "--test-threads=1", "--quiet"])
        .env(VARIABLE, task)
        .stdout(std::process::Stdio::null());
    command
}

/// Killed when it goes.
struct Caller(Child);

impl Drop for Caller {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The process runs, untraced, and blocks no signals any more.
fn assert_it_recovers(target: &Target, what: &str) {
    target.assert_it_runs();
    let deadline = Instant::now() + PATIENCE;
    let is_blocking = || {
        let pid = target.pid();
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        { tasks }.any(|task| {
            let status = std::fs::read_to_string(task.unwrap().path().join("status"));
            let status = status.unwrap_or_default();
            !status.is_empty() && !status.contains("\nSigBlk:\t0000000000000000\n")
        })
    };
    while is_blocking() {
        assert!(Instant::now() < deadline, "{what}: signals stay blocked");
        std::thread::yield_now();
    }
}

fn killed_at_random(mode: &str, kills: u64) {
    let target = Target::start(&[mode]);
    let mut state = 0x9e37_79b9_7f4a_7c15 ^ u64::from(std::process::id());
    for kill in 0..kills {
        // xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let mut caller = Caller(caller_of(&target, u64::MAX).spawn().unwrap());
        // Begun when it traces the process for the first time.
        while target.status("TracerPid") == "0" {
            assert!(caller.0.try_wait().unwrap().is_none(), "the caller failed");
        }
        std::thread::sleep(Duration::from_micros(state % 3000));
        drop(caller);
        assert_it_recovers(&target, &format!("kill {kill}"));
    }
    let (status, text) = target.finish();
    assert!(status.success(), "{text}");
}

#[test]
fn at_random_while_its_process_computes() {
    killed_at_random("registers", rounds(30, 120));
}

#[test]
fn at_random_while_its_process_sleeps() {
    killed_at_random("naps", rounds(25, 100));
}

#[test]
fn at_random_while_its_process_has_eight_threads() {
    killed_at_random("threads", rounds(25, 100));
}

#[test]
fn before_each_step() {
    let modes = ["registers", "urgent", "naps", "threads"];
    // Usually each step in one of the four, where they are alike.
    let stride = rounds(modes.len() as u64, 1) as usize;
    for (first, mode) in modes.into_iter().enumerate() {
        let target = Target::start(&[mode]);
        let mut step = 1 + first % stride;
        while stepped::kill_before(step, caller_of(&target, 1)) {
            assert_it_recovers(&target, &format!("{mode}, before step {step}"));
            step += stride;
        }
        assert!(step > 20, "{mode}: only {step} steps");
        let (status, text) = target.finish();
        assert!(status.success(), "{mode}: {text}");
    }
}
