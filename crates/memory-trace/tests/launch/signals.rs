//! Signals and stops reach the program as if nobody watched.

use std::process::Command;
use std::time::Duration;

use memory_event::Ending;
use memory_trace::Launch;

use super::harness::{compiled, eventually, is_alive, target, watch};

#[test]
fn real_time_signals_keep_order_number_and_payload() {
    let program = target(compiled("signals"));
    assert!(program.to_command().status().unwrap().success(), "the program itself");
    assert_eq!(watch(&program, ()).ending, Ending::Code(0));
}

#[test]
fn a_program_that_stops_and_is_continued() {
    let program = target(compiled("stops"));
    assert!(program.to_command().status().unwrap().success(), "the program itself");
    assert_eq!(watch(&program, ()).ending, Ending::Code(0));
}

fn state(pid: i32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.chars().next().unwrap()
}

fn send(signal: &str, pid: i32) {
    assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
}

#[test]
fn stopped_and_continued_from_outside() {
    let launch = Launch::start(&target("sleep").arg("0.5"), ()).unwrap();
    let pid = launch.pid();
    send("-STOP", pid);
    eventually("it is stopped", || matches!(state(pid), 't' | 'T'));
    std::thread::sleep(Duration::from_millis(600));
    assert!(is_alive(pid), "a stopped program does not wake up by itself");
    send("-CONT", pid);
    assert_eq!(launch.wait().unwrap().ending, Ending::Code(0));
}

#[test]
fn killed_while_stopped() {
    let launch = Launch::start(&target("sleep").arg("300"), ()).unwrap();
    send("-STOP", launch.pid());
    eventually("it is stopped", || matches!(state(launch.pid()), 't' | 'T'));
    send("-KILL", launch.pid());
    assert_eq!(launch.wait().unwrap().ending.shell_status(), 137);
}
