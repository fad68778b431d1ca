//! Processes by number, by name, by unit: the same wherever a PID goes.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output};

use serde_json::Value;
use suite::cgroup::Cgroup;
use suite::waiting::eventually;

use crate::attach::{Asking, BLOCK_BYTES, Watching, permitted};
use crate::common::output;

/// So many of one name that nobody else has; they end with the value.
struct Sleepers {
    name: String,
    children: Vec<Child>,
    _directory: tempfile::TempDir,
}

impl Sleepers {
    fn started(name: &str, count: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let name = format!("{name}{}", std::process::id());
        let program = directory.path().join(&name);
        suite::place::executable_copy(Path::new("/bin/sleep"), &program, 0o755);
        let start = || Command::new(&program).arg("1000").spawn().unwrap();
        let children: Vec<_> = std::iter::repeat_with(start).take(count).collect();
        for child in &children {
            let comm = format!("/proc/{}/comm", child.id());
            eventually("its own name", || {
                fs::read_to_string(&comm).is_ok_and(|comm| comm.trim_end() == name)
            });
        }
        Self { name, children, _directory: directory }
    }

    fn pids(&self) -> Vec<u64> {
        let mut pids: Vec<u64> = self.children.iter().map(|child| child.id().into()).collect();
        pids.sort_unstable();
        pids
    }
}

