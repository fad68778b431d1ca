//! What the figures mean: one per arm, and the findings that follow.

use super::results::{
    COST, FIT, LimitInForce, LoadRun, OomArm, OomResults, RunEnd, arm, budget, loads, row,
};
use crate::arm::{CONTROL, HOLE, SHARED};
use crate::judge::{PARSE_ONCE, bytes, control_met};
use heap_diagnosis::{Finding, Severity};
use human_text::{counted, thousands};

/// Numbers of locations that differ by less are called equal.
const EQUAL_WITHIN: f64 = 0.05;

/// Of what a control's contexts take, its break brings at least so much, unless it is stopped.
const BREAK_SHARE: f64 = 0.8;

/// Of less than that no share is told: other things than contexts take memory too.
const LEAST_HEAP_BYTES: f64 = (16 << 20) as f64;

pub(super) fn findings(results: &OomResults) -> Vec<Finding> {
    [
        unexpected(results),
        not_the_hole(results),
        parsed_once(results),
        reload_needs_twice(results),
        not_a_kill(results),
        break_blocked(results),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// How many locations fit in each arm, in a line.
pub(super) fn answer(results: &OomResults) -> Option<String> {
    let fit = row(results, FIT)?;
    let [free, blocked, shared] = [CONTROL, HOLE, SHARED].map(|arm| {
        let least = if fit.is_least(arm) { "at least " } else { "" };
        format!("{least}{}", count(fit.arms[arm]))
    });
    let differ = match (fit.ratio? - 1.0).abs() <= EQUAL_WITHIN {
        true => "no difference",
        false => "the hole matters",
    };
    let runs = loads(results).map(|arm| arm.runs.len()).min()?;
    Some(format!(
        "{differ}: {blocked} locations fit {} blocked, {free} free and {shared} shared ({})",
        bytes(budget(results)),
        counted(runs as u64, "run each", "runs each"),
    ))
}

fn count(value: f64) -> String {
    thousands(value.round().max(0.0) as u64)
}

/// How the runs of an arm met their budget, if all of them did in one way.
fn met(arm: &OomArm) -> Option<&'static str> {
    let mut ways = arm.loads.runs.iter().map(|run| match run.ending {
        RunEnd::OomKilled { .. } => Some("the OOM killer came"),
        RunEnd::AllocationFailed { .. } => Some("OpenSSL's allocation failed"),
        _ => None,
    });
    let first = ways.next()??;
    ways.all(|way| way == Some(first)).then_some(first)
}

/// The hole, or the number of locations?
fn not_the_hole(results: &OomResults) -> Option<Finding> {
    let fit = row(results, FIT)?;
    let cost = row(results, COST)?;
    let how = met(arm(results, CONTROL)?)?;
    met(arm(results, HOLE)?)?;
    let (control, hole, ratio) = (fit.arms[CONTROL], fit.arms[HOLE], fit.ratio?);
    let apart = (ratio - 1.0).abs();
    let arithmetic = budget(results) / cost.arms[CONTROL];
    let figures = format!(
        "In {} {how} after {} locations with the break free and after {} with it blocked, {:.1} % \
         apart; {} by what a location costs, {}",
        bytes(budget(results)),
        count(control),
        count(hole),
        100.0 * apart,
        count(arithmetic),
        bytes(cost.arms[CONTROL]),
    );
    let (kind, so) = match apart <= EQUAL_WITHIN {
        true => ("not-the-hole", " The parses bring the end, not the hole."),
        false => ("hole-matters", ""),
    };
    let finding = Finding::new(kind, Severity::Critical, format!("{figures}.{so}"))
        .evidence("control_locations", control)
        .evidence("hole_locations", hole)
        .evidence("budget_over_cost", arithmetic)
        .remedy(PARSE_ONCE);
    Some(finding)
}

/// What the cure does to the number.
fn parsed_once(results: &OomResults) -> Option<Finding> {
    let fit = row(results, FIT)?;
    let cost = row(results, COST)?;
    let (control, shared) = (fit.arms[CONTROL], fit.arms[SHARED]);
    let all = fit.is_least(SHARED);
    let fitted = match all {
        true => format!("all {} locations fit", count(shared)),
        false => format!("{} locations fit", count(shared)),
    };
    let otherwise = match fit.is_least(CONTROL) {
        true => "as they do otherwise".to_owned(),
        false => format!("instead of {}", count(control)),
    };
    let message = format!(
        "Parsed once and shared, {fitted} {} ({} each), {otherwise} ({} each).",
        bytes(budget(results)),
        bytes(cost.arms[SHARED]),
        bytes(cost.arms[CONTROL]),
    );
    let finding = Finding::new("parsed-once", Severity::Info, message)
        .evidence("control_locations", control)
        .evidence("shared_locations", shared)
        .evidence("shared_reached_all", all);
    Some(finding)
}

/// A configuration that starts isn't one that reloads.
fn reload_needs_twice(results: &OomResults) -> Option<Finding> {
    let fit = row(results, FIT)?;
    let reload = arm(results, CONTROL)?.reload.as_ref()?;
    let fails = reload.fails_locations?;
    let starts = fit.arms[CONTROL];
    if fails as f64 > starts {
        return None;
    }
    let others = [HOLE, SHARED].map(|name| {
        let reload = arm(results, name)?.reload.as_ref()?;
        let least = match reload.fails_locations {
            None => "at least ",
            Some(_) => "",
        };
        Some(format!("{name}: {least}{}", thousands(reload.survives_locations)))
    });
    let others: Vec<String> = others.into_iter().flatten().collect();
    let others = match others.is_empty() {
        true => String::new(),
        false => format!(" ({})", others.join(", ")),
    };
    let message = format!(
        "A configuration that starts isn't one that reloads: {} locations start, but at a reload old \
         and new ones are alive together, and {} survive it{others}; with {} it ends.",
        count(starts),
        thousands(reload.survives_locations),
        thousands(fails),
    );
    let finding = Finding::new("starts-but-does-not-reload", Severity::Critical, message)
        .evidence("starts", starts)
        .evidence("survives", reload.survives_locations)
        .evidence("fails", fails)
        .remedy("Plan for twice the memory of one configuration.");
    Some(finding)
}

/// What the limit was, if it was no cgroup's.
fn not_a_kill(results: &OomResults) -> Option<Finding> {
    let mut runs = loads(results).flat_map(|arm| &arm.runs);
    let failed = runs.find_map(|run| match (&run.limit, &run.ending) {
        (LimitInForce::Rlimit { .. }, RunEnd::AllocationFailed { error, .. }) => Some(error),
        _ => None,
    })?;
    let message = format!(
        "This was RLIMIT_DATA, not the OOM killer: the limit refuses memory, nothing is killed, and \
         the process was alive to say \"{failed}\". Since Linux 4.7 this limit counts the break and \
         every private writable mapping, so that malloc's fallback fails with its brk."
    );
    let finding = Finding::new("allocation-failure", Severity::Warning, message);
    Some(finding.evidence("error", failed.as_str()))
}

/// Whether the break did what the arms say.
fn break_blocked(results: &OomResults) -> Option<Finding> {
    let grown = |name: &str| arm(results, name)?.median(|run| Some(run.break_grown_bytes as f64));
    let (control, hole) = (grown(CONTROL)?, grown(HOLE)?);
    let stopped = |run: &&LoadRun| {
        let heap = run.bytes_per_location.unwrap_or(0.0) * run.locations as f64;
        heap > LEAST_HEAP_BYTES && (run.break_grown_bytes as f64) < BREAK_SHARE * heap
    };
    let runs = &arm(results, CONTROL)?.loads.runs;
    let met = match runs.iter().filter(stopped).count() {
        0 => String::new(),
        stopped => format!("; {}", control_met(stopped, runs.len())),
    };
    let message = format!(
        "The control's break grew by {}, the hole's by {}: there malloc took all of it by mmap{met}.",
        bytes(control),
        bytes(hole)
    );
    let finding = Finding::new("break-blocked", Severity::Info, message)
        .evidence("control_bytes", control)
        .evidence("hole_bytes", hole);
    Some(finding)
}

/// Ends that are neither.
fn unexpected(results: &OomResults) -> Option<Finding> {
    let ends: Vec<String> = loads(results)
        .flat_map(|arm| arm.runs.iter().map(move |run| (&arm.name, run)))
        .filter_map(|(name, run)| match run.ending {
            RunEnd::Signalled { signal } => Some(format!("{name}: signal {signal}")),
            _ => None,
        })
        .collect();
    if ends.is_empty() {
        return None;
    }
    let message = format!(
        "Some runs were ended by a signal that the OOM killer has nothing to do with, since the \
         cgroup's count of OOM kills didn't move: {}.",
        ends.join(", ")
    );
    Some(Finding::new("ended-otherwise", Severity::Warning, message))
}
