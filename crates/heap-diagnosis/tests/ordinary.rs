//! Programs of every day: nothing is to be said of their breaks.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use heap_diagnosis::process_findings;
use ptmalloc::Examiner;

use super::harness::{Running, about_the_break, scene_with};
use crate::compiled;
use suite::installed;

/// Starts a program, gives it time to come to rest, and asks what is said of its break.
fn nothing_is_said(command: &mut Command) {
    let program = command.get_program().to_string_lossy().into_owned();
    if !installed(&program) {
        return;
    }
    let running = Running::start(command.stderr(Stdio::null()));
    come_to_rest(running.pid(), &program);
    let state = running.break_state();
    let examination = Examiner::new().examine(&running.process());
    let findings = process_findings(&state, examination.state.as_ref().ok(), None);
    assert_eq!(
        about_the_break(&findings),
        [""; 0],
        "{command:?}: {findings:#?}\n{state:#?}\n{examination:?}"
    );
    assert!(!state.blocked && !state.limited, "{command:?}: {state:#?}");
}

/// Until it sleeps each time that it is looked at, or ten seconds have gone.
fn come_to_rest(pid: i32, program: &str) {
    let mut asleep = 0;
    for _ in 0..500 {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
        assert_ne!(state, Some('Z'), "{program} has ended");
        asleep = match state {
            Some('S') => asleep + 1,
            _ => 0,
        };
        if asleep == 10 {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Ends when its input does, and waits for it until then.
const WAIT: &str = "read line";

#[test]
fn shells() {
    for shell in ["bash", "dash"] {
        let script = format!("list=$(ls /); {WAIT}");
        nothing_is_said(Command::new(shell).args(["-c", &script]));
    }
}

#[test]
fn interpreters() {
    for (program, option, script) in [
        ("python3", "-c", "import json, ssl; input()"),
        ("perl", "-e", "my @list = (1..100000); <STDIN>"),
        ("ruby", "-e", "list = (1..100000).map(&:to_s); gets"),
        ("php", "-r", "$list = range(1, 100000); fgets(STDIN);"),
    ] {
        nothing_is_said(Command::new(program).args([option, script]));
    }
}

#[test]
fn programs_that_read_a_pipe() {
    for words in [
        &["cat"][..],
        &["sort"],
        &["mawk", "{ print }"],
        &["sed", "p"],
        &["grep", "x"],
        &["tee"],
        &["gzip"],
        &["tr", "a", "b"],
    ] {
        nothing_is_said(Command::new(words[0]).args(&words[1..]));
    }
}

#[test]
fn programs_that_wait_for_others() {
    nothing_is_said(Command::new("sleep").arg("1000"));
    nothing_is_said(Command::new("tail").args(["-f", "/dev/null"]));
    nothing_is_said(Command::new("strace").args(["-o", "/dev/null", "cat"]));
    nothing_is_said(Command::new("find").args(["/", "-maxdepth", "0", "-exec", "cat", ";"]));
    let directory = tempfile::tempdir().unwrap();
    let makefile = directory.path().join("Makefile");
    std::fs::write(&makefile, "all:\n\t@cat\n").unwrap();
    nothing_is_said(Command::new("make").arg("-f").arg(makefile));
}

#[test]
fn tools_with_much_to_load() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    nothing_is_said(
        Command::new("gdb")
            .args(["-q", "-nx", "-ex", "shell cat"])
            .arg(std::env::current_exe().unwrap()),
    );
    if installed("git") {
        let made = Command::new("git").args(["init", "-q"]).current_dir(directory).status();
        assert!(made.unwrap().success());
        nothing_is_said(Command::new("git").args(["cat-file", "--batch"]).current_dir(directory));
    }
}

#[test]
fn servers_and_clients() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    nothing_is_said(Command::new("openssl").args(["s_server", "-nocert", "-accept", "0"]));
    let configuration = directory.join("nginx.conf");
    // No `http`, so that it needs no port, and no worker, which would outlive its master here.
    std::fs::write(
        &configuration,
        "daemon off; master_process off; pid nginx.pid; error_log stderr; events {}",
    )
    .unwrap();
    nothing_is_said(nginx(directory).arg("-c").arg(&configuration));
    // A server that takes the connection and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", silent.local_addr().unwrap());
    nothing_is_said(Command::new("curl").args(["--silent", &address]));
}

/// Where a user's PATH often doesn't lead.
fn nginx(directory: &Path) -> Command {
    let program = match Path::new("/usr/sbin/nginx").exists() {
        true => "/usr/sbin/nginx",
        false => "nginx",
    };
    let mut command = Command::new(program);
    command.arg("-p").arg(directory);
    command
}

#[test]
fn programs_that_are_linked_otherwise() {
    for (name, arguments) in [
        ("break-scene-static", &["-O1", "-static"][..]),
        ("break-scene-static-pie", &["-O1", "-static-pie"]),
        ("break-scene-no-pie", &["-O1", "-no-pie"]),
    ] {
        let program = scene_with(name, arguments);
        nothing_is_said(Command::new(program).arg("malloc=1000"));
    }
}

#[test]
fn programs_with_another_malloc() {
    nothing_is_said(
        Command::new("prometheus-node-exporter").args(["--web.listen-address=127.0.0.1:0"]),
    );
    if installed("musl-gcc") {
        let specs = format!("/usr/lib/{}-linux-musl/musl-gcc.specs", std::env::consts::ARCH);
        let arguments = ["-O1", "-specs", &specs];
        let program = compiled("scene.c", "break-scene-musl", &arguments);
        nothing_is_said(Command::new(program).arg("malloc=1000"));
    }
}