impl Drop for Sleepers {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn a_command_in_place_of_a_subcommand_is_answered_with_what_to_type() {
    let said = complaint(&["/bin/echo", "-n", "a b"], 2);
    assert!(said.contains("brkhole trace /bin/echo -n 'a b'\n"), "{said}");
    let said = complaint(&["trase", "/bin/echo"], 2);
    assert!(said.contains("'trace'") && !said.contains("brkhole trace"), "{said}");
}

/// What it says to people, and whether it ends so.
fn complaint(arguments: &[&str], code: i32) -> String {
    let output = output(arguments);
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {complaint}");
    complaint
}

/// The processes of a report, which the command gives with success.
fn reported(output: &Output) -> Vec<u64> {
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let each = report["processes"].as_array().expect("a list").iter();
    let mut pids: Vec<_> = each.map(|each| each["pid"].as_u64().unwrap()).collect();
    pids.sort_unstable();
    pids
}

const MANY: [&[&str]; 2] =
    [&["inspect", "--format", "json"], &["trim", "--dry-run", "--format", "json"]];
const ONE: &[&str] = &["trace", "--via", "ptrace", "--duration", "0.05"];

#[test]
fn a_command_name_stands_for_its_pids() {
    let two = Sleepers::started("two", 2);
    for command in MANY {
        let found = reported(&output(&[command, &["--comm", &two.name]].concat()));
        assert_eq!(found, two.pids(), "{command:?}");
    }
    let one = Sleepers::started("one", 1);
    let watched = complaint(&[ONE, &["--comm", &one.name]].concat(), 0);
    let pid = one.pids()[0];
    assert!(watched.contains(&format!("watching process {pid};")), "{watched}");
}

#[test]
fn several_are_watched_at_once() {
    let two = Sleepers::started("each", 2);
    let pids = two.pids().into_iter().map(|pid| pid.to_string());
    let pids: Vec<_> = pids.collect();
    for several in [
        &["--comm", &two.name][..],
        &["-p", &pids[0], "-p", &pids[1]],
        &["-p", &pids[0], &pids[1]],
        &["-p", &pids.join(",")],
    ] {
        let said = complaint(&[ONE, several].concat(), 0);
        let watching = format!("watching 2 processes ({}); Ctrl-C", pids.join(", "));
        assert!(said.contains(&watching), "{said}");
    }
}

#[test]
fn nothing_that_matches_is_a_failure() {
    for command in [MANY[0], MANY[1], ONE] {
        for (words, answer) in [
            (["--comm", "nobody-is-so"], "no process is named nobody-is-so; `ps"),
            (["--unit", "no-such.service"], "no process is in the unit or cgroup no-such.service"),
        ] {
            let said = complaint(&[command, &words].concat(), 1);
            assert!(said.contains(answer), "{command:?}: {said}");
        }
    }
    let both = ["inspect", "--comm", "nobody-is-so", "--unit", "x"];
    assert!(complaint(&both, 1).contains("named nobody-is-so and in the unit"));
    // What is read by programs stays what they can read; for people a sentence is enough.
    let nobody = ["inspect", "--comm", "nobody-is-so"];
    assert_eq!(
        output(&[&nobody[..], &["--format", "json"]].concat()).stdout,
        b"{\n  \"schema\": 1,\n  \"processes\": []\n}\n"
    );
    assert_eq!(output(&nobody).stdout, b"");
}

#[test]
fn a_name_in_place_of_a_pid_is_answered_with_what_to_type() {
    let two = Sleepers::started("named", 2);
    let pids = two.pids();
    let hint =
        format!("not a PID: did you mean --comm {} (PIDs {}, {})?", two.name, pids[0], pids[1]);
    for command in [&["inspect"][..], &["trim"], &["trace", "-p"]] {
        let said = complaint(&[command, &[&two.name]].concat(), 2);
        assert!(said.contains(&hint), "{said}");
        let said = complaint(&[command, &["nobody-is-so"]].concat(), 2);
        assert!(said.contains("not a PID, and no process"), "{said}");
    }
}

/// A process that comes to a unit is told of, as if it had been there.
#[test]
fn who_comes_to_a_unit_is_watched() {
    let unit = format!("brkhole-comes-{}.service", std::process::id());
    let Some(cgroup) = Cgroup::made(&unit) else {
        return;
    };
    let one = Sleepers::started("there", 1);
    cgroup.take(one.pids()[0]);
    for via in ["bpf", "tracepoints", "ptrace"] {
        if !permitted(via) {
            continue;
        }
        let mut asking = Asking::new(&["30"]);
        let watching = Watching::with(&["--unit", &unit, "--via", via]);
        cgroup.take(asking.pid());
        asking.asks();
        let report = watching.end();
        let rows = report["growth"]["by_process"].as_array().unwrap();
        let came = rows.iter().find(|row| row["pid"] == asking.pid());
        let notes = report["notes"].to_string();
        let without = notes.contains("who comes to the cgroup later isn't watched");
        assert_eq!(without, via == "ptrace", "{notes}");
        match via {
            "ptrace" => assert_eq!(came, None),
            _ => assert_eq!(came.unwrap()["bytes"], 30 * BLOCK_BYTES, "{via}"),
        }
    }
    let both = complaint(&[ONE, &["--unit", &unit, "--comm", &one.name]].concat(), 0);
    assert!(both.contains("watching process"), "{both}");
}

/// A cgroup that is named as a unit's is, with a process in it and one more below it.
#[test]
fn a_unit_stands_for_the_processes_in_its_cgroup() {
    let two = Sleepers::started("unit", 2);
    let unit = format!("brkhole-test-{}.service", std::process::id());
    let Some(cgroup) = Cgroup::made(&unit) else {
        return;
    };
    let pids = two.pids();
    cgroup.take(pids[0]);
    let below = cgroup.below();
    fs::write(below.join("cgroup.procs"), pids[1].to_string()).unwrap();
    let (path, below) = (cgroup.directory().to_str().unwrap(), below.to_str().unwrap());
    for command in MANY {
        let found = |unit: &str| reported(&output(&[command, &["--unit", unit]].concat()));
        assert_eq!(found(&unit), pids);
        assert_eq!(found(unit.strip_suffix(".service").unwrap()), pids);
        assert_eq!(found(path), pids);
        assert_eq!(found(below), pids[1..]);
        let neither = [command, &["--unit", &unit, "--comm", "nobody-is-so"]].concat();
        complaint(&neither, 1);
    }
    let watched = |unit: &str| complaint(&[ONE, &["--unit", unit]].concat(), 0);
    let one = watched(below);
    assert!(one.contains(&format!("watching process {};", pids[1])), "{one}");
    let both = watched(&unit);
    assert!(both.contains(&format!("2 processes ({}, {})", pids[0], pids[1])), "{both}");
    let said = complaint(&["inspect", &unit], 2);
    assert!(said.contains(&format!("did you mean --unit {unit} (PIDs")), "{said}");
}
