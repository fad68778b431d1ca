//! Exit status and death pass through, and an untraced run tells the same.

use heap_growth::Tally;
use memory_event::{Ending, Syscall};
use memory_trace::Launch;

use super::harness::{compiled, eventually, is_alive, target, watch};

#[test]
fn exit_codes_and_signals() {
    for (script, wanted) in [
        ("exit 0", Ending::Code(0)),
        ("exit 3", Ending::Code(3)),
        ("exit 255", Ending::Code(255)),
        ("kill -TERM $$", Ending::Signal { signal: 15, core_dumped: false }),
        ("kill -KILL $$", Ending::Signal { signal: 9, core_dumped: false }),
        // The highest real-time signal.
        ("kill -64 $$", Ending::Signal { signal: 64, core_dumped: false }),
    ] {
        let target = target("sh").args(["-c", script]);
        assert_eq!(watch(&target, ()).ending, wanted, "{script}");
        let untraced = target.to_command().status().unwrap();
        assert_eq!(Ending::from(untraced), wanted, "{script}, untraced");
    }
}

#[test]
fn killed_in_the_middle_of_calls() {
    let finished = watch(&target(compiled("killed")).arg("threads"), Tally::default());
    assert_eq!(finished.ending, Ending::Signal { signal: 9, core_dumped: false });
    assert_eq!(finished.sink.get(Syscall::Mremap).calls, 100);
    assert!(finished.sink.get(Syscall::Munmap).calls > 8, "threads were at work");
}

#[test]
fn killed_by_us() {
    let launch = Launch::start(&target("sh").args(["-c", "sleep 300 & sleep 300"]), ()).unwrap();
    let pid = launch.pid();
    assert!(is_alive(pid));
    launch.kill();
    assert_eq!(launch.wait().unwrap().ending, Ending::Signal { signal: 9, core_dumped: false });
    assert!(!is_alive(pid));
}

#[test]
fn killed_from_another_thread() {
    let launch = Launch::start(&target("sleep").arg("300"), ()).unwrap();
    let killer = launch.killer();
    let thread = std::thread::spawn(move || launch.wait().unwrap().ending);
    killer.kill();
    assert_eq!(thread.join().unwrap().shell_status(), 137);
    killer.kill();
}

#[test]
fn what_outlives_the_program_can_be_killed() {
    let launch = Launch::start(&target("sh").args(["-c", "sleep 300 & exit 4"]), ()).unwrap();
    let pid = launch.pid();
    eventually("the shell has ended", || !is_alive(pid));
    launch.kill();
    assert_eq!(launch.wait().unwrap().ending, Ending::Code(4));
}

#[test]
fn a_run_is_over_when_the_last_process_has_ended() {
    let script = "(sleep 0.2; cat /dev/null) & exit 0";
    let finished = watch(&target("sh").args(["-c", script]), Tally::default());
    assert!(finished.ending.success());
    assert_eq!(finished.sink.get(Syscall::Execve).calls, 2, "sleep and cat");
    assert!(finished.cost.wall_seconds < 0.2, "the program's own time");
}

#[test]
fn dropped_without_a_wait() {
    let launch = Launch::start(&target("sleep").arg("300"), ()).unwrap();
    let pid = launch.pid();
    drop(launch);
    assert!(!is_alive(pid));
}

#[test]
fn what_it_cost() {
    let finished = watch(&target(compiled("reads")).args(["20000", "3000"]), Tally::default());
    let calls: u64 = finished.sink.by_name().values().map(|counts| counts.calls).sum();
    // Two stops for each call, one for the exec itself, and the failing call or two before it.
    assert!((2 * calls..2 * calls + 10).contains(&finished.cost.stops), "{:?}", finished.cost);
    assert!((3000..3100).contains(&calls), "reads do not stop: {calls}");
    assert!(finished.cost.tracer_cpu_seconds > 0.0);
    assert!(finished.cost.wall_seconds > 0.0);
}
