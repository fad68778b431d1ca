//! The table for people.

use super::Results;
use super::inspected::Looks;
use super::run::Run;
use heap_meter::statistics::{Interval, RatioOfMedians, median, quantile};
use heap_meter::units::{Seconds, thousands};
use std::fmt::Write;

const HEADING: &str = "\
malloc and free, 8 threads              alone   inspected   ratio    95 %
";

/// Throughput alone and inspected, and what the looks came to.
pub fn of(results: &Results) -> String {
    let mut text = HEADING.to_owned();
    for (name, of) in [
        (
            "in a second of processor time",
            Run::per_cpu_second as fn(&Run) -> f64,
        ),
        ("in a second on the clock", Run::per_wall_second),
    ] {
        let middle = |runs: &[Run]| {
            let values: Vec<f64> = runs.iter().map(of).collect();
            median(&values).map_or_else(String::new, |value| thousands(value as u64))
        };
        let ratio = results.ratio(of);
        line(
            &mut text,
            format_args!(
                "{name:<30} {:>14} {:>11}   {}",
                middle(&results.alone),
                middle(&results.inspected),
                told(&ratio)
            ),
        );
    }
    let looks = || {
        results
            .inspected
            .iter()
            .filter_map(|run| run.looks.as_ref())
    };
    let seconds: Vec<f64> = looks()
        .flat_map(|looks| looks.seconds.iter().copied())
        .collect();
    let count: u64 = looks().map(Looks::count).sum();
    let known: u64 = looks().map(|looks| looks.known).sum();
    line(
        &mut text,
        format_args!(
            "\n{} inspections in {} runs: {} told everything, {} did not",
            thousands(count),
            results.inspected.len(),
            thousands(known),
            thousands(count - known),
        ),
    );
    if let (Some(middle), Some(most)) = (median(&seconds), quantile(&seconds, 1.0)) {
        line(
            &mut text,
            format_args!(
                "one took {} (median), {} at most",
                Seconds(middle),
                Seconds(most)
            ),
        );
    }
    let cpu_seconds = looks().map(|looks| looks.cpu_seconds).sum::<Option<f64>>();
    if let (Some(cpu_seconds), 1..) = (cpu_seconds, count) {
        line(
            &mut text,
            format_args!(
                "and {} of processor time (mean), {} for all; the rest of it is waiting",
                Seconds(cpu_seconds / count as f64),
                Seconds(cpu_seconds)
            ),
        );
    }
    text
}

fn told(ratio: &RatioOfMedians) -> String {
    let interval = match ratio.interval {
        Interval::Known { low, high } => format!("{low:.3}–{high:.3}"),
        _ => "–".to_owned(),
    };
    let ratio = ratio
        .ratio
        .map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.3}"));
    format!("{ratio:<7}  {interval}")
}

fn line(text: &mut String, line: std::fmt::Arguments) {
    // A string takes whatever is written.
    let _ = writeln!(text, "{line}");
}
