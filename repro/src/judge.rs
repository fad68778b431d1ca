//! What the figures of a run mean: metrics that chapters share, and the findings that follow.

use crate::arm::{CONTROL, HOLE, SHARED};
use heap_diagnosis::{Finding, Severity};
use heap_meter::experiment::{ArmResults, Metric, Results, Run, Unit, metrics};
use heap_meter::statistics::median;
use human_text::{Bytes, Seconds, thousands};

/// Peaks that differ by less are called equal.
const EQUAL_WITHIN: f64 = 0.02;

/// What to do about many parses.
pub(crate) const PARSE_ONCE: &str =
    "Parse the bundle once and share it: nginx does from 1.27.2 on.";

/// Memory is called kept when the blocked arm holds so many times as much as the free one.
const KEPT_RATIO: f64 = 1.5;

/// … and when that is at least so much.
const KEPT_BYTES: f64 = (4 << 20) as f64;

/// Memory when all is held, when it is freed, when malloc was told to give it back, and its peak;
/// what malloc was to give back then, as it was predicted and as it came; and malloc's calls.
pub(crate) fn memory_metrics(held: &str, freed: &str, trimmed: &str) -> Vec<Metric> {
    let label = held.to_owned();
    let mut memory = vec![
        metrics::peak_rss(),
        metrics::rss_at("rss_after_free", "memory after free", freed),
        metrics::rss_at("rss_after_trim", "memory after malloc_trim", trimmed),
    ];
    memory.extend(metrics::trim(freed, trimmed));
    memory.push(Metric::new("address_space", "address space", Unit::Bytes, move |run| {
        Some(run.checkpoint(&label)?.snapshot.address_space_bytes as f64)
    }));
    memory.extend(metrics::malloc());
    memory
}

fn rss(run: &Run, label: &str) -> Option<f64> {
    Some(run.checkpoint(label)?.snapshot.rss_bytes as f64)
}

fn median_of(arm: &ArmResults, value: impl Fn(&Run) -> Option<f64>) -> Option<f64> {
    median(&arm.runs.iter().filter_map(value).collect::<Vec<_>>())
}

/// The medians of the control and of the blocked arm.
fn both(results: &Results, value: impl Fn(&Run) -> Option<f64>) -> Option<(f64, f64)> {
    let control = median_of(results.arm(CONTROL)?, &value)?;
    let hole = median_of(results.arm(HOLE)?, &value)?;
    Some((control, hole))
}

pub(crate) fn bytes(value: f64) -> Bytes {
    Bytes(value.max(0.0).round() as u64)
}

/// A change as people read it: `+1.2 %`, and never `-0.0 %`.
fn percent(change: f64) -> String {
    match (1000.0 * change).round() / 10.0 {
        0.0 => "less than 0.05 %".to_owned(),
        percent => format!("{percent:+.1} %"),
    }
}

/// Whether the parses or the hole made it big.
pub(crate) fn many_parses(
    results: &Results,
    locations: u64,
    growth: impl Fn(&Run) -> Option<f64>,
) -> Option<Finding> {
    let (grown, _) = both(results, &growth)?;
    let (peak, hole_peak) = both(results, |run| Some(run.peak_rss_bytes()? as f64))?;
    let change = hole_peak / peak - 1.0;
    let parses = format!(
        "{} parses of the same bundle brought {} of the {} at the peak, {} each",
        thousands(locations),
        bytes(grown),
        bytes(peak),
        bytes(grown / locations as f64),
    );
    let so = match change.abs() <= EQUAL_WITHIN {
        true => ". The parses made it big, not the hole.".to_owned(),
        false => format!(", to {}.", bytes(hole_peak)),
    };
    let changed = percent(change);
    let message = format!("{parses}; blocking the break changed the peak by {changed}{so}");
    let finding = Finding::new("repeated-file", Severity::Warning, message)
        .evidence("parses", locations)
        .evidence("grown_bytes", grown)
        .evidence("peak_ratio", hole_peak / peak)
        .remedy(PARSE_ONCE);
    Some(finding)
}

/// What parsing the bundle once spares.
pub(crate) fn parsed_once(
    results: &Results,
    growth: impl Fn(&Run) -> Option<f64>,
    loaded: &str,
) -> Option<Finding> {
    let (control, shared) = (results.arm(CONTROL)?, results.arm(SHARED)?);
    let seconds = |run: &Run| Some(run.checkpoint(loaded)?.worked_seconds);
    let (parsed, once) = (median_of(control, &growth)?, median_of(shared, &growth)?);
    let (slow, fast) = (median_of(control, seconds)?, median_of(shared, seconds)?);
    let message = format!(
        "Parsed once and shared, the same contexts took {} instead of {}, and {} instead of {}.",
        bytes(once),
        bytes(parsed),
        Seconds(fast),
        Seconds(slow)
    );
    let finding = Finding::new("parsed-once", Severity::Info, message)
        .evidence("control_bytes", parsed)
        .evidence("shared_bytes", once)
        .evidence("control_seconds", slow)
        .evidence("shared_seconds", fast)
        .remedy(
            "Preload libtrusted_ca_preload.so into programs that can't be changed; nginx shares \
             from 1.27.2 on.",
        );
    Some(finding)
}

