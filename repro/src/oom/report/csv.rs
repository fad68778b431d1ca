//! A row per run and per reload that was tried, for spreadsheets.

use crate::memory_limit::Evidence;
use crate::oom::results::{Ending, LimitInForce, Results};
use std::fmt::Write;

/// The results as CSV with a header. What isn't known is an empty field; none needs quotes.
pub(in crate::oom) fn csv(results: &Results) -> String {
    let mut text = String::from(
        "experiment,arm,work,run,locations,loaded,ending,bytes_per_location,work_seconds,\
         break_grown_bytes,oom_kill,peak_usage_bytes\n",
    );
    for arm in &results.arms {
        for (index, run) in arm.runs.iter().enumerate() {
            let cost = run
                .bytes_per_location
                .map_or_else(String::new, |cost| cost.to_string());
            let _ = writeln!(
                text,
                "{},{},load,{},{},{},{},{cost},{},{},{}",
                results.experiment,
                arm.name,
                index + 1,
                results.parameters["locations"],
                run.locations,
                kind(&run.ending),
                run.work_seconds,
                run.break_grown_bytes,
                after(&run.limit)
            );
        }
        let probes = arm.reload.iter().flat_map(|reload| &reload.probes);
        for (index, probe) in probes.enumerate() {
            let _ = writeln!(
                text,
                "{},{},reload,{},{},{},{},,,,{}",
                results.experiment,
                arm.name,
                index + 1,
                probe.locations,
                probe.loaded,
                kind(&probe.ending),
                after(&probe.limit)
            );
        }
    }
    text
}

fn kind(ending: &Ending) -> &'static str {
    match ending {
        Ending::Done => "done",
        Ending::OomKilled { .. } => "oom-killed",
        Ending::Signalled { .. } => "signalled",
        Ending::AllocationFailed { .. } => "allocation-failed",
    }
}

/// The last two columns.
fn after(limit: &LimitInForce) -> String {
    let evidence = match limit {
        LimitInForce::Cgroup { after, .. } => *after,
        LimitInForce::Rlimit { .. } => Evidence::default(),
    };
    let known = |figure: Option<u64>| figure.map_or_else(String::new, |figure| figure.to_string());
    format!(
        "{},{}",
        known(evidence.oom_kill),
        known(evidence.peak_usage_bytes)
    )
}
