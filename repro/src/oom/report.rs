//! The results for people and for spreadsheets.

use super::judge::answer;
use super::results::{LimitInForce, LoadRun, OomArm, OomResults, OomRow, RunEnd, loads};
use crate::arm::{CONTROL, HOLE, SHARED};
use crate::memory_limit::CgroupCounters;
use crate::output::Report;
use heap_meter::environment::Environment;
use heap_meter::report::{
    Column, CsvRow, NONE, Part, Sections, experiment_heading, experiment_sections, in_unit,
    no_comparison, rows_csv,
};
use human_text::{Bytes, counted, thousands};
use serde_json::json;
use std::fmt::Write;

impl Report for OomResults {
    /// The answer, what ran, what follows, a row per metric, how each arm ended, what survived a reload.
    fn table(&self) -> Sections {
        let endings = |arm| endings(arm).into_iter().chain(reloads(arm));
        let endings = self.arms.iter().flat_map(endings).map(Part::Paragraph);
        let tables = vec![vec![comparison(self)], endings.collect()];
        experiment_sections(self, loads(self), answer(self), heading(self), tables)
    }

    /// A row per run and per reload that was tried. What isn't known is an empty field.
    fn csv(&self) -> anyhow::Result<String> {
        Ok(rows_csv(self.arms.iter().flat_map(|arm| csv_rows(self, arm)))?)
    }

    fn environment(&self) -> &Environment {
        &self.environment
    }
}

fn csv_rows(results: &OomResults, arm: &OomArm) -> Vec<CsvRow> {
    let row = |work: &str,
               number: usize,
               [locations, loaded]: [u64; 2],
               ending: &RunEnd,
               limit: &LimitInForce,
               load: Option<&LoadRun>| {
        let after = match limit {
            LimitInForce::Cgroup { after, .. } => *after,
            LimitInForce::Rlimit { .. } => CgroupCounters::default(),
        };
        let cost = load.and_then(|run| run.bytes_per_location);
        CsvRow::new()
            .field("experiment", &*results.experiment)
            .field("arm", &*arm.loads.name)
            .field("work", work)
            .field("run", number)
            .field("locations", locations)
            .field("loaded", loaded)
            .field("ending", json!(ending)["kind"].take())
            .field("bytes_per_location", cost.map(|cost| cost.to_string()))
            .field("work_seconds", load.map(|run| run.work_seconds.to_string()))
            .field("break_grown_bytes", load.map(|run| run.break_grown_bytes))
            .field("oom_kill", after.oom_kill)
            .field("peak_usage_bytes", after.peak_usage_bytes)
    };
    let all = results.parameters["locations"].as_u64().unwrap_or(0);
    let runs = (1..).zip(&arm.loads.runs).map(|(number, run)| {
        let contexts = [all, run.locations];
        row("load", number, contexts, &run.ending, &run.limit, Some(run))
    });
    let probes = arm.reload.iter().flat_map(|reload| &reload.probes);
    let probes = (1..).zip(probes).map(|(number, probe)| {
        let contexts = [probe.locations, probe.loaded];
        row("reload", number, contexts, &probe.ending, &probe.limit, None)
    });
    runs.chain(probes).collect()
}

fn heading(results: &OomResults) -> Vec<Part> {
    let number = |name: &str| results.parameters[name].as_u64().unwrap_or(0);
    let asked_for = format!(
        "budget {} by {}, at most {} locations",
        Bytes(number("budget_bytes")),
        results.parameters["limit"].as_str().unwrap_or_default(),
        thousands(number("locations")),
    );
    experiment_heading(results, loads(results), &asked_for)
}