/// What the hole did to malloc's way of growing, and whether the control was free of it.
pub(crate) fn break_blocked(results: &Results) -> Option<Finding> {
    let refused = |run: &Run| Some(run.syscall("brk")?.failed as f64);
    let fallbacks = |run: &Run| Some(run.fallback.as_ref()?.count() as f64);
    let (_, hole_refused) = both(results, refused)?;
    let (_, hole_fallbacks) = both(results, fallbacks)?;
    let count = |value: f64| thousands(value as u64);
    let control_runs = &results.arm(CONTROL)?.runs;
    let blocked = |run: &&Run| {
        run.facts.contains_key("blocked_by") || refused(run).is_some_and(|refused| refused > 0.0)
    };
    let control_blocked = control_runs.iter().filter(blocked).count();
    let control = match control_blocked {
        0 => "the control had none".to_owned(),
        blocked => control_met(blocked, control_runs.len()),
    };
    let message = format!(
        "With the hole the kernel refused {} brk calls, and malloc made {} fallback mmaps instead; \
         {control}.",
        count(hole_refused),
        count(hole_fallbacks)
    );
    let finding = Finding::new("break-blocked", Severity::Info, message)
        .evidence("hole_refused", hole_refused)
        .evidence("hole_fallbacks", hole_fallbacks)
        .evidence("control_runs_refused", control_blocked as u64);
    Some(finding)
}

/// That a control wasn't one to its end.
pub(crate) fn control_met(blocked: usize, runs: usize) -> String {
    format!(
        "in {blocked} of {runs} runs the control's break too met a mapping on its way, most likely \
         Lua's own memory"
    )
}

/// Whether freed memory stayed because the break is blocked.
pub(crate) fn memory_kept(
    results: &Results,
    held: &str,
    freed: &str,
    trimmed: &str,
) -> Option<Finding> {
    let (_, hole_held) = both(results, |run| rss(run, held))?;
    let (control, hole) = both(results, |run| rss(run, freed))?;
    let (control_trimmed, hole_trimmed) = both(results, |run| rss(run, trimmed))?;
    let figures = format!(
        "After everything was freed the control held {}, the hole arm {} of its {}; after \
         malloc_trim {} and {}.",
        bytes(control),
        bytes(hole),
        bytes(hole_held),
        bytes(control_trimmed),
        bytes(hole_trimmed)
    );
    let kept = hole > KEPT_RATIO * control && hole - control > KEPT_BYTES;
    let finding = if kept {
        let so = "A blocked break keeps malloc from giving memory back by itself.";
        Finding::new("memory-kept", Severity::Warning, format!("{figures} {so}"))
            .remedy("Unblock the break, or call malloc_trim(3) after freeing much.")
    } else {
        let so = "Here the hole made little difference to what free gives back.";
        Finding::new("memory-kept-alike", Severity::Info, format!("{figures} {so}"))
    };
    let finding = finding
        .evidence("control_bytes", control)
        .evidence("hole_bytes", hole)
        .evidence("control_trimmed_bytes", control_trimmed)
        .evidence("hole_trimmed_bytes", hole_trimmed);
    Some(finding)
}

/// What a reload leaves behind.
pub(crate) fn reload_keeps(
    results: &Results,
    started: &str,
    reloaded: &str,
    trimmed: &str,
) -> Option<Finding> {
    let (control_start, hole_start) = both(results, |run| rss(run, started))?;
    let (control, hole) = both(results, |run| rss(run, reloaded))?;
    let (control_trimmed, hole_trimmed) = both(results, |run| rss(run, trimmed))?;
    let message = format!(
        "One configuration takes {} in the control and {} with the hole; after the last reload, the \
         old one freed, it is {} and {}, after malloc_trim {} and {}.",
        bytes(control_start),
        bytes(hole_start),
        bytes(control),
        bytes(hole),
        bytes(control_trimmed),
        bytes(hole_trimmed)
    );
    let finding = Finding::new("reload-keeps-memory", Severity::Warning, message)
        .evidence("control_started_bytes", control_start)
        .evidence("control_reloaded_bytes", control)
        .evidence("control_trimmed_bytes", control_trimmed)
        .evidence("hole_started_bytes", hole_start)
        .evidence("hole_reloaded_bytes", hole)
        .evidence("hole_trimmed_bytes", hole_trimmed);
    Some(finding)
}
