//! Counts are strace's, and those that the test programs know of themselves.

use memory_event::{Ending, Syscall};
use suite::skipped;

use super::harness::{compiled, installed, same_as_strace};

const OK: Ending = Ending::Code(0);

fn program(name: &str) -> String {
    compiled(name).to_str().unwrap().to_owned()
}

#[test]
fn a_shell_pipeline() {
    let script = "seq 1 5000 | sort -rn | tail -n 3; ls / /nonexistent 2>/dev/null | wc -l";
    assert_eq!(same_as_strace(&["sh", "-c", script]).ending, OK);
}

#[test]
fn perl() {
    if installed("perl") {
        let script = "my %h = map { $_ => 'x' x $_ } 1 .. 2000; print length join '', values %h";
        assert_eq!(same_as_strace(&["perl", "-e", script]).ending, OK);
    }
}

#[test]
fn python() {
    // Not by the name `python3`: that may be a script which chooses a version.
    let path = std::process::Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output();
    let Some(path) = path.ok().filter(|output| output.status.success()) else {
        return skipped("python3 is not installed");
    };
    let path = String::from_utf8(path.stdout).unwrap();
    let script = "import json; json.dumps([{str(n): 'x' * n} for n in range(3000)])";
    assert_eq!(same_as_strace(&[path.trim(), "-I", "-S", "-c", script]).ending, OK);
}

#[test]
fn git() {
    if installed("git") {
        // Reads what it finds, writes nothing, and starts a child: the alias is a shell command.
        let alias = "alias.memory=!cat /proc/self/maps | git hash-object --stdin";
        assert_eq!(same_as_strace(&["git", "-c", alias, "memory"]).ending, OK);
    }
}

#[test]
fn sixty_four_threads() {
    let finished = same_as_strace(&[&program("threads")]);
    assert_eq!(finished.ending, OK);
    assert_eq!(finished.sink.get(Syscall::Mremap).calls, 640);
    assert!(finished.sink.get(Syscall::Madvise).calls >= 640);
}

#[test]
fn a_thousand_forks() {
    let finished = same_as_strace(&[&program("forks")]);
    assert_eq!(finished.ending, OK);
    assert_eq!(finished.sink.get(Syscall::Mremap).calls, 1000);
}

#[test]
fn a_program_that_executes_itself() {
    for mode in ["main", "thread"] {
        let finished = same_as_strace(&[&program("exec_self"), mode, "10"]);
        assert_eq!(finished.ending, Ending::Code(5), "from {mode}");
        assert_eq!(finished.sink.get(Syscall::Mremap).calls, 11);
        let execs = finished.sink.get(Syscall::Execve);
        assert_eq!((execs.calls, execs.failed), (20, 10));
    }
}

#[test]
fn vfork_posix_spawn_and_fexecve() {
    let finished = same_as_strace(&[&program("spawn")]);
    assert_eq!(finished.ending, OK);
    let (by_path, by_file) =
        (finished.sink.get(Syscall::Execve), finished.sink.get(Syscall::Execveat));
    assert_eq!(by_path.calls + by_file.calls, 30);
}

#[test]
fn an_open_that_a_signal_interrupts() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    let finished = same_as_strace(&[&program("fifo"), fifo.to_str().unwrap()]);
    assert_eq!(finished.ending, OK);
    assert_eq!(finished.sink.get(Syscall::Openat).failed, 1, "interrupted and begun anew");
}

#[test]
fn signals_and_stops() {
    assert_eq!(same_as_strace(&[&program("signals")]).ending, OK);
    assert_eq!(same_as_strace(&[&program("stops")]).ending, OK);
}

#[test]
fn a_program_that_kills_itself() {
    let finished = same_as_strace(&[&program("killed"), "self"]);
    assert_eq!(finished.ending, Ending::Signal { signal: 9, core_dumped: false });
    assert_eq!(finished.sink.get(Syscall::Mremap).calls, 100);
}
