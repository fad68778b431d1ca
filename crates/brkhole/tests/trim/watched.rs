//! `--watch`: whoever keeps more than it may is trimmed, and not in vain; nobody is left held.

use std::fs::File;
use std::io::BufRead;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use suite::waiting::{ended, eventually, until};

use crate::common::{self, installed};
use crate::fleet::samples::{Sample, samples, value};
use crate::trim::allocators::{self, library};
use crate::trim::harness::{Target, send, state, tracer, wait_for_hold};

const MIB: f64 = 1_048_576.0;
const ABOVE: &str = "16MiB";

/// A service that watches one process; it ends with the value.
struct Watch {
    child: Child,
    directory: tempfile::TempDir,
    interval: &'static str,
}

impl Watch {
    fn of(pid: i32, interval: &'static str, above: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("brkhole.prom");
        let said = File::create(directory.path().join("said")).unwrap();
        let arguments = ["trim", "--watch", interval, "--above", above, "--metrics"];
        let plain = common::brkhole(&arguments);
        // Whoever runs the tests may ignore signals (nohup), and a program keeps to that.
        let mut command = Command::new("env");
        command.arg("--default-signal").arg(plain.get_program()).args(plain.get_args());
        command.arg(file).arg(pid.to_string());
        command.stdin(Stdio::null()).stderr(said);
        Self { child: command.spawn().expect("env is there"), directory, interval }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("brkhole.prom")
    }

    /// What it tells now.
    fn found(&self) -> Vec<Sample> {
        samples(&until("metrics", || std::fs::read_to_string(self.file()).ok()))
    }

