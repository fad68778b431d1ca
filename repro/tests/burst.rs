//! `burst` and `reload`: what a blocked break keeps.

mod common;

use common::{bundle, compared, glibc_version, json, runs, skipped};
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
    let results = json(
        env!("CARGO_BIN_EXE_burst"),
        &["--repeats", "3", "--blocks", "4"],
    );
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
        let labels: Vec<&str> = checkpoints
            .iter()
            .map(|c| c["label"].as_str().unwrap())
            .collect();
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
        let rss = |index: usize| checkpoints[index]["rss_bytes"].as_f64().unwrap();
        let one = rss(1) - rss(0);
        let both = rss(2) - rss(0);
        assert!(
            (1.8..2.2).contains(&(both / one)),
            "{arm}: {both} of two, {one} of one"
        );
    }
}

/// The kinds of the findings.
fn kinds(results: &Value) -> Vec<&str> {
    let findings = results["findings"].as_array().unwrap();
    findings
        .iter()
        .filter_map(|finding| finding["kind"].as_str())
        .collect()
}
