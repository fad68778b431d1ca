//! Processes that can't be held, and what is said.

mod elf32;

use std::process::Command;
use std::time::Duration;
use suite::waiting::eventually;

use remote_call::{Error, Held, HoldOptions};

use crate::target::{PATIENCE, Target, plain, status};
use suite::skipped;

fn refusal(pid: i32) -> Error {
    Held::hold(pid, PATIENCE).unwrap_err()
}

#[test]
fn none_itself_and_a_thread() {
    for pid in [0, -1, i32::MAX] {
        let error = refusal(pid);
        assert!(matches!(error, Error::NoSuchProcess { .. }), "{error}");
    }
    let own = std::process::id() as i32;
    let error = refusal(own);
    assert!(matches!(error, Error::Own { .. }), "{error}");

    let mut target = Target::start(&["threads"]);
    assert_eq!(target.line(), "threads");
    let tids = std::fs::read_dir(format!("/proc/{}/task", target.pid())).unwrap();
    let tids = tids.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse::<i32>());
    let other = { tids }.find_map(|tid| tid.ok().filter(|&tid| tid != target.pid()));
    let error = refusal(other.unwrap());
    let text = error.to_string();
    assert!(text.contains(&format!("give {}", target.pid())), "{text}");
    target.finish_well(0);
}

#[test]
fn a_zombie_and_a_kernel_thread() {
    let mut child = Command::new("true").spawn().unwrap();
    let pid = child.id() as i32;
    eventually("it is a zombie", || status(pid, "State").starts_with('Z'));
    let error = refusal(pid);
    assert!(matches!(error, Error::Zombie { .. }), "{error}");
    child.wait().unwrap();

    // By its flag, as `status` tells only newer kernels' (Kthread).
    let kernel_thread = (2..200).find(|&pid| {
        let vm = status(pid, "VmSize");
        !status(pid, "Name").is_empty() && vm.is_empty() && !status(pid, "State").starts_with('Z')
    });
    match kernel_thread {
        Some(pid) => {
            let error = refusal(pid);
            assert!(matches!(error, Error::KernelThread { .. }), "{error}");
        }
        None => skipped("no kernel threads are visible here"),
    }
}

#[test]
fn a_stopped_one_stays_stopped() {
    let target = Target::start(&["registers"]);
    target.send("STOP");
    eventually("it is stopped", || target.status("State").starts_with('T'));
    let error = refusal(target.pid());
    assert!(matches!(error, Error::Stopped { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("kill -CONT"), "{text}");
    assert!(target.status("State").starts_with('T'));
    target.send("CONT");
    target.finish_well(0);
}

#[test]
fn a_traced_one() {
    let target = Target::start(&["registers"]);
    let held = Held::hold(target.pid(), PATIENCE).unwrap();
    match refusal(target.pid()) {
        Error::Traced { tracer, .. } => assert_eq!(tracer, std::process::id() as i32),
        other => panic!("{other}"),
    }
    held.call(target.at("plain"), &[], PATIENCE).unwrap();
    held.release();
    target.finish_well(1);
}

#[test]
fn another_users() {
    let users = status(std::process::id() as i32, "Uid");
    if users != "0\t0\t0\t0" {
        let error = refusal(1);
        assert!(matches!(error, Error::NotPermitted { .. }), "{error}");
        return;
    }
    let target = Target::start(&["registers"]);
    let pid = target.pid();
    let as_nobody = move || {
        const NOBODY: libc::uid_t = 65_534;
        // For this thread alone, and those that it makes, unlike the C library's function.
        // SAFETY: takes integers.
        let result = unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) };
        assert_eq!(result, 0);
        refusal(pid)
    };
    let error = std::thread::spawn(as_nobody).join().unwrap();
    assert!(matches!(error, Error::NotPermitted { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("sudo"), "{text}");
    target.finish_well(0);
}

#[test]
fn a_parent_that_waits_for_its_vforked_child() {
    let mut target = Target::start(&["vfork"]);
    eventually("it is in vfork", || target.status("State").starts_with('D'));
    match Held::hold(target.pid(), Duration::from_millis(100)).unwrap_err() {
        Error::Restless { tid, state, .. } => assert_eq!((tid, state), (target.pid(), 'D')),
        other => panic!("{other}"),
    }
    target.assert_it_runs();
    target.write(b"x");
    let (status, text) = target.wait();
    assert!(status.success(), "{text}");
}

#[test]
fn one_with_a_seccomp_filter_unless_that_is_allowed() {
    let mut target = Target::start(&["seccomp"]);
    assert_eq!(target.line(), "filtered");
    let error = refusal(target.pid());
    assert!(matches!(error, Error::Seccomp { .. }), "{error}");
    let options = HoldOptions::default().allow_seccomp(true);
    let held = Held::hold_with(target.pid(), PATIENCE, options).unwrap();
    let value = held.call(target.at("plain"), &[1], PATIENCE).unwrap();
    assert_eq!(value, plain([1, 0, 0, 0, 0, 0]));
    held.release();
    target.finish_well(1);
}

#[test]
fn a_32_bit_one() {
    let directory = tempfile::tempdir().unwrap();
    let program = elf32::install(directory.path());
    let mut child = match Command::new(&program).spawn() {
        Ok(child) => child,
        Err(error) => return skipped(format!("no 32-bit programs here ({error})")),
    };
    let result = Held::hold(child.id() as i32, PATIENCE);
    let state = status(child.id() as i32, "State");
    child.kill().unwrap();
    child.wait().unwrap();
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Foreign { .. }), "{error}");
    assert!(state.starts_with('R'), "{state}");
}
