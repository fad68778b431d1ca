//! Reads Prometheus's text format, as far as gauges go.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};

/// One line that isn't a comment.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// All samples of a text, in its order.
pub fn samples(text: &str) -> Vec<Sample> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(sample).collect()
}

/// The value of the one sample that has this name and these labels.
pub fn value(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> f64 {
    let wanted = labels
        .iter()
        .map(|(label, value)| ((*label).to_owned(), (*value).to_owned()))
        .collect::<BTreeMap<_, _>>();
    let mut found = samples.iter().filter(|sample| sample.name == name && sample.labels == wanted);
    let first = found.next();
    let first = first.unwrap_or_else(|| panic!("no {name} {wanted:?} in {samples:#?}"));
    assert_eq!(found.next(), None);
    first.value
}

/// All names of metrics.
pub fn names(samples: &[Sample]) -> BTreeSet<&str> {
    samples.iter().map(|sample| sample.name.as_str()).collect()
}

fn sample(line: &str) -> Sample {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("{line}"));
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    while let Some(from_label) = rest.strip_prefix(['{', ',']) {
        let (label, from_value) = from_label.split_once("=\"").expect("a label has a value");
        let (value, after) = quoted(from_value);
        assert_eq!(labels.insert(label.to_owned(), value), None, "{line}");
        rest = after.strip_prefix('}').unwrap_or(after);
    }
    Sample {
        name: name.to_owned(),
        labels,
        value: rest.trim().parse().unwrap_or_else(|_| panic!("{line}")),
    }
}

/// What stands before the closing quote, and what after it.
fn quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.chars();
    loop {
        match characters.next().expect("a closing quote") {
            '"' => return (value, characters.as_str()),
            '\\' => value.push(match characters.next() {
                Some('n') => '\n',
                Some(escaped @ ('\\' | '"')) => escaped,
                other => panic!("escaped {other:?} in {text}"),
            }),
            other => value.push(other),
        }
    }
}
