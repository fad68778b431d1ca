//! System calls that a hold interrupts go on as if nothing had been.

use std::time::{Duration, Instant};
use suite::waiting::eventually;

use remote_call::Held;

use crate::target::{PATIENCE, Target};

/// How long the calls wait, and how long they are disturbed: were they begun anew, they would wait
/// half as long again.
const SECONDS: &str = "4";
const DISTURBED: Duration = Duration::from_secs(2);

/// Holds a process again and again in a system call, with two function calls each time.
fn disturb(target: &Target, number: i64) -> u64 {
    target.wait_for_call(number);
    let since = Instant::now();
    let mut calls = 0;
    while since.elapsed() < DISTURBED {
        let held = Held::hold(target.pid(), PATIENCE).unwrap();
        let [thread] = held.threads() else {
            panic!("{:?}", held.threads());
        };
        let at = thread.system_call;
        assert!(at == Some(number) || at == Some(libc::SYS_restart_syscall), "{at:?}");
        for _ in 0..2 {
            held.call(target.at("plain"), &[], PATIENCE).unwrap();
            calls += 1;
        }
        held.release();
        std::thread::sleep(DISTURBED / 20);
    }
    calls
}

/// Of what its time it waited, 1 for exactly as long as asked.
fn share(text: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix("waited "));
    let (took, asked) = line.unwrap().split_once(" of ").unwrap();
    took.parse::<f64>().unwrap() / asked.parse::<f64>().unwrap()
}

fn waits_to_the_end(mode: &str, number: i64, result: &str) {
    let target = Target::start(&[mode, SECONDS]);
    let calls = disturb(&target, number);
    let (status, text) = target.wait();
    assert!(status.success(), "{text}");
    assert!(text.starts_with(result), "{text}");
    assert!(text.contains(&format!("calls {calls}\n")), "{text}");
    let share = share(&text);
    assert!((0.999..1.4).contains(&share), "{text}");
}

/// All at the same time, as most of it they sleep.
///
/// ppoll(2) waits with a signal mask of its own, which the process checks afterwards. The kernel
/// itself begins it anew, with what is left of its time.
#[test]
fn those_with_a_time_wait_to_its_end() {
    let calls = [
        ("nanosleep", libc::SYS_nanosleep, "nanosleep 0 "),
        ("clock_nanosleep", libc::SYS_clock_nanosleep, "clock_nanosleep 0 "),
        ("clock_nanosleep_until", libc::SYS_clock_nanosleep, "clock_nanosleep 0 "),
        ("poll", libc::SYS_poll, "poll 0 "),
        ("ppoll", libc::SYS_ppoll, "ppoll 0 "),
        ("futex", libc::SYS_futex, "futex -1 Connection timed out"),
    ];
    std::thread::scope(|scope| {
        for (mode, number, result) in calls {
            scope.spawn(move || waits_to_the_end(mode, number, result));
        }
    });
}

#[test]
fn read() {
    let mut target = Target::start(&["read"]);
    let calls = disturb(&target, libc::SYS_read);
    target.write(b"hello");
    let (status, text) = target.wait();
    assert!(status.success(), "{text}");
    assert!(text.starts_with(&format!("read 5 \ncalls {calls}\n")), "{text}");
}

#[test]
fn sigsuspend() {
    let target = Target::start(&["sigsuspend"]);
    let calls = disturb(&target, libc::SYS_rt_sigsuspend);
    target.finish_well(calls);
}

/// epoll_wait(2) fails with EINTR after any stop, also a plain one (signal(7)).
#[test]
fn epoll_wait_ends_as_after_a_stop() {
    let first_line = |text: &str| text.lines().next().unwrap().to_owned();

    let target = Target::start(&["epoll", SECONDS]);
    target.wait_for_call(libc::SYS_epoll_wait);
    target.send("STOP");
    eventually("it is stopped", || target.status("State").starts_with('T'));
    target.send("CONT");
    let stopped = first_line(&target.wait().1);

    let target = Target::start(&["epoll", SECONDS]);
    target.wait_for_call(libc::SYS_epoll_wait);
    let held = Held::hold(target.pid(), PATIENCE).unwrap();
    held.call(target.at("plain"), &[], PATIENCE).unwrap();
    held.release();
    let (status, text) = target.wait();
    assert!(status.success(), "{text}");
    assert_eq!(first_line(&text), stopped);
    assert_eq!(stopped, "epoll_wait -1 Interrupted system call");
}
