//! What happens to the host of a launch, and what its end, its children and its mistakes do.

use std::io::BufRead;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use memory_event::{Event, What};
use memory_trace::Launch;
use suite::waiting::{children, lines};

use super::harness::{compiled, eventually, is_alive, target, watch};
use super::role;

#[test]
fn kill_9_of_the_host_ends_what_it_launched_and_nothing_else() {
    for mode in ["calls", "life"] {
        kill_9_of_a_host(mode);
    }
}

fn kill_9_of_a_host(mode: &str) {
    let mut host = role::play(Command::new(role::myself()), "host", mode);
    let mut host = host.stdout(Stdio::piped()).spawn().unwrap();
    let said = lines(host.stdout.take().unwrap()).lines();
    let mut pids = said.filter_map(|line| {
        line.unwrap().strip_prefix("SAYS ").map(|pid| pid.parse::<i32>().unwrap())
    });
    let (bystander, launched) = (pids.next().unwrap(), pids.next().unwrap());
    let mut grandchildren = Vec::new();
    eventually("the shell has two children", || {
        grandchildren = children(launched);
        grandchildren.len() == 2
    });

    host.kill().unwrap();
    host.wait().unwrap();
    eventually("the launched program is gone", || !is_alive(launched));
    for pid in grandchildren {
        eventually("what it started is gone", || !is_alive(pid));
    }
    assert!(is_alive(bystander), "the host's other child is none of our business");
    Command::new("kill").arg(bystander.to_string()).status().unwrap();
}

#[test]
fn other_children_are_left_to_the_host() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let exits_with = |script| Command::new("sh").args(["-c", script]).spawn().unwrap();
    let mut before = exits_with("exit 41");
    let mut during = exits_with("sleep 0.1; exit 42");
    // Waits for tracees while others come and go on another thread.
    let watching = std::thread::spawn(move || {
        let sink = move |event: &Event| {
            if event.what == What::Started {
                sender.send(()).unwrap();
            }
        };
        assert!(watch(&target(compiled("forks")), sink).ending.success());
    });
    receiver.recv().unwrap();
    let mut beside = exits_with("exit 43");
    watching.join().unwrap();
    assert_eq!(before.wait().unwrap().code(), Some(41));
    assert_eq!(during.wait().unwrap().code(), Some(42));
    assert_eq!(beside.wait().unwrap().code(), Some(43));
}

#[test]
fn several_launches_at_once() {
    let threads: Vec<_> = (0..4)
        .map(|code| {
            std::thread::spawn(move || {
                let target = target("sh").arg("-c").arg(format!("cat /dev/null; exit {code}"));
                assert_eq!(watch(&target, ()).ending.shell_status(), code);
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_sink_that_panics_takes_the_run_with_it() {
    static PID: AtomicI32 = AtomicI32::new(0);
    static EVENTS: AtomicU32 = AtomicU32::new(0);
    let sink = |event: &Event| {
        PID.store(event.pid, Ordering::Relaxed);
        assert!(EVENTS.fetch_add(1, Ordering::Relaxed) < 10, "the tenth is one too many");
    };
    let run = || Launch::start(&target("sh").args(["-c", "sleep 300 & sleep 300"]), sink)?.wait();
    let panic = catch_unwind(AssertUnwindSafe(run)).err().expect("the panic goes on");
    let message = panic.downcast_ref::<&str>().copied();
    assert_eq!(message, Some("the tenth is one too many"));
    assert!(!is_alive(PID.load(Ordering::Relaxed)));
}

#[test]
fn a_sink_that_panics_at_the_start() {
    let sink = |_: &Event| panic!("at once");
    let run = || Launch::start(&target("sleep").arg("300"), sink)?.wait();
    assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
}
