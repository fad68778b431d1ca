//! The files that go with the command to a fleet: they are well-formed, and speak of metrics that
//! there are.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::common::{brkhole, installed, output};
use crate::fleet::checked;
use crate::fleet::member::member;
use crate::fleet::samples::{self, Sample, samples};
use serde_json::Value;
use suite::waiting::eventually;

const RULES: &str = include_str!("../fleet/brkhole.rules.yml");
const RULES_TESTS: &str = include_str!("../fleet/brkhole.rules.test.yml");
const DASHBOARD: &str = include_str!("../fleet/brkhole.dashboard.json");

fn fleet() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fleet")
}

/// Runs it with these arguments in the directory of the files.
fn run(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program).args(arguments).current_dir(fleet()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    output
}

/// What the service writes: what inspect does, and more; the same series whatever it finds, but for
/// the names of commands.
fn written() -> Vec<Sample> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("brkhole.prom");
    let target = member("fat", "files");
    let pid = target.0.id().to_string();
    service_writes(&["trim", "--watch", "60", "--above", "1024TiB", &pid], &file);
    samples(&std::fs::read_to_string(file).unwrap())
}

/// Runs the service until it has written its file once, and ends it.
fn service_writes(arguments: &[&str], file: &Path) {
    let mut service = brkhole(arguments).arg("--metrics").arg(file).spawn().unwrap();
    eventually("it has looked", || file.metadata().is_ok_and(|file| file.len() > 0));
    service.kill().unwrap();
    service.wait().unwrap();
}

/// All names of our metrics in a text.
fn metrics_in(text: &str) -> BTreeSet<&str> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    text.split(|character| !is_part(character))
        .filter(|word| word.starts_with("brkhole_"))
        .collect()
}

/// All queries of the dashboard: its panels' and its variables'.
fn queries() -> Vec<String> {
    fn collect(value: &Value, queries: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    match member {
                        Value::String(text) if name == "expr" || name == "definition" => {
                            queries.push(text.clone());
                        }
                        member => collect(member, queries),
                    }
                }
            }
            Value::Array(elements) => elements.iter().for_each(|one| collect(one, queries)),
            _ => {}
        }
    }
    let mut queries = Vec::new();
    collect(&serde_json::from_str(DASHBOARD).unwrap(), &mut queries);
    assert!(queries.len() > 20, "{queries:?}");
    queries
}

#[test]
fn every_metric_is_asked_for_and_every_one_that_is_asked_for_is_written() {
    let written = written();
    let written = samples::names(&written);
    let queries = queries().join("\n");
    let asked: BTreeSet<_> = metrics_in(&queries).union(&metrics_in(RULES)).copied().collect();
    assert_eq!(asked, written);
    let tested = metrics_in(RULES_TESTS);
    assert!(tested.is_subset(&written), "{tested:?} {written:?}");
}

#[test]
fn every_reason_that_a_rule_asks_for_is_written() {
    let written = written();
    let reasons: BTreeSet<_> = written
        .iter()
        .filter_map(|sample| sample.labels.get("reason"))
        .map(String::as_str)
        .collect();
    let asked = RULES.split("reason=~\"").skip(1);
    let asked: Vec<_> =
        asked.flat_map(|rest| rest.split('"').next().expect("a first").split('|')).collect();
    assert!(!asked.is_empty());
    for reason in asked {
        assert!(reasons.contains(reason), "{reason}: {reasons:?}");
    }
}

