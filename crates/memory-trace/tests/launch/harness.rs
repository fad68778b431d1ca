//! What the tests share: compiled programs, watched runs, strace's opinion.

use std::collections::BTreeMap;
use std::path::PathBuf;
pub use suite::installed;
pub use suite::place::executable_copy;
pub use suite::waiting::eventually;

use heap_growth::{Counts, Tally};
use memory_event::{Sink, Syscall};
use memory_trace::{Launch, LaunchNote, Launched};
use memory_trace::{Stream, Target};

/// Calls whose counts must be strace's.
pub const COMPARED: [Syscall; 11] = [
    Syscall::Brk,
    Syscall::Mmap,
    Syscall::Munmap,
    Syscall::Mremap,
    Syscall::Mprotect,
    Syscall::Madvise,
    Syscall::Open,
    Syscall::Openat,
    Syscall::Openat2,
    Syscall::Creat,
    Syscall::Close,
];

/// Compiles `tests/programs/NAME.c` once and gives the program's path.
pub fn compiled(name: &str) -> PathBuf {
    let source = format!("programs/{name}.c");
    crate::compiled(&source, &format!("launch-{name}"), &["-O1"])
}

/// A target whose behaviour depends on nothing around it.
pub fn target(program: impl Into<std::ffi::OsString>) -> Target {
    Target::new(program)
        .env("LC_ALL", "C")
        .env("PERL_HASH_SEED", "0")
        .env("PYTHONHASHSEED", "0")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env_remove("GLIBC_TUNABLES")
        .env_remove("MALLOC_ARENA_MAX")
        .env_remove("MALLOC_MMAP_THRESHOLD_")
        .env_remove("LD_PRELOAD")
        .env_remove("LD_LIBRARY_PATH")
        .stdin(Stream::Null)
        .stdout(Stream::Null)
}

/// Runs a target to its end. Its notes are those that an ordinary user's runs don't all have.
pub fn watch<S: Sink + Send + 'static>(target: &Target, sink: S) -> Launched<S> {
    let finished = Launch::start(target, sink).and_then(Launch::wait);
    let mut finished =
        finished.unwrap_or_else(|error| panic!("{:?}: {error}", target.command_line()));
    if !is_root() {
        let before = finished.notes.len();
        finished.notes.retain(|note| *note != LaunchNote::NoNewPrivileges);
        assert_eq!(finished.notes.len(), before - 1, "{:?}", finished.notes);
    }
    finished
}

/// Whether these tests are root's.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// What `strace -f -c` counts when it runs the target; `None` without strace.
pub fn strace(words: &[&str]) -> Option<BTreeMap<String, Counts>> {
    if !installed("strace") {
        return None;
    }
    let log = tempfile::NamedTempFile::new().unwrap();
    let strace = target("strace").args(["-f", "-c", "-o"]).arg(log.path()).arg("--").args(words);
    strace.to_command().status().expect("strace can be run");
    let table = std::fs::read_to_string(log.path()).unwrap();
    assert!(table.contains("syscall"), "strace did not get as far as its table:\n{table}");
    Some(table.lines().filter_map(row).collect())
}

/// `% time, seconds, usecs/call, calls, [errors,] syscall`
fn row(line: &str) -> Option<(String, Counts)> {
    let fields: Vec<_> = line.split_whitespace().collect();
    let (failed, name) = match fields[..] {
        [_, _, _, _, failed, name] => (failed.parse().ok()?, name),
        [_, _, _, _, name] => (0, name),
        _ => return None,
    };
    Some((name.to_owned(), Counts { calls: fields[3].parse().ok()?, failed }))
}

/// Runs a command and holds every count against strace's.
pub fn same_as_strace(words: &[&str]) -> Launched<Tally> {
    let finished = watch(&target(words[0]).args(&words[1..]), Tally::default());
    assert_eq!(finished.lost_events, 0);
    assert_eq!(finished.notes, []);
    if let Some(theirs) = strace(words) {
        let theirs = |syscall: Syscall| theirs.get(syscall.name()).copied().unwrap_or_default();
        for syscall in COMPARED {
            let (mut ours, theirs) = (finished.sink.get(syscall), theirs(syscall));
            if syscall == Syscall::Brk {
                // strace can't see that a brk was refused.
                ours.failed = 0;
            }
            assert_eq!(ours, theirs, "{} of {words:?}, ours and strace's", syscall.name());
        }
        // strace counts the call that began the program, too.
        let sum = |a: Counts, b: Counts| (a.calls + b.calls, a.failed + b.failed);
        let (calls, failed) =
            sum(finished.sink.get(Syscall::Execve), finished.sink.get(Syscall::Execveat));
        let theirs = sum(theirs(Syscall::Execve), theirs(Syscall::Execveat));
        assert_eq!((calls + 1, failed), theirs, "execs of {words:?}");
    }
    finished
}

/// Whether a process is there and not just waiting to be reaped by whoever adopted it.
pub fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| state != 'Z' && state != 'X')
}
