//! What follows from the figures.

use super::flags::LuaCase;
use super::results::{CaseRow, LowMemoryResults, LuaRun, lua_bytes, rows, runs};
use crate::child::word;
use heap_diagnosis::{Finding, Severity};
use human_text::{Bytes, counted, thousands};

/// Runs of one set-up lie that far apart.
const EQUAL_UP_TO: f64 = 1.1;

pub(super) fn findings(results: &LowMemoryResults) -> Vec<Finding> {
    let mut findings = Vec::new();
    if results.comparison.is_empty() {
        return findings;
    }
    if runs(results).all(LuaRun::reached_most) {
        findings.push(no_purpose(results));
        return findings;
    }
    findings.extend(by_kind(results).into_iter().map(|rows| bought(&rows)));
    findings.extend(stopped_early(results));
    findings.extend(varying(results));
    findings
}

/// Where the hole bought most, in a line; `None` before both arms have a run of the same set-up.
pub(super) fn answer(results: &LowMemoryResults) -> Option<String> {
    let ratio = |row: &CaseRow| row.comparison.ratio.unwrap_or(1.0);
    let (case, row) = rows(results).max_by(|(_, a), (_, b)| ratio(a).total_cmp(&ratio(b)))?;
    let [free, blocked] =
        [row.comparison.control, row.comparison.other()].map(|got| Bytes(got as u64));
    let said = match ratio(row) {
        _ if runs(results).all(LuaRun::reached_most) => {
            format!(
                "no difference: Lua got {blocked} blocked and {free} free, and was stopped there"
            )
        }
        times if times < EQUAL_UP_TO => {
            format!("no difference: Lua got {blocked} blocked and {free} free with {case}")
        }
        times => format!(
            "blocked: Lua got up to {times:.2} times as much as free, {blocked} instead of {free} with {case}"
        ),
    };
    let least = results.arms.iter().map(|arm| lua_bytes(arm, case).count()).min()?;
    Some(format!("{said} ({})", counted(least as u64, "run each", "runs each")))
}

/// Rows of the same objects and the same order of VM and heap.
fn by_kind(results: &LowMemoryResults) -> Vec<Vec<(LuaCase, &CaseRow)>> {
    let mut kinds: Vec<Vec<(LuaCase, &CaseRow)>> = Vec::new();
    for (case, row) in rows(results) {
        match kinds.iter_mut().find(|rows| rows[0].0.is_like(&case)) {
            Some(rows) => rows.push((case, row)),
            None => kinds.push(vec![(case, row)]),
        }
    }
    kinds
}

/// What the hole bought, at each fill.
fn bought(rows: &[(LuaCase, &CaseRow)]) -> Finding {
    let (LuaCase { objects, vm, .. }, _) = rows[0];
    let each: Vec<String> = rows
        .iter()
        .map(|(case, row)| {
            format!(
                "{} instead of {} after {} MiB of C heap",
                mib(row.comparison.other()),
                mib(row.comparison.control),
                mib(case.fill_bytes as f64)
            )
        })
        .collect();
    let message = format!(
        "With the hole Lua got, in MiB of {} with the VM made {} the heap: {}.",
        word(&objects),
        word(&vm),
        each.join(", ")
    );
    let finding = Finding::new("low-memory-bought", Severity::Info, message)
        .evidence("objects", word(&objects))
        .evidence("vm", word(&vm));
    rows.iter().fold(finding, |finding, (case, row)| {
        finding.evidence(
            &format!("bytes_bought_fill_{}", case.fill_bytes >> 20),
            row.comparison.other() - row.comparison.control,
        )
    })
}

/// Runs that `--most` ended say only that Lua got at least that.
fn stopped_early(results: &LowMemoryResults) -> Option<Finding> {
    let stopped = runs(results).filter(|run| run.reached_most()).count() as u64;
    let message = format!(
        "{} of {} runs ended at --most with memory left: their figures are lower bounds.",
        thousands(stopped),
        thousands(runs(results).count() as u64)
    );
    let finding = Finding::new("stopped-early", Severity::Info, message)
        .evidence("runs", stopped)
        .remedy("Raise --most.");
    (stopped > 0).then_some(finding)
}

/// How far runs of the same set-up lie apart.
fn varying(results: &LowMemoryResults) -> Option<Finding> {
    let spreads = rows(results).flat_map(|(case, row)| {
        let arms = &results.arms;
        [(case, &*arms[0].name, row.control_range), (case, &*arms[1].name, row.hole_range)]
    });
    let repeated = |(case, arm, _): &(LuaCase, &str, [f64; 2])| {
        let arm = results.arms.iter().find(|found| found.name == *arm);
        arm.is_some_and(|arm| lua_bytes(arm, *case).count() > 1)
    };
    let (case, arm, [least, most]) = spreads
        .filter(repeated)
        .max_by(|(_, _, [a, b]), (_, _, [c, d])| (b - a).total_cmp(&(d - c)))?;
    let message = format!(
        "Runs of the same set-up lie up to {} apart ({arm}, {case}: {}–{} MiB), so that smaller \
         differences say nothing: when the GiB that MAP_32BIT asks for is full, LuaJIT tries \
         addresses below 2 GiB at random, and gives up after 30 misses.",
        Bytes((most - least) as u64),
        mib(least),
        mib(most)
    );
    let finding = Finding::new("identical-set-ups-vary", Severity::Info, message)
        .evidence("arm", arm)
        .evidence("case", case.metric())
        .evidence("least_bytes", least)
        .evidence("most_bytes", most)
        .evidence("spread_bytes", most - least);
    Some(finding)
}

/// No run met a limit.
fn no_purpose(results: &LowMemoryResults) -> Finding {
    let number = runs(results).count() as u64;
    let luajit = results.environment.extra.get("luajit");
    let luajit = luajit.and_then(|name| name.as_str()).unwrap_or("LuaJIT");
    let least = runs(results).map(|run| run.lua_bytes).min().unwrap_or(0);
    let is_gc64 = luajit.contains("64-bit");
    let limit = match is_gc64 {
        true => "The trick has lost its purpose: there is nothing to buy with it.",
        false => "Whether there is a limit above it wasn't tried.",
    };
    let message = format!(
        "{luajit}: in all {} runs, with the hole and without, Lua's objects reached {} and there was \
         memory left. {limit}",
        thousands(number),
        Bytes(least)
    );
    let finding = Finding::new("no-limit-met", Severity::Info, message)
        .evidence("runs", number)
        .evidence("least_bytes", least);
    match is_gc64 {
        true => finding,
        false => finding.remedy("Raise --most."),
    }
}

fn mib(bytes: f64) -> String {
    thousands((bytes / f64::from(1 << 20)).round() as u64)
}
