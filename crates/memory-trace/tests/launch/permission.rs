//! Where watching is forbidden, and where rights are at stake.

use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use suite::skipped;

use memory_trace::LaunchNote;
use memory_trace::Stream;

use super::harness::{compiled, executable_copy, target, watch};
use super::role;

/// Has the watcher run with one system call refused.
fn watched_without(call: i64) -> Vec<String> {
    let mut forbid = Command::new(compiled("forbid"));
    forbid.arg(call.to_string()).arg(role::myself());
    let output = role::play(forbid, "watcher", "true").output().unwrap();
    role::said(&output.stdout)
}

#[test]
fn a_refusal_says_what_and_what_helps() {
    for (call, what) in [
        (libc::SYS_ptrace, "PTRACE_SEIZE was refused"),
        (libc::SYS_seccomp, "the seccomp filter was refused"),
        (libc::SYS_pidfd_open, "pidfd_open was refused"),
    ] {
        let said = watched_without(call);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains(what) && said[0].contains("ptrace_scope"), "{said:?}");
    }
}

#[test]
fn who_is_traced_cannot_trace() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let writer = Stream::Fd(Arc::new(writer.into()));
    let watcher = role::target(target(role::myself()), "watcher", "true");
    let finished = watch(&watcher.stdout(writer), ());
    assert!(finished.ending.success());
    let mut output = Vec::new();
    reader.read_to_end(&mut output).unwrap();
    let said = role::said(&output);
    assert!(said[0].contains("this process is itself traced (by process "), "{said:?}");
}

#[test]
fn a_filter_of_its_own_is_noted() {
    // A number that no call has, so that nothing is refused.
    let forbid = target(compiled("forbid")).args(["100000", "true"]);
    let notes = watch(&forbid, ()).notes;
    assert!(matches!(notes[..], [LaunchNote::OwnFilter { filters: 1, .. }]), "{notes:?}");
}

/// Has the watcher run as the user `nobody`, copied to where that user may read it.
fn watched_as_nobody(directory: &Path, subject: &Path) -> Vec<String> {
    let watcher = directory.join("watcher");
    executable_copy(&role::myself(), &watcher, 0o755);
    let mut command = role::play(Command::new(watcher), "watcher", subject.to_str().unwrap());
    let output = command.uid(65534).gid(65534).current_dir("/").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    role::said(&output.stdout)
}

#[test]
fn a_set_uid_program_as_an_ordinary_user() {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return skipped("only root can make a set-uid program of root");
    }
    let directory = tempfile::tempdir().unwrap();
    let open_to_all = PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(directory.path(), open_to_all).unwrap();
    let program = directory.path().join("who");
    executable_copy(&compiled("who"), &program, 0o4755);
    let plain = Command::new(&program).uid(65534).gid(65534).status().unwrap();
    if plain.code() != Some(10) {
        return skipped(format_args!("set-uid has no effect in {directory:?} (mounted nosuid?)"));
    }

    let said = watched_as_nobody(directory.path(), &program);
    assert_eq!(said[0], "Code(11)", "it runs, without root's rights");
    assert_eq!(said[1], "3 mremap", "and is counted all the same");
    assert!(said[2].contains("set-uid programs ran without"), "{said:?}");
}
