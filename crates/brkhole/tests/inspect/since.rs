//! Two looks at one process.

use std::process::Command;

use serde_json::Value;

use crate::common::{output, processes};
use crate::inspect::target::{Keeps, undisturbed};
use suite::answering::Answering;

const PYTHON: &str = "/usr/bin/python3";

/// Takes a block of so many bytes for each line that it is sent.
const GROWS: &str = "import sys\n\
    kept = []\n\
    print('ready', flush=True)\n\
    for line in sys.stdin:\n\
    \x20   kept.append(b'1' * int(line)); print('taken', flush=True)\n";

/// What the command says of a file that it doesn't take.
fn refused(file: &str, pid: &str) -> String {
    let output = output(&["inspect", "--since", file, pid]);
    assert_eq!(output.status.code(), Some(1), "{file}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn what_grew_is_told_by_owner() {
    if !suite::installed(PYTHON) {
        return;
    }
    let mut command = Command::new(PYTHON);
    let mut python = Answering::start(undisturbed(command.args(["-c", GROWS])));
    assert_eq!(python.hear(), "ready");
    let pid = python.pid().to_string();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("then.json").display().to_string();
    assert!(output(&["inspect", "--save", &file, &pid]).status.success());
    assert_eq!(python.tell(&(30 << 20).to_string()), "taken");

    let csv = output(&["inspect", "--since", &file, "--format", "csv", &pid]);
    let said = String::from_utf8_lossy(&csv.stderr);
    assert_eq!(csv.status.code(), Some(2), "{said}");
    assert!(said.contains("in JSON alone") && said.contains("brkhole inspect [OPTIONS]"), "{said}");
    let report = processes(&["inspect", "--since", &file, &pid]);
    let since = &report[0]["since"];
    assert_eq!(since["is_same"], true, "{since}");
    let first = &since["owners"][0];
    assert_eq!(first["kind"], "malloc-block", "{since}");
    let bytes = |name: &str| first[name].as_u64().unwrap();
    let grown = bytes("now_bytes") - bytes("before_bytes");
    assert!((30 << 20..31 << 20).contains(&grown), "{since}");
    let table = String::from_utf8(output(&["inspect", "--since", &file, &pid]).stdout).unwrap();
    assert!(table.contains("what grew in") && table.contains("30.0 MiB"), "{table}");

    // After a restart it is another one of that name, as it is once it has executed a program.
    let saved = std::fs::read_to_string(&file).unwrap();
    let mut other: Value = serde_json::from_str(&saved).unwrap();
    other["processes"][0]["break_start"] = 4096.into();
    std::fs::write(&file, other.to_string()).unwrap();
    let report = processes(&["inspect", "--since", &file, &pid]);
    assert_eq!(report[0]["since"]["is_same"], false);
    other["processes"][0]["pid"] = 1.into();
    std::fs::write(&file, other.to_string()).unwrap();
    let report = processes(&["inspect", "--since", &file, &pid]);
    assert_eq!(report[0]["since"]["is_same"], false);
    assert_eq!(report[0]["since"]["pid"], 1);
}

#[test]
fn what_was_not_saved_is_refused_with_what_to_type() {
    let target = Keeps::free(0);
    let pid = target.number();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("then.json");
    let file = path.display().to_string();
    let told = refused(&file, &pid);
    assert!(told.contains("can't read") && told.contains("inspect --save FILE PID"), "{told}");
    for (text, words) in [
        ("", "is no look that was saved"),
        ("{\"schema\": 1}", "is no look that was saved"),
        ("{\"schema\": 7, \"processes\": []}", "schema 7"),
        (
            "{\"schema\": 1, \"saved_unix_seconds\": 0, \"boot_id\": \"\", \"processes\": []}",
            "nothing is of its name",
        ),
    ] {
        std::fs::write(&path, text).unwrap();
        let told = refused(&file, &pid);
        assert!(told.contains(words), "{words}: {told}");
        assert!(told.contains("--save FILE"), "{told}");
    }
    std::fs::write(&path, " ".repeat((16 << 20) + 1)).unwrap();
    assert!(refused(&file, &pid).contains("16.0 MiB"));
    // Sums of what a file claims don't overflow.
    assert!(output(&["inspect", "--save", &file, &pid]).status.success());
    let mut huge: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    for row in huge["processes"][0]["account"].as_array_mut().unwrap() {
        (row["rss_bytes"], row["swap_bytes"]) = (u64::MAX.into(), u64::MAX.into());
    }
    std::fs::write(&path, huge.to_string()).unwrap();
    assert!(output(&["inspect", "--since", &file, &pid]).status.success());
}
