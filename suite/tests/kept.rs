//! What tests find around them, and what is left of them. Each case runs this program again, as
//! somebody in odd surroundings would start it: without the keeper's mark.

use std::io::BufRead;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ChildStdout, Command, Output, Stdio};

use suite::waiting::{ended, eventually, lines};

/// This program in a role, started by a shell that does something before.
fn started_after(preparation: &str, role: &str) -> Command {
    let mut command = Command::new("bash");
    command
        .args(["-c", &format!("{preparation}\nexec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("kept::{role}"), "--ignored", "--nocapture"])
        .env_remove("SUITE_KEEPER")
        .stdin(Stdio::null());
    command
}

fn said(output: &Output) -> String {
    let said = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&said).into_owned()
}

#[test]
fn the_surroundings_are_the_same_whoever_starts_the_tests() {
    let directory = tempfile::tempdir().unwrap();
    let spaced = directory.path().join("with a space");
    std::fs::create_dir(&spaced).unwrap();
    for odd in [
        "",
        "trap '' HUP INT QUIT TERM PIPE CHLD",
        "exec 0<&-",
        "exec 0<&- 2>&-",
        "for n in 3 4 5 6 7 8 9 10 11 12; do eval \"exec $n</dev/zero\"; done",
        "ulimit -n 64",
        "ulimit -Sn 20",
        "umask 000",
        "umask 077",
        "export LANG=tr_TR.UTF-8 LC_ALL=tr_TR.UTF-8",
        "unset HOME",
        "export HOME=/proc",
        "export TMPDIR=/proc",
        "export TMPDIR=/does/not/exist",
        &format!("export TMPDIR='{}'", spaced.display()),
    ] {
        let output = started_after(odd, "ordinary").output().unwrap();
        assert!(output.status.success(), "{odd}: {}", said(&output));
    }
}

#[test]
#[ignore = "a role, played by another test"]
fn ordinary() {
    let script = "umask; trap; ls /proc/self/fd | wc -l; echo $LANG$LC_ALL";
    let output = Command::new("sh").args(["-c", script]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "0022\n4\nC\n");
    let own = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let child = Command::new("cat").arg("/proc/self/status").output().unwrap();
    let child = String::from_utf8(child.stdout).unwrap();
    for (status, name, expected) in [
        (&own, "SigBlk:", 0),
        // The runtime of Rust ignores SIGPIPE, for itself only.
        (&own, "SigIgn:", 1 << (libc::SIGPIPE - 1)),
        (&child, "SigBlk:", 0),
        (&child, "SigIgn:", 0),
    ] {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let signals = u64::from_str_radix(line.unwrap().trim(), 16).unwrap();
        // 32 and 33 are glibc's own.
        assert_eq!(signals & !(3 << 31), expected, "{name} {signals:#x}");
    }
    // Programs can be made and run, by everybody.
    let file = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    let made = Command::new("install").args(["-m755", "/bin/true"]).arg(&file).status();
    assert!(made.unwrap().success());
    assert!(Command::new(&file).status().unwrap().success());
}

#[test]
fn tests_end_as_they_ended() {
    for (role, code, signal) in [
        ("passes", Some(0), None),
        ("fails", Some(101), None),
        ("is_killed", None, Some(libc::SIGKILL)),
    ] {
        let output = started_after("", role).output().unwrap();
        let status = (output.status.code(), output.status.signal());
        assert_eq!(status, (code, signal), "{role}: {}", said(&output));
    }
}

#[test]
#[ignore = "a role, played by another test"]
fn passes() {}

#[test]
#[ignore = "a role, played by another test"]
fn fails() {
    panic!("as wanted");
}

#[test]
#[ignore = "a role, played by another test"]
fn is_killed() {
    let own = std::process::id().to_string();
    let _ = Command::new("kill").args(["-KILL", &own]).status();
}

/// Starts what nginx is: a daemon in a session of its own, which nobody waits for, with a file.
#[test]
#[ignore = "a role, played by another test"]
fn leaves_a_daemon() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let script = "setsid sh -c 'trap \"\" TERM INT HUP; echo \"daemon $$ $0\" | tee \"$0\"; sleep 1000; :' \"$0\" &";
    let status = Command::new("sh").args(["-c", script]).arg(file.path()).status();
    assert!(status.unwrap().success());
    eventually("it has begun", || file.path().metadata().unwrap().len() > 0);
    if std::env::var_os("SUITE_TEST_ENDS").is_none() {
        std::thread::sleep(std::time::Duration::from_secs(1000));
    }
    std::mem::forget(file);
}

/// Waits for the daemon of the role and gives its process and file.
fn daemon(output: &mut ChildStdout) -> (i32, String) {
    let mut lines = lines(output).lines();
    let line = lines.find_map(|line| line.unwrap().strip_prefix("daemon ").map(str::to_owned));
    let line = line.expect("it says who it is");
    let (pid, file) = line.split_once(' ').unwrap();
    (pid.parse().unwrap(), file.to_owned())
}

fn nothing_is_left((pid, file): &(i32, String)) {
    let place = Path::new(file).parent().unwrap();
    eventually("the daemon is gone", || !Path::new(&format!("/proc/{pid}")).exists());
    eventually("its file is gone", || !place.exists());
}

#[test]
fn however_tests_end_nothing_is_left_of_them() {
    for signal in [libc::SIGKILL, libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        for group in [false, true] {
            let mut tests = started_after("", "leaves_a_daemon");
            std::os::unix::process::CommandExt::process_group(&mut tests, 0);
            let mut tests = tests.stdout(Stdio::piped()).spawn().unwrap();
            let left = daemon(tests.stdout.as_mut().unwrap());
            let pid = tests.id().cast_signed();
            let to = if group { -pid } else { pid };
            // SAFETY: takes numbers; the process is a child that was not waited for.
            let sent = unsafe { libc::kill(to, signal) };
            assert_eq!(sent, 0);
            assert_eq!(ended(&mut tests).signal(), Some(signal));
            nothing_is_left(&left);
        }
    }
    let mut tests = started_after("", "leaves_a_daemon");
    let mut tests = tests.env("SUITE_TEST_ENDS", "yes").stdout(Stdio::piped()).spawn().unwrap();
    let left = daemon(tests.stdout.as_mut().unwrap());
    assert!(ended(&mut tests).success());
    nothing_is_left(&left);
}

#[test]
fn tests_that_never_end_are_named_and_ended() {
    let mut tests = started_after("", "leaves_a_daemon");
    let output = tests.env("SUITE_PATIENCE_SECONDS", "1").output().unwrap();
    assert_eq!(output.status.code(), Some(101));
    let said = said(&output);
    assert!(said.contains("not done after 1 s"), "{said}");
    assert!(said.contains("leaves_a_daemon"), "{said}");
}
