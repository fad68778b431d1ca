//! A fork while another thread holds the lock, told of and untold.
//!
//! # Safety
//!
//! Children do nothing but try the lock and exit: what a copy of one thread of several may do.
#![allow(unsafe_code)]

use suite as _;

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bundle_cache::lock;

/// A child that takes longer than so many seconds hangs.
const PATIENCE_SECONDS: u32 = 30;

const GOT_IT: i32 = 10;
const WENT_WITHOUT: i32 = 11;

/// Begins a child, has it try the lock, and gives what it ended with.
fn try_in_child(begin: impl FnOnce() -> libc::pid_t) -> Option<i32> {
    let child = begin();
    assert!(child >= 0, "{}", std::io::Error::last_os_error());
    if child == 0 {
        // SAFETY: no precondition; the signal ends this process.
        unsafe { libc::alarm(PATIENCE_SECONDS) };
        let status = if lock().is_some() { GOT_IT } else { WENT_WITHOUT };
        // SAFETY: ends this process and runs nothing else.
        unsafe { libc::_exit(status) };
    }
    let mut status = 0;
    // SAFETY: our own child, and room for the answer.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status))
}

/// As clone(2) does it where nobody is told: no handler runs.
fn untold() -> libc::pid_t {
    let none = 0_usize;
    // SAFETY: without a stack of its own and without flags it is fork(2).
    let child = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, none, none, none, none) };
    child.try_into().expect("a process")
}

fn told() -> libc::pid_t {
    // SAFETY: the child keeps to what the module says.
    unsafe { libc::fork() }
}

/// Has another thread hold the lock from before `act` until so long afterwards, or until the end.
fn while_held<T>(held_for: Option<Duration>, act: impl FnOnce() -> T) -> T {
    let (tell, hear) = mpsc::channel();
    let (end, ended) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            let guard = lock().expect("nobody else has it for long");
            tell.send(()).expect("the other one listens");
            match held_for {
                Some(time) => thread::sleep(time),
                None => drop(ended.recv()),
            }
            drop(guard);
        });
        hear.recv().expect("the other one tells");
        let result = act();
        drop(end);
        result
    })
}

/// One test, since they share the one lock.
#[test]
fn a_child_gets_the_lock_or_goes_without() {
    // The first lock tells fork(2) of it.
    drop(lock().expect("a free lock"));
    assert_eq!(try_in_child(told), Some(GOT_IT));
    assert_eq!(try_in_child(untold), Some(GOT_IT));

    let held_shortly = Some(Duration::from_millis(100));
    let waited = while_held(held_shortly, || try_in_child(told));
    assert_eq!(waited, Some(GOT_IT), "fork(2) waits for the holder");

    let copied = while_held(None, || try_in_child(untold));
    assert_eq!(copied, Some(WENT_WITHOUT), "the holder isn't in the copy");

    // Here, too, nobody waits for ever; and nothing is lost for later.
    assert!(while_held(None, || lock().is_none()));
    assert!(lock().is_some());
}
