//! `brkhole compare -- COMMAND`.

use std::process::Command;

use crate::common::{json, kinds, output};
use serde_json::Value;

/// Takes many blocks and frees them: with the break free, memory goes back.
const TAKE_AND_FREE: &str = "keep = [bytearray(5000) for _ in range(8000)]\ndel keep";

fn metric<'a>(report: &'a Value, name: &str) -> &'a Value {
    let rows = report["comparison"].as_array().unwrap();
    let found = rows.iter().find(|row| row["metric"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {rows:?}"))
}

#[test]
fn freed_memory_stays_where_the_break_is_blocked() {
    let python = "/usr/bin/python3";
    if !crate::common::installed(python) {
        return;
    }
    let report = json(&["compare", "--repeats", "3", "--", python, "-c", TAKE_AND_FREE]);
    assert_eq!(report["experiment"], "compare");
    let arms: Vec<_> = report["arms"].as_array().unwrap().iter().collect();
    assert_eq!((&arms[0]["name"], &arms[1]["name"]), (&"control".into(), &"hole".into()));
    assert_eq!(arms[0]["runs"].as_array().unwrap().len(), 3);
    let run = &arms[1]["runs"][0];
    assert_eq!(run["facts"]["exit"], "code 0");
    assert_eq!(run["facts"]["condition_made"], "1");
    assert!(run["fallback"]["count"].as_u64().unwrap() > 100);
    let at_end = metric(&report, "rss_at_end");
    // 40,000,000 bytes were taken; the rest is Python itself.
    assert!(at_end["ratio"].as_f64().unwrap() > 3.0, "{at_end}");
    let peak = metric(&report, "peak_rss")["ratio"].as_f64().unwrap();
    assert!((0.9..1.2).contains(&peak), "{peak}");
    assert_eq!(metric(&report, "brk_refused")["control"], 0.0);
    assert_eq!(kinds(&report), ["fallback", "memory-kept"]);
}

#[test]
fn a_static_program_and_every_program_of_a_tree() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("grow.c");
    let program = directory.path().join("grow");
    std::fs::write(
        &source,
        "#include <stdlib.h>\n\
         int main(void) { for (int i = 0; i < 100; i++) if (!malloc(20000)) return 1; }\n",
    )
    .unwrap();
    let status =
        Command::new("cc").args(["-O0", "-static", "-o"]).args([&program, &source]).status();
    assert!(status.unwrap().success());
    let script = format!("'{0}'; '{0}' | cat", program.display());
    let report = json(&["compare", "--repeats", "1", "--", "sh", "-c", &script]);
    let run = &report["arms"][1]["runs"][0];
    // The shell, the program twice, and cat.
    assert_eq!(run["facts"]["condition_made"], "4");
    assert_eq!(run["facts"]["processes"], "4");
    assert!(run["fallback"]["count"].as_u64().unwrap() >= 2 * 10, "{run}");
    assert_eq!(report["arms"][0]["runs"][0]["fallback"]["count"], 0);
}

#[test]
fn a_command_that_takes_nothing_by_the_break_is_left_in_peace() {
    let script = "exit 3";
    let report = json(&["compare", "--repeats", "1", "--", "/bin/sh", "-c", script]);
    assert!(!kinds(&report).contains(&"memory-kept"));
    let notes = report["notes"].to_string();
    assert!(notes.contains("did not succeed") && notes.contains("code 3"), "{notes}");
    let printed = output(&["compare", "--repeats", "1", "--", "/bin/sh", "-c", script]);
    let text = String::from_utf8(printed.stdout).unwrap();
    assert!(text.starts_with("no difference: sh took "), "{text}");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("(1 run each, too few to be sure, ended with code 3)"), "{text}");
}

#[test]
fn what_cannot_be_run_is_named() {
    let output = output(&["compare", "--", "/no/such/program"]);
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("/no/such/program"), "{complaint}");
}
