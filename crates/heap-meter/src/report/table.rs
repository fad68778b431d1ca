//! An experiment as a table that a person understands at once.

use super::answer::answer;
use super::part::{Part, Sections};
use super::text::{Column, NONE, in_unit, plain, ratio, sizes};
use crate::experiment::{ArmResults, Comparison, Results, Run};
use crate::statistics::{RatioOfMedians, median};
use human_text::{Seconds, thousands};
use std::fmt::Write;

/// The results: the answer, what ran, what follows; each metric in each arm, the fallback's sizes, what
/// observing cost; and what was not done.
pub fn experiment_table(results: &Results) -> Sections {
    let below = fallbacks(results).chain([observer(results)]).collect();
    let tables = vec![vec![comparison(results)], below];
    experiment_sections(results, &results.arms, answer(results), heading(results), tables)
}

/// The answer in a line, what ran, what follows, what matters most first, the tables on which it
/// stands, which runs don't count, and the notes.
pub fn experiment_sections<'a, A, C, R: 'a>(
    results: &Results<A, C>,
    arms: impl IntoIterator<Item = &'a ArmResults<R>>,
    answer: Option<String>,
    ran: Vec<Part>,
    tables: Vec<Vec<Part>>,
) -> Sections {
    let first = answer.map(Part::Heading).into_iter().chain(ran).collect();
    let mut findings = results.findings.clone();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let voids = arms.into_iter().filter_map(voids);
    let notes = voids.chain(results.notes.iter().cloned()).map(Part::Note);
    let mut sections = vec![first];
    sections.extend(findings.into_iter().map(|finding| vec![Part::Finding(finding)]));
    sections.extend(tables);
    sections.extend(notes.map(|note| vec![note]));
    Sections(sections)
}

fn heading(results: &Results) -> Vec<Part> {
    let parameters: Vec<String> =
        results.parameters.iter().map(|(name, value)| format!("{name} {}", plain(value))).collect();
    experiment_heading(results, &results.arms, &parameters.join(", "))
}

/// What ran, with these parameters, how often, and on what.
pub fn experiment_heading<'a, A, C, R: 'a>(
    results: &Results<A, C>,
    arms: impl IntoIterator<Item = &'a ArmResults<R>>,
    parameters: &str,
) -> Vec<Part> {
    let runs: Vec<String> =
        arms.into_iter().map(|arm| format!("{} {}", arm.runs.len(), arm.name)).collect();
    let environment = &results.environment;
    let mut surroundings: Vec<String> = Vec::new();
    if let Some(kernel) = &environment.kernel {
        surroundings.push(format!("Linux {kernel}"));
    }
    surroundings.extend(environment.libc.clone());
    surroundings.extend(
        ["openssl", "luajit"].iter().filter_map(|name| environment.extra.get(*name)).map(plain),
    );
    if let Some(bundle) = environment.extra.get("bundle") {
        surroundings.push(format!(
            "{} ({} certificates, {} bytes)",
            plain(&bundle["path"]),
            plain(&bundle["certificates"]),
            bundle["bytes"].as_u64().map_or_else(String::new, thousands),
        ));
    }
    let ran = format!("{}: {}; runs: {}", results.experiment, parameters, runs.join(", "));
    [ran, surroundings.join(" · ")].map(Part::Paragraph).into()
}

/// A row per metric; columns for the control, and for each other arm its figure and its ratio.
fn comparison(results: &Results) -> Part {
    let (Some((control, others)), false) =
        (results.arms.split_first(), results.comparison.is_empty())
    else {
        return no_comparison();
    };
    let ratios: Vec<String> =
        others.iter().map(|arm| format!("{}/{}", arm.name, control.name)).collect();
    let mut columns = vec![Column::Left("median of the runs"), Column::Right(&control.name)];
    for (arm, ratio) in others.iter().zip(&ratios) {
        columns.extend([&arm.name, ratio, "95 %"].map(Column::Right));
    }
    let none = || NONE.to_owned();
    let cells = |of_metric: Vec<&Comparison>| {
        let first = of_metric[0];
        let mut cells = vec![first.title.clone(), in_unit(first.control, first.unit)];
        for row in of_metric {
            let interval = row.ratio_ci95.map(|ends| ends.map(ratio).join("–"));
            cells.push(in_unit(row.other(), row.unit));
            cells.push(row.ratio.map_or_else(none, ratio));
            cells.push(interval.unwrap_or_else(none));
        }
        cells
    };
    let rows = by_metric(&results.comparison).into_iter().map(cells);
    Part::table(&columns, rows)
}

