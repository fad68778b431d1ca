//! This test program in another part: a watcher that can be killed, or has fewer rights.

use std::path::Path;
use std::process::Command;

use memory_trace::{AttachOptions, Via, Whom};

/// Begins the lines that the watcher says.
const MARK: &str = "watcher: ";

/// The watcher of a process, or of `all`, to be started as a process of its own.
pub fn watcher(program: &Path, pid: impl ToString, via: Via) -> Command {
    let mut command = Command::new(program);
    command
        .args(["--exact", "attach::role::play", "--nocapture"])
        .env("ATTACH_PID", pid.to_string())
        .env("ATTACH_VIA", format!("{via:?}"));
    command
}

/// This very program.
pub fn myself() -> std::path::PathBuf {
    std::env::current_exe().unwrap()
}

/// What the watcher said, in lines.
pub fn said(line: &str) -> Option<&str> {
    line.split_once(MARK).map(|(_, said)| said)
}

/// Does nothing as a test; as a watcher it says `watching`, or why it can't, and watches until the
/// subject ends.
#[test]
fn play() {
    let (Ok(pid), Ok(via)) = (std::env::var("ATTACH_PID"), std::env::var("ATTACH_VIA")) else {
        return;
    };
    let via = match via.as_str() {
        "Auto" => Via::Auto,
        "Bpf" => Via::Bpf,
        "Tracepoints" => Via::Tracepoints,
        "Ptrace" => Via::Ptrace,
        other => panic!("{other}"),
    };
    let whom = match pid.as_str() {
        "all" => Whom::Everybody,
        pid => Whom::from(&[pid.parse().unwrap()]),
    };
    match AttachOptions::new().via(via).start(whom, ()) {
        Ok(attach) => {
            println!("\n{MARK}watching by {:?}", attach.via());
            if std::env::var_os("ATTACH_BRIEFLY").is_some() {
                attach.stop();
            }
            for note in attach.wait().unwrap().notes {
                println!("{MARK}{note}");
            }
        }
        Err(error) => println!("\n{MARK}{error}"),
    }
}
