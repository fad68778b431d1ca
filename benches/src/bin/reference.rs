//! Gathers what `cargo bench -p benches` left below cargo's target directory into a directory that
//! is committed: the raw numbers as JSON, and a README that shows them. `reference.sh` runs both.

#[cfg(test)]
use suite as _;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use benches::{RatioLimits, program};
use clap::Parser;
use human_text::{Bytes, Seconds};
use serde_json::{Value, json};

/// Gathers the results of `cargo bench -p benches` into a directory
#[derive(Debug, Parser)]
struct Cli {
    /// Cargo's target directory
    target: PathBuf,
    /// Where the raw numbers and the README go
    directory: PathBuf,
    /// The day of the run, for the README
    date: String,
}

/// The benches that aren't criterion's.
const OWN: [&str; 9] =
    ["plain_c", "trace", "attach", "stacks", "footprint", "explain", "inspect", "hostile", "held"];

fn main() -> ExitCode {
    match gather(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("reference: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn gather(cli: &Cli) -> anyhow::Result<()> {
    fs::create_dir_all(&cli.directory)
        .with_context(|| format!("can't make {}", cli.directory.display()))?;
    let mut results = Vec::new();
    collect(&cli.target.join("criterion"), &mut results)?;
    results.sort_by_key(|result| result["name"].as_str().map(str::to_owned));
    let criterion = json!({
        "date": cli.date,
        "environment": program::environment(),
        "benches": results,
    });
    write(&cli.directory.join("criterion.json"), &pretty(&criterion)?)?;
    let mut reports = Vec::new();
    for bench in OWN {
        let mut report = read(&cli.target.join("bench").join(format!("{bench}.json")))?;
        report["date"] = cli.date.clone().into();
        let path = cli.directory.join(format!("{bench}.json"));
        write(&path, &pretty(&report)?)?;
        reports.push(report);
    }
    let path = cli.directory.join("README.md");
    write(&path, &readme(&criterion, &reports))
}

/// Every bench below criterion's directory: its name, its median, and its raw samples.
fn collect(directory: &Path, results: &mut Vec<Value>) -> anyhow::Result<()> {
    let newest = directory.join("new");
    if newest.join("sample.json").is_file() {
        let [bench, estimates, sample] = ["benchmark", "estimates", "sample"]
            .map(|name| read(&newest.join(format!("{name}.json"))));
        let (bench, estimates, sample) = (bench?, estimates?, sample?);
        let median = &estimates["median"];
        let interval = &median["confidence_interval"];
        results.push(json!({
            "name": bench["full_id"],
            "elements": bench["throughput"]["Elements"],
            "median_nanoseconds": median["point_estimate"],
            "median_ci95": [interval["lower_bound"], interval["upper_bound"]],
            "samples": { "iterations": sample["iters"], "nanoseconds": sample["times"] },
        }));
        return Ok(());
    }
    let entries = fs::read_dir(directory).with_context(|| {
        format!("no results in {}: run cargo bench -p benches first", directory.display())
    })?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, results)?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Value> {
    let text = fs::read_to_string(path).with_context(|| {
        format!("can't read {}: run cargo bench -p benches first", path.display())
    })?;
    serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("can't write {}", path.display()))
}

/// Indented, but with every list of numbers on one line.
fn pretty(value: &Value) -> anyhow::Result<String> {
    let mut text = String::new();
    let mut in_numbers = false;
    for line in serde_json::to_string_pretty(value)?.lines() {
        let item = line.trim_start();
        let is_number = item.starts_with(|first: char| first.is_ascii_digit() || first == '-');
        if is_number && text.ends_with("[\n") {
            in_numbers = true;
            text.pop();
            text.push_str(item);
        } else if in_numbers {
            let separator = if is_number { " " } else { "" };
            text.pop();
            text.push_str(separator);
            text.push_str(item);
            in_numbers = is_number;
        } else {
            text.push_str(line);
        }
        text.push('\n');
    }
    Ok(text)
}

fn readme(criterion: &Value, reports: &[Value]) -> String {
    let environment = &criterion["environment"];
    let known = |name: &str| match &environment[name] {
        Value::String(text) => text.clone(),
        Value::Null => String::from("unknown"),
        other => other.to_string(),
    };
    let date = criterion["date"].as_str().unwrap_or("an unknown day");
    let mut text = format!(
        "# Reference run of the benches\n\n\
         Made on {date} by `benches/reference.sh`; this file too: don't edit it. The raw numbers \
         are beside it: every sample in `criterion.json`, every run in the file of the bench's name. \
         Times move from machine to machine; ratios are what to compare: each is the median of the ratios in each round.\n\n"
    );
    text.push_str("| | |\n|---|---|\n");
    for name in [
        "cpu",
        "logical_cpus",
        "memory_bytes",
        "kernel",
        "libc",
        "aslr",
        "thp",
        "openssl",
        "rustc",
        "cc",
        "strace",
    ] {
        text.push_str(&format!("| {name} | {} |\n", known(name)));
    }
    for report in reports {
        text.push_str(&contests(report));
    }
    text.push_str(
        "\n## criterion\n\nCriterion doesn't note how busy the machine is; `trace`, which runs after \
         these, does, above.\n",
    );
    text.push_str("\n| bench | median | 95 % | per element |\n|---|---|---|---|\n");
    for bench in array(&criterion["benches"]) {
        let median = number(&bench["median_nanoseconds"]) / 1e9;
        let [low, high] = [0, 1].map(|end| Seconds(number(&bench["median_ci95"][end]) / 1e9));
        let element = match bench["elements"].as_f64() {
            Some(elements) => Seconds(median / elements).to_string(),
            None => String::new(),
        };
        text.push_str(&format!(
            "| {} | {} | {low} – {high} | {element} |\n",
            word(&bench["name"]),
            Seconds(median),
        ));
    }
    text
}

fn contests(report: &Value) -> String {
    let mut text = format!("\n## {}\n", word(&report["bench"]));
    let environment = &report["environment"];
    let load = number(&environment["load_average_1m"]);
    let cores = &environment["logical_cpus"];
    text.push_str(&format!(
        "\nMode {}; load average before it began: {load} on {cores} processors.\n",
        word(&report["mode"])
    ));
    for note in array(&report["notes"]) {
        text.push_str(&format!("\nNote: {}.\n", word(note)));
    }
    for contest in array(&report["contests"]) {
        text.push_str(&format!(
            "\n| {} | runs | median | per {} |\n|---|---|---|---|\n",
            word(&contest["name"]),
            word(&contest["per"]["unit"]),
        ));
        for arm in array(&contest["arms"]) {
            let unit = arm["seconds_per_unit"].as_f64();
            text.push_str(&format!(
                "| {} | {} | {} | {} |\n",
                word(&arm["name"]),
                array(&arm["seconds"]).len(),
                Seconds(number(&arm["median_seconds"])),
                unit.map_or(String::new(), |seconds| Seconds(seconds).to_string()),
            ));
        }
        text.push('\n');
        for versus in array(&contest["comparisons"]) {
            text.push_str(&comparison(versus));
        }
    }
    text.push_str(&figures(array(&report["figures"])));
    text
}

fn figures(figures: &[Value]) -> String {
    if figures.is_empty() {
        return String::new();
    }
    let mut text = String::from("\n| figure | | required |\n|---|---|---|\n");
    for figure in figures {
        let bytes = |name: &str| figure[name].as_u64().map(Bytes);
        let required = match (bytes("at_most_bytes"), figure["met"].as_bool()) {
            (Some(limit), Some(true)) => format!("at most {limit}: met"),
            (Some(limit), _) => format!("at most {limit}: **not met**"),
            (None, _) => String::new(),
        };
        let parameters = figure["parameters"].as_object().into_iter().flatten();
        let parameters = parameters.map(|(name, value)| format!(", {name} {value}"));
        text.push_str(&format!(
            "| {}{} | {} | {required} |\n",
            word(&figure["name"]),
            parameters.collect::<String>(),
            bytes("bytes").map_or(String::from("?"), |bytes| bytes.to_string()),
        ));
    }
    text
}

fn comparison(versus: &Value) -> String {
    let mut text = format!(
        "- {} / {}: {:.3}",
        word(&versus["other"]),
        word(&versus["control"]),
        number(&versus["ratio"])
    );
    if let [low, high] = array(&versus["ratio_ci95"]) {
        text.push_str(&format!(" (95 %: {:.3}–{:.3})", number(low), number(high)));
    }
    if let Some(met) = versus["met"].as_bool() {
        let limits = &versus["required"];
        let [least, most] = ["at_least", "at_most"].map(|end| number(&limits[end]));
        let required = RatioLimits { at_least: least, at_most: most };
        let verdict = if met { "met" } else { "**not met**" };
        text.push_str(&format!("; required {required}: {verdict}"));
    }
    text.push('\n');
    text
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

#[cfg(test)]
mod tests {
    use super::*;
    use benches::Figure;

    #[test]
    fn lists_of_numbers_take_one_line_and_mean_the_same() {
        let value = json!({
            "numbers": [1.5, -2, 3],
            "words": ["a", "b"],
            "nested": [[1, 2], [3]],
            "objects": [{ "empty": [] }],
        });
        let text = pretty(&value).unwrap();
        assert!(text.contains("\"numbers\": [1.5, -2, 3],\n"), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn figures_with_and_without_a_limit() {
        let free = Figure::new("peak", 1 << 20).parameter("calls", 7);
        let missed = Figure::new("other", 3 << 20).at_most(2 << 20);
        let values = [free, missed].map(|figure| serde_json::to_value(figure).unwrap());
        let text = figures(&values);
        assert!(text.contains("\n| peak, calls 7 | 1.00 MiB |  |\n"), "{text}");
        let row = "| other | 3.00 MiB | at most 2.00 MiB: **not met** |";
        assert!(text.contains(row), "{text}");
        assert_eq!(figures(&[]), "");
    }
}
