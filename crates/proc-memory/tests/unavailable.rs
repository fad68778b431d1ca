//! Processes that cannot be weighed: the error says which, why, and what helps.

use std::fs;
use std::time::Duration;
use suite::skipped;

use proc_memory::AddressSpace;
use proc_memory::{Process, Reason};
use proc_memory::{Snapshot, Weigher};

use super::child::Child;

#[test]
fn no_such_process() {
    // Above the greatest pid_max that the kernel accepts (2^22).
    for pid in [i32::MAX, 0, -1, i32::MIN] {
        let error = Snapshot::of(pid).unwrap_err();
        assert!(matches!(error.reason, Reason::NoSuchProcess), "{error}");
        assert!(error.to_string().starts_with(&format!("process {pid}: no such process")));
    }
}

#[test]
fn a_zombie_has_no_memory() {
    let mut child = Child::start();
    let mut weigher = Weigher::open(child.pid()).unwrap();
    child.process.kill().unwrap();
    wait_until(|| !weigher.process().is_alive());
    let error = weigher.weigh().unwrap_err();
    assert!(matches!(error.reason, Reason::Zombie), "{error}");
    assert!(error.to_string().contains(&format!("/proc/{}/smaps_rollup", child.pid())));
    let error = AddressSpace::of(child.pid()).unwrap_err();
    assert!(matches!(error.reason, Reason::Zombie), "{error}");
}

#[test]
fn a_process_that_has_ended_stays_ended() {
    let mut child = Child::start();
    let mut weigher = Weigher::open(child.pid()).unwrap();
    child.process.kill().unwrap();
    child.process.wait().unwrap();
    let error = weigher.weigh().unwrap_err();
    assert!(matches!(error.reason, Reason::Ended), "{error}");
    assert!(!weigher.process().is_alive());
}

#[test]
fn another_process_with_the_same_pid_is_not_weighed() {
    const NEXT: &str = "/proc/sys/kernel/ns_last_pid";
    let mut first = Child::start();
    let pid = first.pid();
    let mut weigher = Weigher::open(pid).unwrap();
    let process = Process::open(pid).unwrap();
    weigher.weigh().unwrap();
    first.process.kill().unwrap();
    first.process.wait().unwrap();

    // Other processes start meanwhile and may take the number, so it takes a few attempts.
    for _ in 0..50 {
        if let Err(error) = fs::write(NEXT, (pid - 1).to_string()) {
            skipped(format_args!("{NEXT} cannot be written: {error}"));
            return;
        }
        let second = Child::start();
        if second.pid() == pid {
            Snapshot::of(pid).expect("the second process can be weighed");
            assert!(matches!(weigher.weigh().unwrap_err().reason, Reason::Ended));
            assert!(AddressSpace::of_process(&process).is_err());
            assert!(!process.is_alive());
            return;
        }
    }
    skipped(format_args!("pid {pid} did not come again in 50 attempts"));
}

#[test]
fn a_main_thread_that_has_ended_is_told_from_a_zombie() {
    let mut child = Child::start();
    child.tell("p");
    child.tell("e");
    let process = Process::open(child.pid()).unwrap();
    wait_until(|| !process.is_alive());
    let error = Snapshot::of(child.pid()).unwrap_err();
    assert!(matches!(error.reason, Reason::MainThreadEnded { threads: 2 }), "{error}");
}

#[test]
fn a_kernel_thread_has_no_memory() {
    if fs::read("/proc/2/comm").ok().as_deref() != Some(b"kthreadd\n") {
        skipped("kernel threads are not visible here (a container)");
        return;
    }
    let error = Snapshot::of(2).unwrap_err();
    assert!(matches!(error.reason, Reason::KernelThread | Reason::Denied { .. }), "{error}");
    let error = AddressSpace::of(2).unwrap_err();
    assert!(matches!(error.reason, Reason::KernelThread | Reason::Denied { .. }), "{error}");
}

#[test]
fn a_process_of_another_user_is_refused_with_advice() {
    const NOBODY: libc::uid_t = 65_534;
    if !nix::unistd::geteuid().is_root() {
        skipped("only root can start a process and then be somebody else");
        return;
    }
    let child = Child::start();
    let pid = child.pid();
    // The raw call changes this thread alone, and the thread ends with the test.
    let errors = std::thread::spawn(move || {
        let keep = libc::uid_t::MAX;
        // SAFETY: setresuid(2) takes three numbers; the raw call leaves other threads as they are.
        let result = unsafe { libc::syscall(libc::SYS_setresuid, keep, NOBODY, keep) };
        assert_eq!(result, 0);
        [Snapshot::of(pid).unwrap_err(), AddressSpace::of(pid).unwrap_err()]
    })
    .join()
    .unwrap();
    for error in errors {
        let Reason::Denied { owner_uid, our_uid } = error.reason else {
            panic!("{error}");
        };
        assert_eq!((owner_uid, our_uid), (Some(0), NOBODY));
        let text = error.to_string();
        assert!(text.contains("uid 65534") && text.contains("CAP_SYS_PTRACE"), "{text}");
    }
}

fn wait_until(mut condition: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("nothing changed within five seconds");
}
