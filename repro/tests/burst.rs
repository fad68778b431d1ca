//! `burst` and `reload`: what a blocked break keeps.

use crate::common::{bundle, compared, glibc_version, json, needs_as_often_to_grow, runs, skipped};
use serde_json::Value;

#[test]
fn a_burst_stays_when_the_break_is_blocked_and_malloc_trim_brings_it_back() {
    let results = json(env!("CARGO_BIN_EXE_burst"), &["--repeats", "3"]);
    if glibc_version(&results).is_none() {
        skipped("how much is kept is known for glibc only");
        return;
    }
    let after_free = compared(&results, "rss_after_free", "ratio");
    assert!(after_free > 20.0, "{after_free}");
    let after_trim = compared(&results, "rss_after_trim", "ratio");
    assert!(after_trim < 12.0, "{after_trim}");
    let kinds = kinds(&results);
    assert!(kinds.contains(&"memory-kept"), "{kinds:?}");
}

#[test]
fn small_bursts_are_not_called_kept() {
    let results = json(env!("CARGO_BIN_EXE_burst"), &["--repeats", "3", "--blocks", "4"]);
    let kinds = kinds(&results);
    assert!(!kinds.contains(&"memory-kept"), "{kinds:?}");
}

#[test]
fn a_reload_holds_both_configurations_for_a_while() {
    if bundle().is_none() {
        return;
    }
    let results = json(
        env!("CARGO_BIN_EXE_reload"),
        &["--locations", "10", "--cycles", "2", "--repeats", "1"],
    );
    for arm in ["control", "hole"] {
        let checkpoints = runs(&results, arm)[0]["checkpoints"].as_array().unwrap();
        let labels: Vec<&str> = checkpoints.iter().map(|c| c["label"].as_str().unwrap()).collect();
        assert_eq!(
            labels,
            [
                "start",
                "loaded",
                "reload 1: both",
                "reload 1: old freed",
                "reload 2: both",
                "reload 2: old freed",
                "trimmed"
            ]
        );
    }
}

/// A real master (nginx 1.11.2, lua-nginx-module 0.10.7, OpenSSL 1.0.2j, 100 locations) is at 2.01
/// times of what it began with, Debian's nginx 1.22.1 at 2.04. Begun in the foreground it is at 1.90,
/// as the pages of program and libraries count from the start then.
#[test]
fn after_a_reload_a_master_has_twice_what_it_began_with() {
    if bundle().is_none() {
        return;
    }
    let flags = ["--locations", "50", "--cycles", "2", "--repeats", "1"];
    let results = json(env!("CARGO_BIN_EXE_reload"), &flags);
    for arm in ["control", "hole"] {
        let checkpoints = runs(&results, arm)[0]["checkpoints"].as_array().unwrap();
        let rss = |label: &str| {
            let found = checkpoints.iter().find(|at| at["label"] == label);
            found.unwrap()["rss_bytes"].as_f64().unwrap()
        };
        for later in ["reload 1: both", "reload 1: old freed", "reload 2: old freed"] {
            let ratio = rss(later) / rss("loaded");
            assert!((1.9..2.15).contains(&ratio), "{arm}, {later}: {ratio}");
        }
        let trimmed = rss("trimmed") / rss("loaded");
        assert!((1.0..1.3).contains(&trimmed), "{arm}: {trimmed}");
    }
    needs_as_often_to_grow(&results);
}

#[test]
fn what_a_burst_leaves_to_malloc_trim_is_predicted() {
    let flags = ["--blocks", "2000", "--block-bytes", "4000"];
    let results = json(env!("CARGO_BIN_EXE_burst"), &[&flags[..], &["--repeats", "2"]].concat());
    let [_, hole] = predicted(&results, "freed");
    // All but the blocks that share a page with something else.
    assert!((7_000_000..8_200_000).contains(&hole), "{hole}");
}

#[test]
fn what_a_reload_leaves_to_malloc_trim_is_predicted() {
    if bundle().is_none() {
        return;
    }
    let flags = ["--locations", "5", "--cycles", "1", "--repeats", "1"];
    let results = json(env!("CARGO_BIN_EXE_reload"), &flags);
    let [control, hole] = predicted(&results, "reload 1: old freed");
    assert!(control.min(hole) > 1 << 20, "{control} {hole}");
}

/// What malloc_trim was to give back in either arm, the greatest of the runs: in each run no more
/// than 1 % or 256 KiB away from what it gave back, and told beside it.
fn predicted(results: &Value, freed: &str) -> [i64; 2] {
    ["control", "hole"].map(|arm| {
        let mut greatest = 0;
        for run in runs(results, arm) {
            let checkpoints = run["checkpoints"].as_array().unwrap();
            let at = |label: &str| {
                let found = checkpoints.iter().find(|at| at["label"] == label);
                found.unwrap_or_else(|| panic!("{label} isn't among {checkpoints:?}"))
            };
            let (freed, trimmed) = (at(freed), at("trimmed"));
            let rss = |at: &Value| at["rss_bytes"].as_i64().unwrap();
            let given_back = rss(freed) - rss(trimmed);
            let predicted = freed["malloc"]["returnable_bytes"].as_i64();
            let predicted = predicted.unwrap_or_else(|| panic!("{arm}: unknown: {freed}"));
            let off = (predicted - given_back).abs();
            assert!(
                off <= (256 << 10).max(given_back / 100),
                "{arm}: {predicted} predicted, {given_back} given back"
            );
            let examined = checkpoints.iter().filter(|at| at.get("malloc").is_some());
            assert_eq!(examined.count(), 1, "{arm}: looked at where nobody asked");
            greatest = greatest.max(predicted);
        }
        for metric in ["returnable_before_trim", "given_back_by_trim"] {
            assert!(compared(results, metric, arm).is_finite());
        }
        greatest
    })
}

/// The kinds of the findings.
fn kinds(results: &Value) -> Vec<&str> {
    let findings = results["findings"].as_array().unwrap();
    findings.iter().filter_map(|finding| finding["kind"].as_str()).collect()
}
