//! What a figure's marker asks for: values of a run, and simple sums with them.
//!
//! ```text
//! locations comparison.peak_rss.control bytes
//! locations arms.hole.runs.*.wall_seconds median seconds
//! locations comparison.memory_per_location.control times 4000 bytes
//! nginx arms.with.runs.*.peak_rss_bytes median over arms.without.runs.*.peak_rss_bytes median ratio
//! strace-hole.txt lines "brk(" count
//! ```
//!
//! The first word is the run file in `runs/`, `.json` left out; the last is the format, as
//! [`written`] has it. Between them stand terms, joined by `times`, `over`, `minus` or `plus` and taken
//! from left to right. A term is a number, a path, a path with `*` and `median`, `min`, `max` or `sum`
//! behind it, `lines "…"` (how many lines of a text hold that) or `number "…"` (the number behind the
//! first of them).
//!
//! A path is names with dots between them: `arms.hole.runs.*.fallback.count`. In an object a name is
//! a key. In an array it is a position, `*` for every element, or the first element whose `name`,
//! `metric`, `label`, `kind` or `path` it is and that the rest of the path leads into: an arm that
//! is compared with the control has rows of its own. A name that holds spaces or dots stands in
//! quotes.

use super::runs::Runs;
use anyhow::{Context, anyhow};
use heap_meter::statistics::median;
use human_text::{Bytes, Seconds, thousands};
use serde_json::Value;
use std::collections::VecDeque;

/// The figure as text.
///
/// # Errors
/// When the expression is wrong, or asks for what the run doesn't have.
pub fn figure(asked: &str, runs: &Runs) -> anyhow::Result<String> {
    let mut words = words(asked);
    let file = words.pop_front().context("which run?")?;
    let format = words.pop_back().context("how is it to be written?")?;
    let source = FigureSource { runs, file };
    if format == "text" {
        let path = words.pop_front().context("what of the run?")?;
        anyhow::ensure!(words.is_empty(), "text can't be calculated with");
        return source.text(path);
    }
    let mut value = source.term(&mut words)?;
    while let Some(operator) = words.pop_front() {
        let other = source.term(&mut words)?;
        value = match operator {
            "times" => value * other,
            "over" => value / other,
            "minus" => value - other,
            "plus" => value + other,
            word => anyhow::bail!("`{word}`: expected times, over, minus, plus or a format"),
        };
    }
    anyhow::ensure!(value.is_finite(), "that is {value}");
    written(value, format)
}

struct FigureSource<'a> {
    runs: &'a Runs,
    file: &'a str,
}

impl FigureSource<'_> {
    fn term(&self, words: &mut VecDeque<&str>) -> anyhow::Result<f64> {
        let word = words.pop_front().context("a path or a number is missing")?;
        if let Ok(number) = word.parse() {
            return Ok(number);
        }
        if word == "lines" {
            let held = words.pop_front().context("lines holding what?")?.trim_matches('"');
            let lines = self.runs.text(self.file)?;
            return Ok(lines.lines().filter(|line| line.contains(held)).count() as f64);
        }
        if word == "number" {
            let before = words.pop_front().context("the number behind what?")?.trim_matches('"');
            let (_, behind) = self
                .runs
                .text(self.file)?
                .split_once(before)
                .with_context(|| format!("runs/{} has no {before:?}", self.file))?;
            let digits: String = behind.chars().take_while(char::is_ascii_digit).collect();
            return digits.parse().with_context(|| format!("no number behind {before:?}"));
        }
        let json = self.runs.json(self.file)?;
        let values: Vec<f64> = pick(&json, word)?
            .into_iter()
            .map(|value| value.as_f64().with_context(|| format!("{word} is no number: {value}")))
            .collect::<anyhow::Result<_>>()?;
        if !word.contains('*') {
            return Ok(values[0]);
        }
        let reducer = words.pop_front().context("median, min, max or sum?")?;
        let reduced = match reducer {
            "median" => median(&values),
            "min" => values.iter().copied().reduce(f64::min),
            "max" => values.iter().copied().reduce(f64::max),
            "sum" => Some(values.iter().sum()),
            word => {
                anyhow::bail!("`{word}`: expected median, min, max or sum behind a path with *")
            }
        };
        reduced.with_context(|| format!("{word} is empty"))
    }

    fn text(&self, path: &str) -> anyhow::Result<String> {
        let json = self.runs.json(self.file)?;
        match pick(&json, path)?[..] {
            [Value::String(text)] => Ok(text.clone()),
            [other] => anyhow::bail!("{path} is no text: {other}"),
            _ => anyhow::bail!("{path} is more than one"),
        }
    }
}