#[test]
fn the_rules_do_as_they_are_tested() {
    if !installed("promtool") {
        return;
    }
    run("promtool", &["check", "rules", "brkhole.rules.yml"]);
    run("promtool", &["test", "rules", "brkhole.rules.test.yml"]);
    let alerts = RULES.lines();
    let alerts = alerts.filter_map(|line| line.trim().strip_prefix("- alert: "));
    let mut number = 0;
    for alert in alerts {
        let cases: Vec<_> = RULES_TESTS
            .split("alertname: ")
            .filter_map(|case| case.strip_prefix(alert)?.strip_prefix('\n'))
            .map(|case| case.trim_start().starts_with("exp_alerts: []"))
            .collect();
        assert!(cases.contains(&true), "{alert}: when doesn't it fire?");
        assert!(cases.contains(&false), "{alert}: when does it?");
        number += 1;
    }
    let commands = RULES.lines().filter(|line| line.trim().starts_with("next: "));
    assert_eq!(commands.count(), number, "each alert tells what to type");
}

#[test]
fn the_dashboard_asks_what_prometheus_understands() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len());
    for panel in panels {
        // The user's, not the one that it was made with.
        assert_eq!(panel["datasource"]["uid"], "${datasource}");
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap();
            assert!(query.contains(r#"{job=~"$job", instance=~"$instance"}"#), "{query}");
        }
    }
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let variables: Vec<_> = variables.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(variables, ["datasource", "job", "instance"]);

    if !installed("promtool") {
        return;
    }
    // JSON is YAML too.
    let queries = queries();
    let queries = queries.iter().filter(|query| !query.starts_with("label_values("));
    let rules: Vec<_> = queries
        .enumerate()
        .map(|(number, query)| {
            serde_json::json!({ "record": format!("panel:query:{number}"), "expr": query })
        })
        .collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    let groups = serde_json::json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    std::fs::write(file.path(), groups.to_string()).unwrap();
    run("promtool", &["check", "rules", file.path().to_str().unwrap()]);
}

#[test]
fn the_units_are_well_formed() {
    if !installed("systemd-analyze") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut arguments = vec!["verify".to_owned(), "--man=no".to_owned()];
    for name in ["brkhole-inspect.service", "brkhole-inspect.timer", "brkhole-trim.service"] {
        let unit = std::fs::read_to_string(fleet().join(name)).unwrap();
        // Where it is installed there; what is verified is also that it is there.
        let unit = unit.replace("/usr/bin/brkhole", env!("CARGO_BIN_EXE_brkhole"));
        let file = directory.path().join(name);
        std::fs::write(&file, unit).unwrap();
        arguments.push(file.to_str().unwrap().to_owned());
    }
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let output = run("systemd-analyze", &arguments);
    let said = [output.stdout, output.stderr].concat();
    assert_eq!(String::from_utf8_lossy(&said), "", "it warns");
}

/// What a unit runs, up to the name of the file.
fn command_of(unit: &str) -> String {
    let unit = std::fs::read_to_string(fleet().join(unit)).unwrap();
    let mut lines = unit.lines();
    let command = lines.find_map(|line| line.strip_prefix("ExecStart=/usr/bin/brkhole ")).unwrap();
    let place = " /var/lib/prometheus/node-exporter/brkhole.prom";
    command.strip_suffix(place).expect("it writes the file").to_owned()
}

/// What the units run are command lines that the command takes.
#[test]
fn the_units_run_commands_that_there_are() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("brkhole.prom");
    let is_written = || std::fs::read_to_string(&file).unwrap().ends_with("# EOF\n");
    let command = command_of("brkhole-inspect.service");
    let words: Vec<_> = command.split(' ').chain(file.to_str()).collect();
    let output = output(&words);
    assert!(output.status.success(), "{output:?}");
    assert!(is_written());
    std::fs::remove_file(&file).unwrap();
    // Not everybody on this machine is a test's to trim.
    let command = command_of("brkhole-trim.service").replace("--all", "--comm nobody");
    let words: Vec<_> = command.strip_suffix(" --metrics").unwrap().split(' ').collect();
    service_writes(&words, &file);
    assert!(is_written());
    if installed("promtool") {
        let output = checked(&file);
        assert_eq!((output.stdout, output.stderr), (Vec::new(), Vec::new()));
    }
}
