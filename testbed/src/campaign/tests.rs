//! The committed runs are read back: what is measured is kept in the form that they have, and the
//! tables that stand beside them come from it.

use super::Measurements;
use crate::distributions::Distributions;
use crate::disturbance::Disturbance;
use crate::history::{History, ReleaseFigures};
use crate::predictions::{Predictions, ProgramPredictions};
use crate::reloads::Reloads;
use roots::repository;
use serde_json::Value;
use std::fs;

/// What no campaign has of itself.
const FRAME: [&str; 3] = ["experiment", "environment", "recorded"];

/// The run without its frame, as it is kept.
fn committed(name: &str) -> Value {
    let mut run: Value = serde_json::from_str(&text(name)).unwrap();
    for key in FRAME {
        let removed = run.as_object_mut().unwrap().remove(key);
        assert!(removed.is_some(), "{name} has no {key}");
    }
    run
}

fn text(name: &str) -> String {
    fs::read_to_string(repository::root().join("runs").join(name)).unwrap()
}

#[test]
fn predictions_and_their_table() {
    let kept = committed("predictions.json");
    let predictions: Predictions = serde_json::from_value(kept.clone()).unwrap();
    assert_eq!(serde_json::to_value(&predictions).unwrap(), kept);
    assert_eq!(predictions.table(), text("predictions.txt"));
    let rows = predictions.other_files()[1].1.lines().count();
    let places = kept["places"].as_array().unwrap();
    let runs = kept["parameters"]["repeats"].as_u64().unwrap() as usize;
    assert_eq!(rows, 1 + places.len() * 6 * runs);

    for program in predictions.places.into_iter().flat_map(|of| of.programs) {
        let worst = format!("{:?}", program.worst);
        let again = ProgramPredictions::of(&program.name, program.runs);
        assert_eq!(format!("{:?}", again.worst), worst);
    }
}

#[test]
fn disturbance_and_its_table() {
    let kept = committed("disturbance.json");
    let disturbance: Disturbance = serde_json::from_value(kept.clone()).unwrap();
    assert_eq!(serde_json::to_value(&disturbance).unwrap(), kept);
    // How long each look took isn't kept.
    let expected = text("disturbance.txt");
    let expected = expected.lines().filter(|line| !line.starts_with("one took"));
    assert!(disturbance.table().lines().eq(expected));

    let [alone, inspected] = disturbance.arms.map(|arm| arm.runs);
    let again = Disturbance::of(disturbance.parameters, alone, inspected);
    assert_eq!(serde_json::to_value(&again).unwrap(), kept);
}

#[test]
fn reloads_and_their_table() {
    let kept = committed("reloads.json");
    let reloads: Reloads = serde_json::from_value(kept.clone()).unwrap();
    assert_eq!(serde_json::to_value(&reloads).unwrap(), kept);
    assert_eq!(reloads.table(), text("reloads.txt"));

    let again = Reloads::of(reloads.parameters, reloads.versions, reloads.arms);
    assert_eq!(serde_json::to_value(&again).unwrap(), kept);
}

#[test]
fn distributions() {
    let kept = committed("distributions/distributions.json");
    let mut distributions: Distributions = serde_json::from_value(kept.clone()).unwrap();
    assert_eq!(serde_json::to_value(&distributions).unwrap(), kept);
    let mut table = distributions.table();
    assert_eq!(table.matches(" ok\n").count(), 3);
    assert_eq!(distributions.verdict(), None);

    let check = &mut distributions.releases[2].checks[0];
    (check.ok, check.fault) = (false, Some("made up".to_owned()));
    let fault = format!("\nFAILED trixie: {}\n    made up\n", check.name);
    let count = kept["releases"][2]["checks"].as_array().unwrap().len();
    table = table.trim_end().trim_end_matches(&format!("{count} ok")).to_owned();
    table += &format!("1 of {count} FAILED\n{fault}");
    assert_eq!(distributions.table(), table);
    assert_eq!(distributions.verdict().unwrap(), "1 checks failed");
}

#[test]
fn history() {
    let kept = committed("history/history.json");
    let releases = kept["releases"].as_array().unwrap().iter();
    let history = History {
        method: serde_json::from_value(kept["method"].clone()).unwrap(),
        parameters: kept["parameters"].clone(),
        releases: releases.map(release).collect(),
    };
    assert_eq!(serde_json::to_value(&history).unwrap(), kept);
    assert_eq!(history.table().matches("blocked").count(), 4 * 3);
}

fn release(kept: &Value) -> ReleaseFigures {
    let name = kept["name"].as_str().unwrap();
    let mut release = ReleaseFigures::new(name, Default::default());
    release.faults = serde_json::from_value(kept["faults"].clone()).unwrap();
    for (name, value) in kept.as_object().unwrap() {
        match value {
            Value::String(version) if name != "name" => {
                release.versions.insert(name.clone(), version.clone());
            }
            Value::Object(_) => {
                let figures = serde_json::from_value(value.clone()).unwrap();
                release.workloads.insert(name.clone(), figures);
            }
            _ => {}
        }
    }
    release
}
