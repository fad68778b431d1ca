//! The table for people.

use super::Report;
use super::measured::Run;
use super::verdict;
use heap_meter::units::Bytes;
use std::fmt::Write;

const HEADING: &str = "\
                                               furthest of the runs
release       glibc  program                  predicted  given back  difference
";

/// A line for each program in each place, the faults, and the notes.
pub fn of(reports: &[Report], notes: &[String]) -> String {
    let mut text = HEADING.to_owned();
    for report in reports {
        for measured in &report.works {
            if let Some(run) = measured.worst() {
                row(&mut text, report, measured.work.name, run);
            }
        }
    }
    for report in reports {
        for fault in &report.faults {
            line(&mut text, format_args!("\nWRONG {}: {fault}", report.place));
        }
    }
    for note in notes {
        line(&mut text, format_args!("\n{note}"));
    }
    text
}

fn row(text: &mut String, report: &Report, name: &str, run: &Run) {
    let predicted = match run.predicted_bytes() {
        Some(bytes) => Bytes(bytes).to_string(),
        None => "unknown".to_owned(),
    };
    let difference = match run.difference_bytes() {
        Some(bytes) => signed(bytes),
        None => String::new(),
    };
    let given_back = signed(run.given_back_bytes());
    let verdict = verdict::word(run, report.is_released);
    line(
        text,
        format_args!(
            "{:<13} {:<6} {name:<22} {predicted:>11} {given_back:>11} {difference:>11}  {verdict}",
            report.place,
            report.version("glibc"),
        ),
    );
}

fn signed(bytes: i64) -> String {
    let sign = if bytes < 0 { "−" } else { "" };
    format!("{sign}{}", Bytes(bytes.unsigned_abs()))
}

fn line(text: &mut String, line: std::fmt::Arguments) {
    // A string takes whatever is written.
    let _ = writeln!(text, "{line}");
}
