//! Processes that change while they are being held.

use std::process::Command;
use suite::rounds;
use suite::waiting::eventually;

use remote_call::{CallError, Error, Held};

use crate::target::{PATIENCE, Target, status};

#[test]
fn one_that_is_killed_while_it_is_held() {
    let target = Target::start(&["threads"]);
    let held = Held::hold(target.pid(), PATIENCE).unwrap();
    target.send("KILL");
    eventually("it is gone", || !target.status("State").starts_with('t'));
    let error = held.call(target.at("plain"), &[], PATIENCE).unwrap_err();
    assert!(
        matches!(
            error,
            CallError::Gone { .. } | CallError::NoThread { .. } | CallError::NotCode { .. }
        ),
        "{error}"
    );
    held.release();
    let (status, _) = target.wait();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(libc::SIGKILL));
}

#[test]
fn one_that_makes_threads_and_processes_all_the_time() {
    let rounds = rounds(50, 200);
    let target = Target::start(&["breed"]);
    for _ in 0..rounds {
        let held = Held::hold(target.pid(), PATIENCE).unwrap();
        held.call(target.at("plain"), &[], PATIENCE).unwrap();
    }
    target.finish_well(rounds);
}

#[test]
fn one_that_executes_programs_all_the_time() {
    let target = Target::start(&["execs"]);
    let rounds = rounds(30, 100);
    let mut held_times = 0;
    for _ in 0..rounds {
        match Held::hold(target.pid(), PATIENCE) {
            Ok(held) => {
                held_times += 1;
                held.release();
            }
            Err(Error::Gone { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        target.assert_it_runs();
    }
    assert!(held_times > rounds / 2, "{held_times}");
}

#[test]
fn ones_that_end() {
    for _ in 0..100 {
        let mut child = Command::new("true").spawn().unwrap();
        let pid = child.id() as i32;
        match Held::hold(pid, PATIENCE) {
            Ok(held) => drop(held),
            Err(Error::Gone { .. } | Error::Zombie { .. } | Error::NoSuchProcess { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        assert!(child.wait().unwrap().success());
        assert_eq!(status(pid, "State"), "");
    }
}
