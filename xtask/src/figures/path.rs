//! Picks values out of a run's JSON.
//!
//! A path is names with dots between them: `arms.hole.runs.*.fallback.count`. In an object a name is
//! a key. In an array it is a position, `*` for every element, or the element whose `name`,
//! `metric`, `label`, `kind` or `path` it is. A name that holds spaces or dots stands in quotes.

use anyhow::Context;
use serde_json::Value;

/// What tells the elements of an array apart.
const NAMES: [&str; 5] = ["name", "metric", "label", "kind", "path"];

/// All values that the path leads to; more than one only if it holds a `*`.
///
/// # Errors
///
/// When it leads nowhere: the error names the step.
pub fn pick<'a>(json: &'a Value, path: &str) -> anyhow::Result<Vec<&'a Value>> {
    let mut found = vec![json];
    for step in steps(path) {
        let mut next = Vec::new();
        for value in found {
            if let (Value::Array(elements), "*") = (value, step) {
                next.extend(elements);
            } else {
                let below = child(value, step);
                next.push(below.with_context(|| format!("{path} has no `{step}`"))?);
            }
        }
        found = next;
    }
    Ok(found)
}

fn child<'a>(value: &'a Value, step: &str) -> Option<&'a Value> {
    match value {
        Value::Object(object) => object.get(step),
        Value::Array(elements) => match step.parse::<usize>() {
            Ok(position) => elements.get(position),
            Err(_) => elements.iter().find(|element| {
                NAMES
                    .iter()
                    .any(|name| element.get(name).and_then(Value::as_str) == Some(step))
            }),
        },
        _ => None,
    }
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
