//! Blocks: whole tables, charts, excerpts and the machine of a run.
//!
//! ```text
//! block table locations                     the report's table, as the program prints it
//! block chart locations                     its chart; the SVG is written into book/src/images
//! block machine locations                   what the run was made on, and with which command
//! block excerpt gdb.txt from "A" to "B"     lines of a text (see `excerpt`)
//! block code crates/x/src/lib.rs from "A" to "B"   lines of a source file, which tests compile, or
//!                                           of a text that they read
//! block picture x/trace.svg "What it shows" an SVG of the runs, copied into book/src/images; with
//!                                           `live` behind it, one that answers the mouse
//! block terminal "What it shows" "COMMAND" x/trace.txt from "A" to "B" + …
//!                                           the same of a terminal: the command, and excerpts of
//!                                           what it printed, with … between them
//! ```

use super::image::{self, Charts};
use super::marker::Marker;
use super::runs::Runs;
use super::{excerpt, expression};
use anyhow::Context;
use heap_meter::experiment::Results;
use heap_meter::report::{COLUMNS, experiment_table, fit};
use serde_json::Value;

/// What `cargo testbed` measures.
const CAMPAIGNS: [&str; 5] = ["distributions", "history", "predictions", "disturbance", "reloads"];

/// What belongs between the two halves of a marker in `document`.
///
/// # Errors
/// When the marker is wrong, or asks for what the run doesn't have.
pub fn content(
    marker: Marker<'_>,
    document: &str,
    runs: &Runs,
    charts: &mut Charts,
) -> anyhow::Result<String> {
    let asked = match marker {
        Marker::Figure(asked) => return expression::figure(asked, runs),
        Marker::Block(asked) => asked,
    };
    let (kind, what) = asked.split_once(' ').context("which run?")?;
    match kind {
        "table" => {
            let table = experiment_table(&results(runs, what)?).to_string();
            Ok(fenced("text", &fit(&table, COLUMNS)))
        }
        "chart" => image::chart(&results(runs, what)?, document, charts),
        "machine" => machine(&runs.json(what)?),
        "excerpt" => Ok(fenced("text", &excerpt::of_run(what, runs)?)),
        "code" => Ok(fenced(language(what), &excerpt::of_source(what)?)),
        "picture" => image::picture(what, document, runs, charts),
        "terminal" => image::terminal(what, document, runs, charts),
        _ => anyhow::bail!(
            "`{kind}`: expected table, chart, machine, excerpt, code, picture or terminal"
        ),
    }
}

fn results(runs: &Runs, name: &str) -> anyhow::Result<Results> {
    serde_json::from_value(runs.json(name)?).with_context(|| format!("runs/{name}.json"))
}

fn fenced(language: &str, text: &str) -> String {
    format!("```{language}\n{}\n```\n", text.trim_end())
}

/// What an excerpt of this file is highlighted as.
fn language(excerpt: &str) -> &'static str {
    match excerpt.split(' ').next() {
        Some(file) if file.ends_with(".rs") => "rust,ignore",
        _ => "text",
    }
}

/// A line that says where the run's figures come from.
fn machine(run: &Value) -> anyhow::Result<String> {
    let said = |path: &str| {
        let found = expression::pick(run, path).ok().and_then(|found| found.first().copied());
        found.and_then(Value::as_str).map(str::to_owned)
    };
    let command = said("recorded.command").context("recorded.command is missing")?;
    let date = said("recorded.date").context("recorded.date is missing")?;
    let environment: Vec<String> = ["cpu", "kernel", "libc", "openssl", "nginx"]
        .into_iter()
        .filter_map(|name| {
            let value = said(&format!("environment.{name}"))?;
            Some(if name == "kernel" { format!("Linux {value}") } else { value })
        })
        .collect();
    Ok(format!("*`{}`, {date}: {}.*\n", as_of_today(&command), environment.join(" · ")))
}

/// A recorded command by the name that it has now, so that whoever types it runs it: the campaigns
/// were chores of xtask once.
fn as_of_today(command: &str) -> String {
    let moved = CAMPAIGNS.iter().find_map(|name| {
        let rest = command.strip_prefix("cargo xtask ")?.strip_prefix(name)?;
        Some(format!("cargo testbed {name}{rest}"))
    });
    moved.unwrap_or_else(|| command.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_unknown_block_is_refused() {
        let runs = Runs::of([("a.json", "{}".to_owned())]);
        let asked =
            |text| content(Marker::Block(text), "README.in.md", &runs, &mut Charts::default());
        assert!(asked("sculpture a").unwrap_err().to_string().contains("`sculpture`"));
        assert!(asked("table b").unwrap_err().to_string().contains("no runs/b.json"));
    }

    #[test]
    fn the_machine_is_one_line() {
        let run = json!({
            "recorded": { "command": "cargo run", "date": "2026-01-31" },
            "environment": { "kernel": "6.18", "cpu": "Some CPU", "page_size_bytes": 4096 },
        });
        let line = machine(&run).unwrap();
        assert_eq!(line, "*`cargo run`, 2026-01-31: Some CPU · Linux 6.18.*\n");
        assert!(machine(&json!({})).is_err());
    }

    #[test]
    fn a_command_that_moved_is_told_by_its_present_name() {
        let told = as_of_today("cargo xtask history --out runs/history");
        assert_eq!(told, "cargo testbed history --out runs/history");
        let same = "cargo xtask reference-runs gdb";
        assert_eq!(as_of_today(same), same);
    }
}