fn comparison(results: &OomResults) -> Part {
    if results.comparison.is_empty() {
        return no_comparison();
    }
    let columns = [
        Column::Left("median of the runs"),
        Column::Right(CONTROL),
        Column::Right(HOLE),
        Column::Right(SHARED),
        Column::Right("hole/control"),
    ];
    let cells = |row: &OomRow| {
        let figure = |arm: &str| {
            let least = if row.is_least(arm) { "≥ " } else { "" };
            format!("{least}{}", in_unit(row.arms[arm], row.unit))
        };
        let ratio = row.ratio.map(|ratio| format!("{ratio:.3}"));
        [
            row.title.clone(),
            figure(CONTROL),
            figure(HOLE),
            figure(SHARED),
            ratio.unwrap_or_else(|| NONE.to_owned()),
        ]
    };
    Part::table(&columns, results.comparison.iter().map(cells))
}

/// How the runs of an arm ended: a line for its last one, which stands for all.
fn endings(arm: &OomArm) -> Option<String> {
    let run = arm.loads.runs.last()?;
    let mut line = format!(
        "{}: {} (pid {}, {}, {}); the break grew by {}",
        arm.loads.name,
        ending(&run.ending, run.locations),
        run.process.pid,
        run.process.comm,
        run.process.status,
        Bytes(run.break_grown_bytes),
    );
    if let LimitInForce::Cgroup { before, after, .. } = &run.limit {
        let _ = write!(line, "; {}", counters(before, after));
    }
    if let RunEnd::OomKilled { kernel_log: Some(words) } = &run.ending {
        let _ = write!(line, "; the kernel: \"{words}\"");
    }
    Some(line)
}

fn ending(ending: &RunEnd, locations: u64) -> String {
    let locations = counted(locations, "location", "locations");
    match ending {
        RunEnd::Done => format!("alive at the end, with {locations}"),
        RunEnd::OomKilled { .. } => format!("killed by the OOM killer after {locations}"),
        RunEnd::Signalled { signal } => {
            format!("ended by signal {signal} after {locations}, not by the OOM killer")
        }
        RunEnd::AllocationFailed { error, data_bytes } => format!(
            "an allocation failed after {locations}, with {} of data: {error}",
            data_bytes
                .map_or_else(|| "an unknown amount".to_owned(), |data| Bytes(data).to_string())
        ),
    }
}

fn counters(before: &CgroupCounters, after: &CgroupCounters) -> String {
    let mut said = Vec::new();
    for (name, before, after) in [
        ("oom_kill", before.oom_kill, after.oom_kill),
        ("oom", before.oom, after.oom),
        ("limit met", before.limit_met, after.limit_met),
    ] {
        if let (Some(before), Some(after)) = (before, after) {
            said.push(format!("{name} {} → {}", thousands(before), thousands(after)));
        }
    }
    if let Some(peak) = after.peak_usage_bytes {
        said.push(format!("peak usage {}", Bytes(peak)));
    }
    format!("its cgroup's counters: {}", said.join(", "))
}

fn reloads(arm: &OomArm) -> Option<String> {
    let reload = arm.reload.as_ref()?;
    let tried: Vec<String> = reload
        .probes
        .iter()
        .map(|probe| match probe.ending {
            RunEnd::Done => format!("{} lived", thousands(probe.locations)),
            _ => format!(
                "{} ended at {} of {} contexts",
                thousands(probe.locations),
                thousands(probe.loaded),
                thousands(2 * probe.locations)
            ),
        })
        .collect();
    Some(format!("{}, reloads: {}", arm.loads.name, tried.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use heap_meter::report::{COLUMNS, fit};

    #[test]
    fn the_recorded_runs_are_printed_as_they_were() {
        for (json, printed) in [
            (include_str!("../../../runs/oom.json"), include_str!("../../../runs/oom.txt")),
            (
                include_str!("../../../runs/oom-rlimit.json"),
                include_str!("../../../runs/oom-rlimit.txt"),
            ),
        ] {
            let results: OomResults = serde_json::from_str(json).unwrap();
            assert_eq!(fit(&results.table().to_string(), COLUMNS), printed);
        }
    }
}
