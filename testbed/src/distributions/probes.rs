//! What programs do must not depend on the library.

use super::library::{BUNDLE, LogLine, PreloadMode as Mode, ProgramOutput, SCRIPTS};
use crate::testbed::Testbed;
use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How many contexts Python makes of the one bundle.
const CONTEXTS: u64 = 20;

/// The C program, inside.
const LOADS: &str = "/files/loads";

/// Something that says what must not depend on the library.
struct Probe {
    name: &'static str,
    words: Vec<String>,
    /// The programs in which the library has to act.
    programs: &'static [&'static str],
    /// In how many loads of a program it has at least to share.
    shared: u64,
    /// What has to be said, with the library or without it: JSON pointer, value as JSON. If it isn't,
    /// something is wrong with the certificates or the server, and comparing shows nothing.
    known: &'static [(&'static str, &'static str)],
}

fn probes() -> [Probe; 4] {
    let python = |script: &str| {
        let words = ["python3", &format!("{SCRIPTS}/{script}"), BUNDLE];
        words.map(str::to_owned).to_vec()
    };
    let mut contents = python("contents.py");
    contents.push(CONTEXTS.to_string());
    [
        Probe {
            name: "loads.c",
            words: vec![LOADS.to_owned(), BUNDLE.to_owned()],
            programs: &["loads"],
            shared: 10,
            known: &[
                ("/apart: first/returned", "0"),
                ("/apart: first asks for the list/returned", "23"),
                ("/apart: second/returned", "0"),
                ("/apart: replaced/returned", "20"),
            ],
        },
        Probe {
            name: "contents.py",
            words: contents,
            programs: &["python3"],
            shared: CONTEXTS,
            known: &[("/same in all", "true"), ("/the others", "true"), ("/their flags", "true")],
        },
        Probe {
            name: "fetch.py",
            words: python("fetch.py"),
            programs: &["curl", "openssl", "python3"],
            shared: 0,
            known: &[
                ("/curl/right.pem/0", "0"),
                ("/curl/both.pem/0", "0"),
                ("/curl/wrong.pem/0", "60"),
                ("/curl/missing.pem/0", "77"),
            ],
        },
        Probe {
            name: "lua.py",
            words: python("lua.py"),
            programs: &["nginx"],
            shared: 8,
            known: &[
                ("/started/right/0", "\"believed\""),
                ("/started/wrong/0", "\"refused\""),
                ("/started/listed/0", "\"refused\""),
                ("/started/both-again/0", "\"believed\""),
                ("/reloaded/changing/0", "\"refused\""),
                ("/replaced/changing/0", "\"believed\""),
                ("/ended", "0"),
            ],
        },
    ]
}

/// OpenSSL's own interface, Python's contexts, and connections of curl, openssl, Python and nginx's
/// Lua. Fails when one can't be built or run.
pub fn checked(place: &Testbed) -> anyhow::Result<Vec<Check>> {
    let flags = ["-Wno-deprecated-declarations", "-lssl", "-lcrypto"];
    let source = "runs/distributions/loads.c";
    place.compile(source, "loads", &flags)?;
    let mut checks = Vec::new();
    for probe in probes() {
        let words: Vec<&str> = probe.words.iter().map(String::as_str).collect();
        let plain = told(&ProgramOutput::in_mode(place, Mode::Without, &words)?)?;
        checks.push(expected(&probe, &plain));
        for mode in Mode::WITH {
            let said = ProgramOutput::in_mode(place, mode, &words)?;
            let name = format!("{}, {}", probe.name, mode.name());
            let mut differing = Vec::new();
            differences(&plain, &told(&said)?, "", &mut differing);
            checks.push(Check::of(
                format!("{name}: the same as without"),
                differing.is_empty(),
                || differing.join("; "),
            ));
            for program in probe.programs {
                checks.push(acted(&name, mode, program, probe.shared, &said.log));
            }
        }
    }
    Ok(checks)
}

fn told(said: &ProgramOutput) -> anyhow::Result<Value> {
    serde_json::from_str(&said.out).context("a script's JSON")
}

/// Whether the library acted in a program, if it was to; else whether it kept out.
fn acted(name: &str, mode: Mode, program: &str, wanted: u64, log: &[LogLine]) -> Check {
    // A daemon may have written a title over its name: "nginx: master process".
    let is_of = |line: &&LogLine| line.program.split(':').next() == Some(program);
    let lines: Vec<&LogLine> = log.iter().filter(is_of).collect();
    let parses: u64 = lines.iter().map(|line| line.parses).sum();
    let shared: u64 = lines.iter().map(|line| line.shared).sum();
    let held = match mode.is_acting() {
        true => parses > 0 && shared >= wanted,
        false => parses == 0 && shared == 0,
    };
    let verb = if mode.is_acting() { "acted" } else { "kept out" };
    let name = format!("{name}: {verb} in {program}");
    Check::of(name, held, || format!("logged: {log:?}"))
}

/// Whether it says without the library what everybody knows that it has to say.
fn expected(probe: &Probe, plain: &Value) -> Check {
    let found = |pointer| plain.pointer(pointer).unwrap_or(&Value::Null).to_string();
    let wrong: Vec<String> = probe
        .known
        .iter()
        .filter(|(pointer, value)| found(pointer) != *value)
        .map(|(pointer, value)| format!("{pointer}: {} instead of {value}", found(pointer)))
        .collect();
    let name = format!("{}, without: what everybody knows", probe.name);
    Check::of(name, wrong.is_empty(), || wrong.join("; "))
}

/// Where two values differ, by the path to it.
fn differences(a: &Value, b: &Value, path: &str, found: &mut Vec<String>) {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            for (key, value) in a {
                differences(value, &b[key], &format!("{path}/{key}"), found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (number, (a, b)) in a.iter().zip(b).enumerate() {
                differences(a, b, &format!("{path}/{number}"), found);
            }
        }
        _ if a == b => {}
        _ => found.push(format!("{path}: {b} instead of {a}")),
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Check {
    pub name: String,
    pub ok: bool,
    /// What was found instead.
    pub fault: Option<String>,
}

impl Check {
    /// It is so, or `fault` says what was found instead.
    pub fn of(name: impl Into<String>, ok: bool, fault: impl FnOnce() -> String) -> Self {
        Self { name: name.into(), ok, fault: (!ok).then(fault) }
    }

    /// Both counts are equal.
    pub fn equal(name: impl Into<String>, expected: usize, found: usize) -> Self {
        let fault = || format!("{found} instead of {expected}");
        Self::of(name, expected == found, fault)
    }
}

#[cfg(test)]
mod tests {
    use super::differences;
    use serde_json::json;

    #[test]
    fn a_difference_is_named_by_its_path() {
        let mut found = Vec::new();
        let (a, b) = (json!({"x": [1, {"y": 2}]}), json!({"x": [1, {"y": 3}]}));
        differences(&a, &b, "", &mut found);
        assert_eq!(found, ["/x/1/y: 3 instead of 2"]);
        found.clear();
        differences(&a, &a, "", &mut found);
        assert!(found.is_empty());
        differences(&a, &json!({"x": [1]}), "", &mut found);
        assert_eq!(found.len(), 1);
    }
}
