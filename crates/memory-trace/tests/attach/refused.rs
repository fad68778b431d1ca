//! What can't be watched, and what the error says.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use memory_trace::{Attach, AttachError, Via};

use super::harness::{Subject, attach, eventually, state, ways};
use super::role;
use suite::skipped;

fn error(pid: i32, via: Via) -> AttachError {
    match Attach::start(pid, via, ()) {
        Ok(_) => panic!("{pid} can be watched by {via:?}"),
        Err(error) => error,
    }
}

#[test]
fn who_is_not_there() {
    for via in [Via::Auto, Via::Tracepoints, Via::Ptrace] {
        for pid in [-1, 0, i32::MAX] {
            let message = error(pid, via).to_string();
            assert!(message.contains(&format!("there is no process {pid}")), "{message}");
        }
    }
}

#[test]
fn itself_and_its_threads() {
    let here = std::process::id() as i32;
    for entry in std::fs::read_dir("/proc/self/task").unwrap() {
        let tid = entry.unwrap().file_name().to_str().unwrap().parse().unwrap();
        if std::fs::exists(format!("/proc/self/task/{tid}")).unwrap() {
            let found = error(tid, Via::Auto);
            assert!(
                matches!(found, AttachError::Itself { .. } | AttachError::NoSuchProcess { .. }),
                "{found}"
            );
        }
    }
    assert!(matches!(error(here, Via::Auto), AttachError::Itself { .. }));
}

#[test]
fn a_thread_of_another() {
    let subject = Subject::new(&["threads"]);
    let pid = subject.pid();
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let tids = threads.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let tid: i32 = tids.map(|tid| tid.parse().unwrap()).find(|tid| *tid != pid).unwrap();
    let message = error(tid, Via::Auto).to_string();
    assert!(message.contains(&format!("is a thread of process {pid}")), "{message}");
}

#[test]
fn a_zombie() {
    let mut child = Command::new("true").spawn().unwrap();
    let pid = child.id() as i32;
    eventually("a zombie", || state(pid).0 == 'Z');
    let message = error(pid, Via::Auto).to_string();
    let parent = std::process::id();
    assert!(message.contains(&format!("its parent, process {parent}")), "{message}");
    child.wait().unwrap();
}

#[test]
fn a_kernel_thread() {
    let comm = std::fs::read_to_string("/proc/2/comm").unwrap_or_default();
    if comm.trim() != "kthreadd" {
        return skipped("no kernel thread is visible here (another pid namespace)");
    }
    assert!(error(2, Via::Auto).to_string().contains("is a kernel thread"));
}

#[test]
fn who_has_a_tracer_already() {
    let subject = Subject::new(&["ticks"]);
    let tracer = attach(subject.pid(), Via::Ptrace);
    let message = error(subject.pid(), Via::Ptrace).to_string();
    assert!(message.contains("is already traced, by process "), "{message}");
    if ways().contains(&Via::Tracepoints) {
        drop(attach(subject.pid(), Via::Tracepoints));
    }
    drop(tracer);
}

/// What the watcher says as the user `nobody`.
pub fn as_nobody(pid: impl ToString, via: Via) -> Option<Vec<String>> {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        skipped("only root can become another user");
        return None;
    }
    let (_directory, watcher) = watcher_for_all();
    let output = role::watcher(&watcher, pid, via)
        .env("ATTACH_BRIEFLY", "1")
        .uid(65534)
        .gid(65534)
        .current_dir("/")
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(output.lines().filter_map(role::said).map(str::to_owned).collect())
}

/// This program where everybody may execute it, and what holds it there.
pub fn watcher_for_all() -> (tempfile::TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let open_to_all = PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(directory.path(), open_to_all).unwrap();
    let watcher = directory.path().join("watcher");
    let copied =
        Command::new("install").arg("--mode=755").args([&role::myself(), &watcher]).status();
    assert!(copied.unwrap().success());
    (directory, watcher)
}

#[test]
fn another_users_process() {
    let subject = Subject::new(&["ticks"]);
    for via in [Via::Auto, Via::Ptrace] {
        let Some(said) = as_nobody(subject.pid(), via) else {
            return;
        };
        assert!(said[0].contains("PTRACE_SEIZE was refused"), "{said:?}");
        assert!(said[0].contains("belongs to uid 0, this is uid 65534; run as root"), "{said:?}");
    }
}

#[test]
fn tracepoints_as_an_ordinary_user() {
    let subject = Subject::new(&["ticks"]);
    let Some(said) = as_nobody(subject.pid(), Via::Tracepoints) else {
        return;
    };
    assert!(said[0].contains("not permitted to use tracepoints"), "{said:?}");
    assert!(said[0].contains("perf_event_paranoid is"), "{said:?}");
    assert!(said[0].contains("cap_perfmon"), "{said:?}");
}

#[test]
fn an_ordinary_user_watches_an_own_process_by_ptrace() {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return skipped("only root can become another user");
    }
    let scope = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope");
    if scope.is_ok_and(|scope| scope.trim() != "0") {
        return skipped("Yama permits this to root alone");
    }
    let mut sleeper = Command::new("sleep")
        .arg("100")
        .uid(65534)
        .gid(65534)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let said = as_nobody(sleeper.id() as i32, Via::Auto).unwrap();
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    assert_eq!(said[0], "watching by Ptrace");
    assert!(said[1].contains("tracepoints were not used: not permitted"), "{said:?}");
}

#[test]
fn too_many_descriptors() {
    if !ways().contains(&Via::Tracepoints) {
        return;
    }
    let subject = Subject::new(&["threads"]);
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 50 && exec \"$0\" --exact attach::role::play --nocapture"])
        .arg(role::myself())
        .env("ATTACH_PID", subject.pid().to_string())
        .env("ATTACH_VIA", "Tracepoints")
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = output.lines().find_map(role::said).unwrap();
    assert!(said.contains("and this process may have 50: raise the limit"), "{said}");
}
