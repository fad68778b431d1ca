//! A user who may load BPF programs, and nothing else: who sees no more than a tracer would.

use std::io::BufRead;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use memory_trace::Via;
use suite::skipped;
use suite::waiting::{ended, lines};

use super::harness::{Subject, ways};
use super::refused::watcher_for_all;
use super::role;

/// Belongs to root and is set-uid on Debian, Fedora, Arch and others.
const SET_UID: &str = "/bin/mount";

/// What a watcher with two capabilities says of a process, or of `all`; `begun` is called when it has begun.
pub fn said_with_two_capabilities(pid: impl ToString, begun: impl FnOnce()) -> Vec<String> {
    let (_directory, watcher) = watcher_for_all();
    let played = role::watcher(&watcher, pid, Via::Bpf);
    let environment = played.get_envs();
    let mut watcher = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .args(["--inh-caps=+bpf,+perfmon", "--ambient-caps=+bpf,+perfmon"])
        .arg(played.get_program())
        .args(played.get_args())
        .envs(environment.filter_map(|(name, value)| Some((name, value?))))
        .current_dir("/")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = lines(watcher.stdout.take().unwrap()).lines();
    let mut said = lines.filter_map(|line| role::said(&line.unwrap()).map(str::to_owned));
    let first = said.next().unwrap();
    begun();
    let said = std::iter::once(first).chain(said).collect();
    ended(&mut watcher);
    said
}

pub fn possible() -> bool {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        skipped("only root can become another user");
        return false;
    }
    suite::installed("setpriv") && ways().contains(&Via::Bpf)
}

#[test]
fn another_users_process_is_not_shown() {
    if !possible() {
        return;
    }
    let subject = Subject::new(&["ticks"]);
    let said = said_with_two_capabilities(subject.pid(), || ());
    assert!(said[0].contains("access to its memory was refused"), "{said:?}");
}

#[test]
fn calls_of_set_uid_programs_are_not_told() {
    let is_set_uid = std::fs::metadata(SET_UID)
        .is_ok_and(|file| file.uid() == 0 && file.mode() & libc::S_ISUID != 0);
    if !is_set_uid {
        return skipped(format_args!("{SET_UID} is not set-uid"));
    }
    if !possible() {
        return;
    }
    let mut shell = Command::new("sh")
        .args(["-c", "read _; \"$0\" >/dev/null; \"$0\" >/dev/null; :", SET_UID])
        .uid(65534)
        .gid(65534)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let stdin = shell.stdin.take().unwrap();
    let said = said_with_two_capabilities(shell.id().cast_signed(), || drop(stdin));
    shell.wait().unwrap();
    assert_eq!(said[0], "watching by Bpf");
    let hidden = said.iter().find(|line| line.starts_with("not told: "));
    let hidden = hidden.unwrap_or_else(|| panic!("{said:?}"));
    assert!(hidden.contains("(set-uid), 2 in all"), "{hidden}");
}
