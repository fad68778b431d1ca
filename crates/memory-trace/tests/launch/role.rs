//! This test binary in other roles: what must be tried in a process of its own.
//!
//! A role is an ignored test that does nothing unless the environment names it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use heap_growth::Tally;
use memory_event::Syscall;
use memory_trace::{Launch, LaunchOptions, Watch};

use memory_trace::Target;

use super::harness;

const ROLE: &str = "HEAP_METER_TEST_ROLE";
const SUBJECT: &str = "HEAP_METER_TEST_SUBJECT";

/// A command that plays a role, given the test binary or something that runs it.
pub fn play(mut command: Command, role: &str, subject: &str) -> Command {
    command.args(arguments(role)).env(ROLE, role).env(SUBJECT, subject).stdin(Stdio::null());
    command
}

/// The same as a target.
pub fn target(binary: Target, role: &str, subject: &str) -> Target {
    binary.args(arguments(role)).env(ROLE, role).env(SUBJECT, subject)
}

fn arguments(role: &str) -> [String; 4] {
    ["--exact", &format!("launch::role::{role}"), "--ignored", "--nocapture"].map(str::to_owned)
}

/// This very binary.
pub fn myself() -> std::path::PathBuf {
    std::env::current_exe().unwrap()
}

/// What a role has said, line by line.
pub fn said(output: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(output);
    text.lines().filter_map(|line| line.strip_prefix("SAYS ")).map(str::to_owned).collect()
}

fn say(line: &str) {
    // Not by println!, whose text libtest may hold back.
    let mut stdout = std::io::stdout();
    writeln!(stdout, "\nSAYS {line}").unwrap();
    stdout.flush().unwrap();
}

fn subject(role: &str) -> Option<String> {
    if std::env::var_os(ROLE)? != *role {
        return None;
    }
    std::env::var(SUBJECT).ok()
}

/// Watches a program and says what came of it: ending, number of mremap, notes; or the error.
#[test]
#[ignore = "a role, played by other tests"]
fn watcher() {
    let Some(subject) = subject("watcher") else {
        return;
    };
    match Launch::start(&harness::target(Path::new(&subject)), Tally::default())
        .and_then(Launch::wait)
    {
        Ok(finished) => {
            say(&format!("{:?}", finished.ending));
            say(&format!("{} mremap", finished.sink.get(Syscall::Mremap).calls));
            for note in finished.notes {
                say(&format!("note: {note}"));
            }
        }
        Err(error) => say(&error.to_string()),
    }
}

/// Launches a small tree (in the subject's mode), has another child beside it, says who they are, and waits to be killed.
#[test]
#[ignore = "a role, played by other tests"]
fn host() {
    let Some(subject) = subject("host") else {
        return;
    };
    let mut bystander = Command::new("sleep").arg("300").spawn().unwrap();
    let tree = harness::target("sh").args(["-c", "sleep 300 & sleep 300"]);
    let options = match subject.as_str() {
        "life" => LaunchOptions::new().watch(Watch::Life).at_exit(|_| ()),
        _ => LaunchOptions::new(),
    };
    let launch = options.start(&tree, ()).unwrap();
    say(&bystander.id().to_string());
    say(&launch.pid().to_string());
    bystander.wait().unwrap();
    drop(launch);
}
