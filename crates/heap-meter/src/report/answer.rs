//! What an experiment answers, in a line: whether other arms take or keep other memory than the
//! control.

use super::text::plain;
use crate::experiment::{Comparison, Results};
use human_text::{Bytes, counted};

/// Memory that differs by less is called equal, …
const EQUAL_WITHIN: f64 = 0.02;

/// … and by less than that as well.
const EQUAL_WITHIN_BYTES: f64 = (1 << 20) as f64;

/// Of a run with an interval at least so many are needed.
const FOR_AN_INTERVAL: usize = 3;

/// The answer; `None` where no memory was compared.
pub(super) fn answer(results: &Results) -> Option<String> {
    let (control, others) = results.arms.split_first()?;
    let command = results.parameters.get("command").map(plain);
    let program = command.as_deref().and_then(|line| line.split(' ').next()?.rsplit('/').next());
    let program = program.unwrap_or(&results.experiment);
    let (free, blocked) = (named(&control.name), others.first().map(|arm| named(&arm.name))?);
    let is_found = |kind: &str| results.findings.iter().any(|finding| finding.kind == kind);
    let said = if is_found("blocked-anyway") {
        format!("no answer: the break of {program} was refused as {free} as it was {blocked}")
    } else {
        let each = others.iter().map(|arm| {
            let of_arm = results.comparison.iter().filter(|row| row.other_name() == arm.name);
            beside_control(program, free, named(&arm.name), &of_arm.collect::<Vec<_>>())
        });
        each.collect::<Option<Vec<_>>>()?.join("; ")
    };
    let runs = results.arms.iter().map(|arm| arm.runs.len());
    let (least, most) = (runs.clone().min()?, runs.max()?);
    let mut ran = match least == most {
        true => counted(least as u64, "run each", "runs each"),
        false => format!("{least} to {most} runs each"),
    };
    if least < FOR_AN_INTERVAL {
        ran.push_str(", too few to be sure");
    }
    let mut runs = results.arms.iter().flat_map(|arm| &arm.runs);
    let failed = runs.find_map(|run| run.facts.get("exit").filter(|exit| *exit != "code 0"));
    if let Some(exit) = failed {
        ran.push_str(&format!(", ended with {exit}"));
    }
    Some(format!("{said} ({ran})"))
}

/// What the break is in the arms that have a hole and none.
fn named(arm: &str) -> &str {
    match arm {
        "control" => "free",
        "hole" => "blocked",
        other => other,
    }
}

fn beside_control(program: &str, control: &str, arm: &str, rows: &[&Comparison]) -> Option<String> {
    let of =
        |metrics: &[&str]| rows.iter().copied().find(|row| metrics.contains(&row.metric.as_str()));
    let (peak, end) = (of(&["peak_rss"]), of(&["rss_at_end", "rss_after_free"]));
    let (peak_more, end_more) = (peak.map_or(0.0, more), end.map_or(0.0, more));
    // What was taken and freed in the control alone was kept; what only the other arm took wasn't.
    let is_kept = end_more != 0.0 && peak_more.abs() < end_more.abs() / 2.0;
    let (row, verb, when) = match (peak, end) {
        (_, Some(end)) if is_kept => (end, "kept", "at the end"),
        (Some(peak), _) => (peak, "took", "at the peak"),
        (None, end) => (end?, "kept", "at the end"),
    };
    let [here, there] = [row.other(), row.control].map(|bytes| Bytes(bytes as u64));
    let than = match more(row) {
        0.0 => {
            let sure = if is_much(row) { "sure difference" } else { "difference" };
            return Some(format!("no {sure}: {program} {verb} {here} {arm} and {there} {control}"));
        }
        more if more < 0.0 => "less",
        _ => "more",
    };
    let differ = Bytes(more(row).abs() as u64);
    Some(format!(
        "{arm}: {program} {verb} {differ} {than} than {control}, {here} {when} instead of {there}"
    ))
}

/// By how many bytes the other arm has more than the control; 0 where they are equal, as far as the
/// runs tell.
fn more(row: &Comparison) -> f64 {
    let is_sure = row.ratio_ci95.is_none_or(|[least, most]| !(least..=most).contains(&1.0));
    if is_sure && is_much(row) { row.other() - row.control } else { 0.0 }
}

fn is_much(row: &Comparison) -> bool {
    let more = row.other() - row.control;
    more.abs() >= EQUAL_WITHIN_BYTES.max(EQUAL_WITHIN * row.control)
}
