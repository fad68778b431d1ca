//! The results as a table that a person understands at once.

use crate::memory_limit::Evidence;
use crate::oom::results::{Arm, Ending, LimitInForce, Results};
use heap_meter::report::{in_unit, wrapped};
use heap_meter::units::{Bytes, thousands};
use serde_json::Value;
use std::fmt::Write;

/// The table: what ran, a row per metric, how each arm ended, what survived a reload, what follows.
pub(in crate::oom) fn table(results: &Results) -> String {
    let mut text = heading(results);
    text.push('\n');
    text.push_str(&comparison(results));
    text.push('\n');
    for arm in &results.arms {
        for line in endings(arm).into_iter().chain(reloads(arm)) {
            text.push_str(&wrapped(&line));
        }
    }
    let findings = results
        .findings
        .iter()
        .map(|finding| format!("• {finding}"));
    let notes = voids(results).chain(results.notes.iter().cloned());
    for paragraph in findings.chain(notes.map(|note| format!("note: {note}"))) {
        text.push('\n');
        text.push_str(&wrapped(&paragraph));
    }
    text
}

fn heading(results: &Results) -> String {
    let parameter = |name: &str| &results.parameters[name];
    let budget = parameter("budget_bytes").as_u64().unwrap_or(0);
    let locations = parameter("locations").as_u64().unwrap_or(0);
    let runs: Vec<String> = results
        .arms
        .iter()
        .map(|arm| format!("{} {}", arm.runs.len(), arm.name))
        .collect();
    let mut text = format!(
        "oom: budget {} by {}, at most {} locations; runs: {}\n",
        Bytes(budget),
        parameter("limit").as_str().unwrap_or_default(),
        thousands(locations),
        runs.join(", ")
    );
    let environment = &results.environment;
    let extra = |name: &str| environment.extra.get(name).and_then(Value::as_str);
    let mut surroundings: Vec<String> = Vec::new();
    surroundings.extend(
        environment
            .kernel
            .iter()
            .map(|kernel| format!("Linux {kernel}")),
    );
    surroundings.extend(environment.libc.clone());
    surroundings.extend(
        [extra("openssl"), extra("luajit")]
            .into_iter()
            .flatten()
            .map(str::to_owned),
    );
    if let Some(bundle) = environment.extra.get("bundle") {
        surroundings.push(format!(
            "{} ({} certificates, {} bytes)",
            bundle["path"].as_str().unwrap_or_default(),
            bundle["certificates"],
            bundle["bytes"].as_u64().map_or_else(String::new, thousands),
        ));
    }
    text.push_str(&wrapped(&surroundings.join(" · ")));
    text
}

fn comparison(results: &Results) -> String {
    if results.comparison.is_empty() {
        return "no comparison: not every arm has a run that counts\n".to_owned();
    }
    let arms: Vec<&str> = results.arms.iter().map(|arm| arm.name).collect();
    let mut header = vec!["median of the runs".to_owned()];
    header.extend(arms.iter().map(|arm| (*arm).to_owned()));
    header.push("hole/control".to_owned());
    let mut lines = vec![header];
    for row in &results.comparison {
        let mut cells = vec![row.title.to_owned()];
        cells.extend(arms.iter().map(|arm| {
            let least = if row.at_least.contains(arm) {
                "≥ "
            } else {
                ""
            };
            format!("{least}{}", in_unit(row.arms[arm], row.unit))
        }));
        cells.push(
            row.ratio
                .map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.3}")),
        );
        lines.push(cells);
    }
    aligned(&lines)
}

/// The first column to the left, the others to the right.
fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in lines {
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            // Writing to a String can't fail.
            let _ = match column {
                0 => write!(text, " {cell:<width$}"),
                _ => write!(text, "  {cell:>width$}"),
            };
        }
        text.push('\n');
    }
    text
}

/// How the runs of an arm ended: a line for its last one, which stands for all.
fn endings(arm: &Arm) -> Option<String> {
    let run = arm.runs.last()?;
    let mut line = format!(
        "{}: {} (pid {}, {}, {}); the break grew by {}",
        arm.name,
        ending(&run.ending, run.locations),
        run.process.pid,
        run.process.comm,
        run.process.status,
        Bytes(run.break_grown_bytes),
    );
    if let LimitInForce::Cgroup { before, after, .. } = &run.limit {
        let _ = write!(line, "; {}", counters(before, after));
    }
    if let Ending::OomKilled {
        kernel_log: Some(words),
    } = &run.ending
    {
        let _ = write!(line, "; the kernel: \"{words}\"");
    }
    Some(line)
}

fn ending(ending: &Ending, locations: u64) -> String {
    let locations = match locations {
        1 => "1 location".to_owned(),
        several => format!("{} locations", thousands(several)),
    };
    match ending {
        Ending::Done => format!("alive at the end, with {locations}"),
        Ending::OomKilled { .. } => format!("killed by the OOM killer after {locations}"),
        Ending::Signalled { signal } => {
            format!("ended by signal {signal} after {locations}, not by the OOM killer")
        }
        Ending::AllocationFailed { error, data_bytes } => format!(
            "an allocation failed after {locations}, with {} of data: {error}",
            data_bytes.map_or_else(
                || "an unknown amount".to_owned(),
                |data| Bytes(data).to_string()
            )
        ),
    }
}

fn counters(before: &Evidence, after: &Evidence) -> String {
    let mut said = Vec::new();
    for (name, before, after) in [
        ("oom_kill", before.oom_kill, after.oom_kill),
        ("oom", before.oom, after.oom),
        ("limit met", before.limit_met, after.limit_met),
    ] {
        if let (Some(before), Some(after)) = (before, after) {
            said.push(format!(
                "{name} {} → {}",
                thousands(before),
                thousands(after)
            ));
        }
    }
    if let Some(peak) = after.peak_usage_bytes {
        said.push(format!("peak usage {}", Bytes(peak)));
    }
    format!("its cgroup's counters: {}", said.join(", "))
}

fn reloads(arm: &Arm) -> Option<String> {
    let reload = arm.reload.as_ref()?;
    let tried: Vec<String> = reload
        .probes
        .iter()
        .map(|probe| match probe.ending {
            Ending::Done => format!("{} lived", thousands(probe.locations)),
            _ => format!(
                "{} ended at {} of {} contexts",
                thousands(probe.locations),
                thousands(probe.loaded),
                thousands(2 * probe.locations)
            ),
        })
        .collect();
    Some(format!("{}, reloads: {}", arm.name, tried.join("; ")))
}

/// Runs that don't count, a line an arm.
fn voids(results: &Results) -> impl Iterator<Item = String> + '_ {
    results.arms.iter().filter_map(|arm| {
        let last = &arm.void_runs.last()?.reason;
        let name = arm.name;
        Some(match arm.void_runs.len() {
            1 => format!("1 run of {name} doesn't count: {last}"),
            several => format!("{several} runs of {name} don't count, the last because: {last}"),
        })
    })
}
