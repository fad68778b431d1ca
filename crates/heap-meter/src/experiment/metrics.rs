//! Metrics that any experiment may compare.

use super::comparison::Metric;
use super::results::{Run, Unit};
use super::whole_run::{END, GREATEST_PEAK};

/// `wall_seconds`: the time of the work.
pub fn wall_seconds() -> Metric {
    Metric::new("wall_seconds", "time", Unit::Seconds, |run| Some(run.wall_seconds))
}

/// `peak_rss`: [`Run::peak_rss_bytes`].
pub fn peak_rss() -> Metric {
    Metric::new("peak_rss", "peak memory", Unit::Bytes, |run| Some(run.peak_rss_bytes()? as f64))
}

/// Resident memory at the checkpoint `label`, in bytes.
pub fn rss_at(name: &str, title: &str, label: &str) -> Metric {
    let label = label.to_owned();
    Metric::new(name, title, Unit::Bytes, move |run| {
        Some(run.checkpoint(&label)?.snapshot.rss_bytes as f64)
    })
}

/// What malloc_trim(3) gives back: `returnable_before_trim`, as it was read from outside at the
/// examined checkpoint `freed`, and `given_back_by_trim`, the resident memory that went between
/// `freed` and `trimmed`.
pub fn trim(freed: &str, trimmed: &str) -> Vec<Metric> {
    let (at, before, after) = (freed.to_owned(), freed.to_owned(), trimmed.to_owned());
    vec![
        Metric::new("returnable_before_trim", "malloc_trim: predicted", Unit::Bytes, move |run| {
            Some(run.checkpoint(&at)?.returnable_bytes()? as f64)
        }),
        Metric::new("given_back_by_trim", "malloc_trim: given back", Unit::Bytes, move |run| {
            let rss = |label: &str| Some(run.checkpoint(label)?.snapshot.rss_bytes as f64);
            Some(rss(&before)? - rss(&after)?)
        }),
    ]
}

/// What malloc asked of the kernel in the traced run: `brk_calls`, of these `brk_to_grow` and
/// `brk_to_shrink` (the rest asks where the break is), `brk_refused`, `fallbacks` and
/// `fallback_bytes`.
pub fn malloc() -> Vec<Metric> {
    vec![
        Metric::new("brk_calls", "brk calls", Unit::Count, |run| {
            Some(run.syscall("brk")?.calls as f64)
        }),
        Metric::new("brk_to_grow", "brk calls to grow", Unit::Count, |run| {
            Some(run.break_moves.as_ref()?.to_grow as f64)
        }),
        Metric::new("brk_to_shrink", "brk calls to shrink", Unit::Count, |run| {
            Some(run.break_moves.as_ref()?.to_shrink as f64)
        }),
        Metric::new("brk_refused", "refused brk calls", Unit::Count, |run| {
            Some(run.syscall("brk")?.failed as f64)
        }),
        Metric::new("fallbacks", "fallback mmaps", Unit::Count, |run| {
            Some(run.fallback.as_ref()?.count() as f64)
        }),
        Metric::new("fallback_bytes", "mapped by fallbacks", Unit::Bytes, |run| {
            Some(run.fallback.as_ref()?.bytes() as f64)
        }),
    ]
}

/// What runs of any command have ([`Experiment::run_commands`](super::Experiment::run_commands)):
/// time, the launched process's peak, `greatest_peak_rss` of all processes, `rss_at_end`, and
/// [`malloc`].
pub fn of_commands() -> Vec<Metric> {
    let greatest = |run: &Run| run.facts.get(GREATEST_PEAK)?.parse().ok();
    let mut metrics = vec![
        wall_seconds(),
        peak_rss(),
        Metric::new(
            "greatest_peak_rss",
            "peak memory of the greatest process",
            Unit::Bytes,
            greatest,
        ),
        rss_at("rss_at_end", "memory at the end", END),
    ];
    metrics.extend(malloc());
    metrics
}