    /// What it has said for people.
    fn said(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("said")).unwrap()
    }

    fn figure(&self, name: &str) -> f64 {
        value(&self.found(), name, &[])
    }

    /// Waits for so many more looks.
    fn looks(&self, number: u32) {
        let written = || self.figure("brkhole_inspect_timestamp_seconds");
        for _ in 0..number {
            let last = written();
            eventually(self.interval, || written() > last);
        }
    }

    fn end(&mut self, signal: &str) -> Option<i32> {
        send(self.child.id() as i32, signal);
        ended(&mut self.child).code()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn trimmed_once_and_then_left_alone() {
    let mut target = Target::started("keeps", &["free", "1"], "ready");
    let mut watch = Watch::of(target.pid(), "0.05", ABOVE);
    eventually("it is trimmed", || watch.figure("brkhole_trim_calls") > 0.0);
    watch.looks(10);
    let found = watch.found();
    let figure = |name| value(&found, name, &[]);
    assert_eq!(figure("brkhole_trim_calls"), 1.0);
    assert_eq!(figure("brkhole_trim_in_vain"), 0.0);
    assert_eq!(figure("brkhole_trim_backed_off_processes"), 0.0);
    assert!(figure("brkhole_trim_returned_bytes") > 100.0 * MIB, "{found:#?}");
    assert!(figure("brkhole_trim_longest_held_seconds") > 0.0);
    // Beside what was done stands what is seen.
    let comm = [("comm", "brkhole-trim_ke")];
    assert!(value(&found, "brkhole_malloc_returnable_bytes", &comm) < 16.0 * MIB);
    target.is_well();
    assert_eq!(watch.end("-TERM"), Some(0));
    let said = watch.said();
    assert!(said.contains("1 trim gave back ") && said.contains("; 0 refused"), "{said}");
    assert!(!said.contains("left alone"), "{said}");
    target.ends();
}

/// Of another allocator's as far as its records tell.
#[test]
fn what_other_allocators_keep_counts() {
    for (name, least) in [("libjemalloc.so.2", 60.0), ("libmimalloc.so.2.0", 40.0)] {
        let Some(library) = library(name) else { continue };
        let mut command = allocators::command(&library, "keeps", &["free", "1"]);
        command.env("MALLOC_CONF", "dirty_decay_ms:-1");
        let mut target = Target::of(&mut command, "ready");
        let watch = Watch::of(target.pid(), "0.05", ABOVE);
        eventually("it is trimmed", || watch.figure("brkhole_trim_calls") > 0.0);
        watch.looks(10);
        assert_eq!(watch.figure("brkhole_trim_calls"), 1.0);
        assert!(watch.figure("brkhole_trim_returned_bytes") > least * MIB);
        target.is_well();
        target.ends();
    }
}

#[test]
fn it_ends_with_the_last_that_was_named() {
    let target = Target::started("keeps", &["free", "1"], "ready");
    let mut watch = Watch::of(target.pid(), "0.05", ABOVE);
    watch.looks(2);
    target.ends();
    assert_eq!(ended(&mut watch.child).code(), Some(0));
}

#[test]
fn not_again_and_again_in_vain() {
    const PYTHON: &str = "/usr/bin/python3";
    if !installed(PYTHON) {
        return;
    }
    let script = "
import time
print('ready', flush=True)
while True:
    data = [bytes(1000 + i % 3000) for i in range(20000)]
    kept = data[-1]
    del data
    time.sleep(0.05)
";
    let target = Target::of(Command::new(PYTHON).args(["-c", script]), "ready");
    let mut watch = Watch::of(target.pid(), "0.5", ABOVE);
    eventually("it is in vain", || watch.figure("brkhole_trim_in_vain") >= 2.0);
    assert_eq!(watch.figure("brkhole_trim_backed_off_processes"), 1.0);
    assert!(watch.said().contains("; it is left alone for 1"), "{}", watch.said());
    // Twice in vain: it is left alone for four intervals.
    let trims = watch.figure("brkhole_trim_calls");
    watch.looks(2);
    assert!(watch.figure("brkhole_trim_calls") <= trims + 1.0);
    assert_eq!(watch.end("-TERM"), Some(0));
}

#[test]
fn whoever_was_named_and_cannot_be_looked_into_is_told_of() {
    let Some(library) = library("libtcmalloc_minimal.so.4") else { return };
    let target = Target::of(&mut allocators::command(&library, "keeps", &["free", "1"]), "ready");
    let watch = Watch::of(target.pid(), "0.05", ABOVE);
    watch.looks(3);
    let said = watch.said();
    let told = "what it keeps isn't known now: it uses tcmalloc";
    assert_eq!(said.matches(told).count(), 1, "{said}");
    target.ends();
}

#[test]
fn why_one_is_not_trimmed_is_counted() {
    let target = Target::started("keeps", &["free", "1"], "ready");
    target.signal(nix::libc::SIGSTOP);
    eventually("it stands", || state(target.pid()) == 'T');
    let mut watch = Watch::of(target.pid(), "0.05", ABOVE);
    let refused = |reason| value(&watch.found(), "brkhole_trim_refused", &[("reason", reason)]);
    eventually("it is refused", || refused("stopped") >= 1.0);
    assert_eq!((watch.figure("brkhole_trim_calls"), refused("other")), (0.0, 0.0));
    assert_eq!(watch.figure("brkhole_trim_backed_off_processes"), 1.0);
    assert_eq!(watch.end("-TERM"), Some(0));
}

/// At whatever moment it comes: before the call, in it, behind it.
#[test]
fn no_signal_leaves_a_process_held() {
    let mut target = Target::started("churn", &["2"], "ready");
    for (round, signal) in ["-KILL", "-TERM"].into_iter().cycle().take(20).enumerate() {
        let mut watch = Watch::of(target.pid(), "0.001", "4096");
        wait_for_hold(target.pid());
        std::thread::sleep(Duration::from_micros(round as u64 * 250));
        assert_eq!(watch.end(signal), (signal == "-TERM").then_some(0));
        target.is_well();
        assert_eq!(tracer(target.pid()), 0);
    }
    target.ends();
}

/// A name that nobody has may be misspelt.
#[test]
fn how_many_are_watched_is_said_first() {
    let nobody = ["trim", "--watch", "60", "--above", "1MiB", "--comm", "nobody-has-this"];
    let mut watch = common::brkhole(&nobody).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    suite::waiting::lines(watch.stderr.take().unwrap()).read_line(&mut line).unwrap();
    watch.kill().unwrap();
    watch.wait().unwrap();
    assert!(line.contains("0 processes are watched now"), "{line}");
}

#[test]
fn what_belongs_together_on_the_command_line() {
    for arguments in [
        &["--watch", "60", "1"][..],
        &["--above", "1MiB", "1"],
        &["--all"],
        &["--metrics", "x", "1"],
        &["--watch", "60", "--above", "much", "1"],
        &["--watch", "60", "--above", "1MiB", "--dry-run", "1"],
        &["--watch", "60", "--above", "1MiB", "--format", "json", "1"],
        &["--watch", "60", "--above", "1MiB"],
        &["--watch", "60", "--above", "1MiB", "--all", "1"],
    ] {
        let output = common::output(&[&["trim"], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
    }
    let output = common::output(&["trim", "--watch", "60", "--above", "1MiB", "999999999"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}
