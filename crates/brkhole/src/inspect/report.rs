//! What was found, as the user asked for it.

use std::time::{SystemTime, UNIX_EPOCH};

use super::inspected::{Inspected, Survey};
use super::{csv, detail, openmetrics, summary};
use crate::cli::{InspectArguments, InspectFormat};

/// Rows of a table, and names in openmetrics, if nothing else is asked for.
const TOP: usize = 20;

/// The text. `is_stream` is for programs that read one after the other: one line of JSON each, and
/// in CSV no header but before the first.
///
/// # Errors
///
/// When a figure can't be written as JSON or CSV, which no survey yields.
pub(super) fn text(
    survey: &Survey,
    arguments: &InspectArguments,
    is_stream: bool,
    is_first: bool,
) -> anyhow::Result<String> {
    let all = survey.processes.len();
    let asked = &survey.processes[..all.min(arguments.top.unwrap_or(all))];
    let top = arguments.top.unwrap_or(TOP);
    Ok(match arguments.format {
        InspectFormat::Table if arguments.is_survey() => summary::survey_table(survey, top),
        InspectFormat::Table => named(asked),
        InspectFormat::Json if is_stream => serde_json::to_string(asked)? + "\n",
        InspectFormat::Json => serde_json::to_string_pretty(asked)? + "\n",
        InspectFormat::Csv => {
            let text = csv::text(asked, unix_seconds())?;
            match text.split_once('\n') {
                Some((_, rows)) if is_stream && !is_first => rows.to_owned(),
                _ => text,
            }
        }
        InspectFormat::Openmetrics => openmetrics::text(survey, top),
    })
}

fn named(processes: &[Inspected]) -> String {
    match processes {
        [] => String::new(),
        [process] => detail::table(process),
        several => summary::named_table(several),
    }
}

fn unix_seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
