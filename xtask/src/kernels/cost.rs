//! What each way of watching costs: the same work watched in each, instructions counted.

use super::{COUNTING, KernelsOptions, fetch, programs, run};
use anyhow::Context;
use roots::repository::root;
use serde_json::{Map, Value, json};
use std::fs;

/// Measures on each kernel and writes `runs/kernels.json`: by release and way, how long the work takes, of
/// the process's own time and until it is done.
pub fn record(options: &KernelsOptions) -> anyhow::Result<()> {
    let programs = programs(&["memory-trace=attach::cost".to_owned()], "release")?;
    let mut recorded = Map::new();
    for release in &options.debian {
        let kernel = fetch::kernel(release)?;
        let title = format!("Linux {} counting", kernel.version);
        let runs = run(&kernel, &title, "splash", COUNTING, &programs, options.patience)?;
        let [run] = &runs[..] else {
            anyhow::bail!("{title}: one program was to run");
        };
        anyhow::ensure!(run.is_good(), "{run}");
        let mut told: Map<String, Value> = run.remarks().filter_map(figures).collect();
        anyhow::ensure!(!told.is_empty(), "{title}: nothing was measured");
        told.insert("kernel".to_owned(), kernel.version.into());
        recorded.insert(release.clone(), told.into());
    }
    let text = serde_json::to_string_pretty(&recorded)? + "\n";
    fs::write(root().join("runs/kernels.json"), text).context("runs/kernels.json")
}

/// `cost of bpf: 1 2`; of what nobody else pays for, one figure.
fn figures(remark: &str) -> Option<(String, Value)> {
    let (way, figures) = remark.strip_prefix("cost of ")?.split_once(": ")?;
    let nanoseconds = |figure: &str| figure.parse::<u64>().ok();
    let figures = match figures.split_once(' ') {
        Some((own, all)) => json!({ "own_ns": nanoseconds(own)?, "all_ns": nanoseconds(all)? }),
        None => json!({ "all_ns": nanoseconds(figures)? }),
    };
    Some((way.to_owned(), figures))
}
