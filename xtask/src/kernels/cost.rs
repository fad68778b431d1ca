//! What each way of watching costs: the same work watched in each, instructions counted.

use super::{COUNTING, KernelsOptions, fetch, programs, run};
use anyhow::Context;
use roots::repository::root;
use serde_json::{Map, Value, json};
use std::fs;

/// Measures on each kernel and writes `runs/kernels.json`: by release and way, how many times as long the
/// work takes, of the processor's time and until it is done.
pub fn record(options: &KernelsOptions) -> anyhow::Result<()> {
    let programs = programs(&["memory-trace=attach::cost".to_owned()], "release")?;
    let mut recorded = Map::new();
    for release in &options.debian {
        let kernel = fetch::kernel(release)?;
        let title = format!("Linux {} counting", kernel.version);
        let runs = run(&kernel, &title, "splash", COUNTING, &programs, options.patience)?;
        anyhow::ensure!(runs[0].is_good(), "{}", runs[0]);
        let told: Vec<(&str, [f64; 2])> = runs[0].remarks().filter_map(figures).collect();
        let (_, alone) = told.first().context("nothing was measured")?;
        let ways = told.iter().map(|(way, [own, all])| {
            let figures = json!({ "own_ns": own, "all_ns": all, "own": own / alone[0], "all": all / alone[1] });
            ((*way).to_owned(), figures)
        });
        let ways: Map<String, Value> = ways.collect();
        recorded.insert(release.clone(), json!({ "kernel": kernel.version, "ways": ways }));
    }
    let text = serde_json::to_string_pretty(&recorded)? + "\n";
    fs::write(root().join("runs/kernels.json"), text)?;
    Ok(())
}

/// `cost of bpf: 1 2`
fn figures(remark: &str) -> Option<(&str, [f64; 2])> {
    let (way, figures) = remark.strip_prefix("cost of ")?.split_once(": ")?;
    let (own, all) = figures.split_once(' ')?;
    Some((way, [own.parse().ok()?, all.parse().ok()?]))
}
