//! Who can't be trimmed, and the words for it.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use suite::answering::Answering;
use suite::cgroup::Cgroup;
use suite::waiting::eventually;

use crate::common::{self, installed, processes, skipped};
use crate::trim::harness::{Target, is_root, refused, refused_by, reports, trim, trimmed};

/// A shell that says that it is there and ends when nothing can be read any more.
fn shell() -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "echo ready; read line"]);
    shell
}

#[test]
fn nobody_there() {
    refused(999_999_999, &["brkhole: process 999999999: no such process"]);
}

#[test]
fn zombie() {
    let mut child = Command::new("true").spawn().unwrap();
    let pid = child.id() as i32;
    let stat = format!("/proc/{pid}/stat");
    eventually("it is a zombie", || std::fs::read_to_string(&stat).unwrap().contains(") Z "));
    refused(pid, &["has ended", "reap"]);
    child.wait().unwrap();
}

#[test]
fn stopped() {
    let target = Target::of(&mut shell(), "ready");
    target.signal(libc::SIGSTOP);
    let stat = format!("/proc/{}/stat", target.pid());
    eventually("it is stopped", || std::fs::read_to_string(&stat).unwrap().contains(") T "));
    let command = format!("kill -CONT {}", target.pid());
    refused(target.pid(), &["is stopped", &command]);
    assert!(std::fs::read_to_string(&stat).unwrap().contains(") T "));
    target.signal(libc::SIGCONT);
    trimmed(target.pid());
}

/// Asked to call something it would do so when it is thawed, with registers that nobody puts back.
#[test]
fn frozen() {
    let name = format!("brkhole-frozen-{}", std::process::id());
    let Some(cgroup) = Cgroup::made(&name) else { return };
    let target = Target::of(&mut shell(), "ready");
    cgroup.take(target.pid());
    cgroup.freeze(true);
    refused(target.pid(), &["is frozen", "thaw it"]);
    cgroup.freeze(false);
    trimmed(target.pid());
}

#[test]
fn a_thread() {
    let target = Target::started("keeps", &["free", "2"], "ready");
    let tasks = std::fs::read_dir(format!("/proc/{}/task", target.pid())).unwrap();
    let tids = tasks.map(|task| task.unwrap().file_name().into_string().unwrap());
    let tids: Vec<i32> = tids.map(|tid| tid.parse().unwrap()).collect();
    let other = tids.into_iter().find(|tid| *tid != target.pid()).unwrap();
    refused(other, &[&format!("brkhole trim {}", target.pid())]);
}

/// What its threads still have is looked into by one of their numbers, and can't be trimmed by any.
#[test]
fn whose_main_thread_has_ended() {
    let mut program = Answering::start(&mut Command::new(common::compiled("late")));
    let thread = program.hear();
    let leader = program.pid();
    let inspected = common::output(&["inspect", &leader.to_string()]);
    let said = String::from_utf8_lossy(&inspected.stderr);
    assert!(said.contains("give the number of a living thread"), "{said}");
    let found = processes(&["inspect", &thread]);
    assert!(found[0]["malloc"]["returnable_bytes"].as_u64() > Some(100 << 20), "{found}");
    let remedy = found[0]["findings"][0]["remedy"].as_str().unwrap();
    assert!(remedy.contains("would refuse this one: its main thread has ended"), "{remedy}");
    for pid in [leader, thread.parse().unwrap()] {
        refused(pid, &["its main thread has ended while others run"]);
    }
}

#[test]
fn kernel_thread() {
    let names = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = names.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let kernels = pids.filter(|pid| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
        status.is_ok_and(|status| status.contains("Kthread:\t1"))
    });
    match kernels.min() {
        Some(pid) => refused(pid, &["kernel thread"]),
        None => skipped("no kernel thread is to be seen here"),
    }
}

#[test]
fn an_allocator_that_offers_nothing() {
    if !installed("musl-gcc") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (code, program) = (directory.path().join("says.c"), directory.path().join("says"));
    std::fs::write(
        &code,
        "#include <stdlib.h>\n#include <unistd.h>\nint main(void) { void *volatile p = malloc(3000);\n\
         return write(1, \"ready\\n\", 6) < 6 || read(0, p, 1); }",
    )
    .unwrap();
    let built = Command::new("musl-gcc").arg("-o").args([&program, &code]).status();
    assert!(built.unwrap().success());
    let target = Target::of(&mut Command::new(program), "ready");
    refused(target.pid(), &["musl", "offers nothing"]);
}

#[test]
fn somebody_elses() {
    if !is_root() {
        return skipped("only root can become another user");
    }
    let directory = tempfile::tempdir().unwrap();
    let everybody = PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(directory.path(), everybody).unwrap();
    let program = directory.path().join("brkhole");
    let installed = Command::new("install")
        .args(["-m755", env!("CARGO_BIN_EXE_brkhole")])
        .arg(&program)
        .status();
    assert!(installed.unwrap().success());
    let target = Target::of(&mut shell(), "ready");
    let mut command = Command::new(program);
    let command =
        command.args(["trim", &target.pid().to_string()]).current_dir("/").uid(65534).gid(65534);
    refused_by(command, &["uid 0", "uid 65534", "sudo"]);
}

#[test]
fn filtered_unless_allowed() {
    let mut target = Target::started("filtered", &[], "ready");
    let pid = target.pid().to_string();
    refused(target.pid(), &["seccomp", "--allow-seccomp"]);
    target.is_well();
    let told = |arguments: &[&str]| {
        let (status, reports) = reports(arguments);
        assert_eq!(status, 0, "{reports:#?}");
        reports[0]["notes"].to_string()
    };
    let notes = told(&["--dry-run", &pid]);
    assert!(notes.contains("would be refused") && notes.contains("--allow-seccomp"), "{notes}");
    let notes = told(&["--dry-run", "--allow-seccomp", &pid]);
    assert!(!notes.contains("would be refused"), "{notes}");
    let output = trim(&["--allow-seccomp", &pid]);
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{complaint}");
    target.is_well();
}