/// In the place of a table.
pub fn no_comparison() -> Part {
    Part::Paragraph("no comparison: not every arm has a run that counts".to_owned())
}

/// The comparisons of one metric together, in the order in which metrics first appear.
fn by_metric(comparisons: &[Comparison]) -> Vec<Vec<&Comparison>> {
    let mut rows: Vec<Vec<&Comparison>> = Vec::new();
    for comparison in comparisons {
        match rows.iter_mut().find(|row| row[0].metric == comparison.metric) {
            Some(row) => row.push(comparison),
            None => rows.push(vec![comparison]),
        }
    }
    rows
}

/// The sizes of the fallback's mmaps, a paragraph for each arm that had any.
fn fallbacks(results: &Results) -> impl Iterator<Item = Part> {
    results.arms.iter().filter_map(|arm| {
        let fallback = last_traced(arm)?.fallback.as_ref()?;
        let line = || format!("fallback mmaps with {}: {}", arm.name, sizes(fallback));
        (fallback.count() > 0).then(|| Part::Paragraph(line()))
    })
}

fn last_traced(arm: &ArmResults) -> Option<&Run> {
    arm.runs.iter().rev().find(|run| run.traced.is_some())
}

/// Times of the untraced and the traced runs, each as a multiple of what its arm takes untraced:
/// one arm may take a hundred times as long as another.
fn in_units_of_their_arms(results: &Results) -> (Vec<f64>, Vec<f64>) {
    let (mut untraced, mut traced) = (Vec::new(), Vec::new());
    for arm in &results.arms {
        let seconds: Vec<f64> = arm.runs.iter().map(|run| run.wall_seconds).collect();
        let Some(unit) = median(&seconds) else {
            continue;
        };
        let watched = arm.runs.iter().filter_map(|run| run.traced);
        untraced.extend(seconds.iter().map(|seconds| seconds / unit));
        traced.extend(watched.map(|run| run.wall_seconds / unit));
    }
    (untraced, traced)
}

/// What tracing and weighing cost, as medians over all runs.
fn observer(results: &Results) -> Part {
    let runs: Vec<&Run> = results.arms.iter().flat_map(|arm| &arm.runs).collect();
    let weighing: Vec<f64> = runs.iter().map(|run| run.weighing_seconds).collect();
    let traced = runs.iter().filter_map(|run| run.traced);
    let stops: Vec<f64> = traced.map(|traced| traced.stops as f64).collect();
    let (untraced, traced) = in_units_of_their_arms(results);
    let slowdown = RatioOfMedians::of(&untraced, &traced);
    let mut text = String::from("observer: ");
    match (slowdown.ratio, median(&stops)) {
        (Some(slowed), Some(stops)) => {
            let _ = write!(
                text,
                "a traced run takes {} × the time of an untraced one (95 %: {}; {} stops; time and \
                 memory are from the untraced ones); ",
                ratio(slowed),
                slowdown.interval,
                thousands(stops as u64)
            );
        }
        _ => text.push_str("nothing was traced; "),
    }
    if let Some(weighing) = median(&weighing) {
        let _ = write!(text, "weighing paused each for {}, not counted", Seconds(weighing));
    }
    Part::Paragraph(text)
}

/// Runs that don't count, a line an arm: most often all for the same reason but for an address.
fn voids<R>(arm: &ArmResults<R>) -> Option<String> {
    let last = &arm.void_runs.last()?.reason;
    let name = &arm.name;
    Some(match arm.void_runs.len() {
        1 => format!("1 run of {name} doesn't count: {last}"),
        several => format!("{several} runs of {name} don't count, the last because: {last}"),
    })
}
