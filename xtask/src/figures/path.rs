//! Picks values out of a run's JSON.
//!
//! A path is names with dots between them: `arms.hole.runs.*.fallback.count`. In an object a name is
//! a key. In an array it is a position, `*` for every element, or the first element whose `name`,
//! `metric`, `label`, `kind` or `path` it is and that the rest of the path leads into: an arm that
//! is compared with the control has rows of its own. A name that holds spaces or dots stands in
//! quotes.

use anyhow::anyhow;
use serde_json::Value;

/// What tells the elements of an array apart.
const NAMES: [&str; 5] = ["name", "metric", "label", "kind", "path"];

/// All values that the path leads to; more than one only if it holds a `*`.
///
/// # Errors
///
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
            return elements
                .iter()
                .try_for_each(|each| follow(each, rest, found));
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
    NAMES
        .iter()
        .any(|key| element.get(key).and_then(Value::as_str) == Some(name))
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
    use super::*;
    use serde_json::json;

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