/// Words with spaces between them; quotes hold one together.
fn words(text: &str) -> VecDeque<&str> {
    let mut quoted = false;
    text.split(move |letter: char| {
        quoted ^= letter == '"';
        letter == ' ' && !quoted
    })
    .filter(|word| !word.is_empty())
    .collect()
}

const NO_BREAK_SPACE: &str = "\u{a0}";

/// The value in this format.
///
/// | format | 0.0044 | 860160 |
/// |---|---|---|
/// | `bytes` | | 840 KiB |
/// | `seconds` | 4.40 ms | |
/// | `count` | | 860,160 |
/// | `rounded` (to a whole number) | 0 | 860,160 |
/// | `ratio` | 0.00 | 860160 |
/// | `percent` | 0.4 % | |
/// | `change` (from 1) | −99.6 % | |
///
/// A line never ends between a figure and its unit.
///
/// # Errors
/// When there is no such format, or the value doesn't fit it.
pub fn written(value: f64, format: &str) -> anyhow::Result<String> {
    let whole = || {
        anyhow::ensure!(value >= 0.0, "{value} can't be written as {format}");
        Ok(value.round() as u64)
    };
    let figure = match format {
        "bytes" => Bytes(whole()?).to_string(),
        "count" => {
            let number = whole()?;
            anyhow::ensure!((value - value.round()).abs() < 1e-6, "{value} is no count");
            thousands(number)
        }
        "rounded" => thousands(whole()?),
        "seconds" => Seconds(value).to_string(),
        "ratio" => ratio(value),
        "percent" => format!("{:.1} %", 100.0 * value),
        "change" => signed(100.0 * (value - 1.0)),
        _ => anyhow::bail!(
            "`{format}`: expected bytes, seconds, count, rounded, ratio, percent, change or text"
        ),
    };
    Ok(figure.replace(' ', NO_BREAK_SPACE))
}

/// With as many digits as say something, as in the tables.
fn ratio(value: f64) -> String {
    match value {
        _ if value < 9.995 => format!("{value:.2}"),
        _ if value < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

fn signed(percent: f64) -> String {
    let sign = if percent < 0.0 { "−" } else { "+" };
    format!("{sign}{:.1} %", percent.abs())
}

/// What tells the elements of an array apart.
const NAMES: [&str; 5] = ["name", "metric", "label", "kind", "path"];

/// All values that the path leads to; more than one only if it holds a `*`.
///
/// # Errors
/// When it leads nowhere: the error names the step.
pub fn pick<'a>(json: &'a Value, path: &str) -> anyhow::Result<Vec<&'a Value>> {
    let steps: Vec<&str> = steps(path).collect();
    let mut found = Vec::new();
    follow(json, &steps, &mut found).map_err(|step| anyhow!("{path} has no `{step}`"))?;
    Ok(found)
}

/// Adds what the steps lead to; else the first step that leads nowhere, of the way that came
/// furthest.
fn follow<'a, 'p>(
    value: &'a Value,
    steps: &[&'p str],
    found: &mut Vec<&'a Value>,
) -> Result<(), &'p str> {
    let Some((&step, rest)) = steps.split_first() else {
        found.push(value);
        return Ok(());
    };
    let mut nowhere = step;
    match value {
        Value::Array(elements) if step == "*" => {
            return elements.iter().try_for_each(|each| follow(each, rest, found));
        }
        Value::Array(elements) if step.parse::<usize>().is_err() => {
            for element in elements.iter().filter(|element| is_called(element, step)) {
                match follow(element, rest, found) {
                    Ok(()) => return Ok(()),
                    Err(further) => nowhere = further,
                }
            }
        }
        Value::Array(elements) => {
            if let Some(element) = step.parse::<usize>().ok().and_then(|at| elements.get(at)) {
                return follow(element, rest, found);
            }
        }
        Value::Object(object) => {
            if let Some(below) = object.get(step) {
                return follow(below, rest, found);
            }
        }
        _ => {}
    }
    Err(nowhere)
}

fn is_called(element: &Value, name: &str) -> bool {
    NAMES.iter().any(|key| element.get(key).and_then(Value::as_str) == Some(name))
}

fn steps(path: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    path.split(move |letter: char| {
        quoted ^= letter == '"';
        letter == '.' && !quoted
    })
    .map(|step| step.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::{written, *};
    use serde_json::json;

    fn asked(expression: &str) -> anyhow::Result<String> {
        let run = json!({
            "kernel": "6.18",
            "arms": [{ "name": "hole", "runs": [{ "s": 1.0 }, { "s": 2.0 }, { "s": 9.0 }] }],
            "peak": 2048, "start": 1024, "none": 0,
        });
        let runs = Runs::of([
            ("run.json", run.to_string()),
            ("log.txt", "brk(1)\nasked for: 48 x\nbrk(2)\n".into()),
        ]);
        figure(expression, &runs)
    }

    #[test]
    fn terms_are_joined_from_left_to_right() {
        for (expression, expected) in [
            ("run peak bytes", "2.00\u{a0}KiB"),
            ("run arms.hole.runs.*.s median seconds", "2.00\u{a0}s"),
            ("run arms.hole.runs.*.s sum times 2 count", "24"),
            ("run peak over start ratio", "2.00"),
            ("run peak minus start over 2 count", "512"),
            ("run arms.hole.runs.*.s max over arms.hole.runs.*.s min ratio", "9.00"),
            ("run kernel text", "6.18"),
            (r#"log.txt lines "brk(" count"#, "2"),
            (r#"log.txt number "asked for: " bytes"#, "48\u{a0}B"),
        ] {
            assert_eq!(asked(expression).unwrap(), expected, "{expression}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (expression, expected) in [
            ("run nothing bytes", "nothing has no `nothing`"),
            ("other peak bytes", "there is no runs/other.json"),
            ("run arms.hole.runs.*.s seconds", "median, min, max or sum?"),
            ("run peak into 2 bytes", "`into`: expected times, over, minus, plus or a format"),
            ("run peak over none ratio", "that is inf"),
            ("run kernel bytes", "kernel is no number: \"6.18\""),
        ] {
            assert_eq!(asked(expression).unwrap_err().to_string(), expected, "{expression}");
        }
    }

    #[test]
    fn figures_are_written_as_in_the_tables() {
        for (value, format, expected) in [
            (860_160.0, "bytes", "840\u{a0}KiB"),
            (0.004_41, "seconds", "4.41\u{a0}ms"),
            (219_597.0, "count", "219,597"),
            (1_500.6, "rounded", "1,501"),
            (158.7, "ratio", "159"),
            (12.34, "ratio", "12.3"),
            (0.0123, "percent", "1.2\u{a0}%"),
            (1.003, "change", "+0.3\u{a0}%"),
            (0.5, "change", "−50.0\u{a0}%"),
        ] {
            assert_eq!(written(value, format).unwrap(), expected);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(written(-1.0, "bytes").is_err());
        assert!(written(0.5, "count").is_err());
        assert!(written(1.0, "furlongs").is_err());
    }

    #[test]
    fn steps_are_keys_positions_names_and_stars() {
        let run = json!({
            "arms": [{ "name": "hole", "runs": [{ "s": 1 }, { "s": 2 }] }],
            "checkpoints": [{ "label": "reload 1: both", "rss": 3 }],
        });
        let pick = |path| pick(&run, path).unwrap();
        assert_eq!(pick("arms.hole.runs.1.s"), [&json!(2)]);
        assert_eq!(pick("arms.0.runs.*.s"), [&json!(1), &json!(2)]);
        assert_eq!(pick(r#"checkpoints."reload 1: both".rss"#), [&json!(3)]);
    }

    #[test]
    fn a_path_that_leads_nowhere_is_an_error() {
        let error = pick(&json!({ "arms": [] }), "arms.hole.runs").unwrap_err();
        assert_eq!(error.to_string(), "arms.hole.runs has no `hole`");
    }
}
