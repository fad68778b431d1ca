//! Fields of JSON documents, and their types, as programs out there read them: recorded from real
//! reports in `tests/json`, so that none goes or changes unseen. `UPDATE_JSON=1 cargo test -p brkhole
//! --test it json` adds what is new; what went is dropped once `SCHEMA` has been raised.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use heap_meter::report::SCHEMA;
use serde_json::Value;

use crate::common::{compiled, json};
use crate::inspect::target::Keeps;

/// Each path with its types; one has several where something isn't known always.
type Fields = BTreeMap<String, BTreeSet<String>>;

/// Objects whose keys are names or numbers of the watched program, not fields.
const BY_NAME: [&str; 4] = ["syscalls", "sizes", "requested", "facts"];

fn add_fields(fields: &mut Fields, path: &str, value: &Value) {
    let kind = match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, member) in members {
                let is_name = BY_NAME.iter().any(|name| path.ends_with(name));
                let key = if is_name { "*" } else { key };
                add_fields(fields, &format!("{path}.{key}"), member);
            }
            return;
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                // A finding has the evidence of its kind.
                let kind = item["severity"].as_str().and(item["kind"].as_str());
                add_fields(fields, &format!("{path}[{}]", kind.unwrap_or("")), item);
            }
            return;
        }
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
    };
    fields.entry(path.to_owned()).or_default().insert(kind.to_owned());
}

/// Whether a field may be missing: what holds it is never known here, or always empty.
fn is_within_nothing(fields: &Fields, path: &str) -> bool {
    let is_within = |path: &str, holder: &str| {
        let inside = path.strip_prefix(holder).unwrap_or_default();
        inside.starts_with(['.', '['])
    };
    let mut nothing = fields.keys().filter(|holder| is_within(path, holder));
    nothing.any(|holder| !fields.keys().any(|path| is_within(path, holder)))
}

/// Whether what was empty has something in it now.
fn is_filled(fields: &Fields, path: &str, kinds: &BTreeSet<String>) -> bool {
    let mut inside = fields.keys().filter_map(|inside| inside.strip_prefix(path));
    inside.any(|inside| {
        inside.starts_with('[') && kinds.contains("array")
            || inside.starts_with('.') && kinds.contains("object")
    })
}

/// What whoever reads such a document stumbles over.
fn broken(known: &Fields, now: &Fields) -> Vec<String> {
    let real = |kinds: &BTreeSet<String>| {
        let known = kinds.iter().filter(|kind| *kind != "null");
        known.cloned().collect::<BTreeSet<_>>()
    };
    let broken = known.iter().filter_map(|(path, kinds)| match now.get(path) {
        None if is_within_nothing(now, path) || is_filled(now, path, kinds) => None,
        None => Some(format!("{path} is gone")),
        Some(new) if real(kinds).is_empty() || real(new).is_subset(&real(kinds)) => None,
        Some(new) => Some(format!("{path} was {kinds:?} and is {new:?}")),
    });
    broken.collect()
}

/// A line each: `path type type`.
fn parsed(text: &str) -> Fields {
    let fields = text.lines().map(|line| {
        let mut words = line.split(' ').map(str::to_owned);
        (words.next().unwrap_or_default(), words.collect())
    });
    fields.collect()
}

fn written(fields: &Fields) -> String {
    let line = |(path, kinds): (&String, &BTreeSet<String>)| {
        let kinds: Vec<_> = kinds.iter().map(String::as_str).collect();
        format!("{path} {}\n", kinds.join(" "))
    };
    fields.iter().map(line).collect()
}

/// Compares reports of one kind with those that were recorded.
fn compatible(kind: &str, reports: &[Value]) {
    let file = format!("{}/tests/json/{kind}.txt", env!("CARGO_MANIFEST_DIR"));
    let file = Path::new(&file);
    let recorded = std::fs::read_to_string(file).unwrap_or_default();
    let heading = format!("schema {SCHEMA}\n");
    let mut known = recorded.strip_prefix(&heading).map(parsed);
    let mut now = Fields::new();
    for report in reports {
        assert_eq!(report["schema"], SCHEMA, "{kind}");
        add_fields(&mut now, "", report);
    }
    if std::env::var_os("UPDATE_JSON").is_some() {
        let mut all = known.clone().unwrap_or_default();
        for (path, kinds) in now.clone() {
            all.entry(path).or_default().extend(kinds);
        }
        std::fs::write(file, heading.clone() + &written(&all)).unwrap();
        known = Some(all);
    }
    let known = known.unwrap_or_else(|| {
        panic!("{}: not of schema {SCHEMA}: record it anew (UPDATE_JSON=1)", file.display())
    });
    let broken = broken(&known, &now);
    assert!(
        broken.is_empty(),
        "{kind}: programs that read this document break: {}. If it has to be, raise SCHEMA in \
         crates/heap-meter/src/report.rs, say so in CHANGELOG.md, and record the fields anew \
         (UPDATE_JSON=1)",
        broken.join("; ")
    );
}

#[test]
fn trace_and_explain() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name).display().to_string();
    let [read, map, log] = ["read", "map.svg", "log"].map(file);
    std::fs::write(&read, [b'a'; 4096]).unwrap();
    let reads = compiled("beside_a_file").display().to_string();
    let frees = compiled("freed").display().to_string();
    compatible(
        "trace",
        &[
            json(&["trace", "--stacks", "--map", &map, &reads, &read]),
            json(&["trace", "--hole", "--map", &map, &frees, "20000"]),
        ],
    );
    let lines = "7 1.0 brk(NULL) = 0x55d000000000\n\
        7 1.1 openat(AT_FDCWD, \"/a\", O_RDONLY) = 3\n\
        7 1.2 brk(0x55d000021000) = 0x55d000021000\n\
        7 1.3 brk(0x55d000042000) = 0x55d000021000\n\
        7 1.4 mmap(NULL, 1048576, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f5300000000\n\
        7 1.5 close(3) = 0\n\
        7 1.6 +++ exited with 0 +++\n";
    std::fs::write(&log, lines).unwrap();
    compatible("explain", &[json(&["explain", "--map", &map, &log])]);
}

#[test]
fn compare() {
    let map = tempfile::NamedTempFile::new().unwrap();
    let program = compiled("freed").display().to_string();
    let how = ["compare", "--repeats", "3", "--map", map.path().to_str().unwrap()];
    compatible("compare", &[json(&[&how[..], &[&program, "20000"]].concat())]);
}

#[test]
fn inspect() {
    let target = Keeps::blocked(8192);
    compatible("inspect", &[json(&["inspect", &target.number()])]);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn trim() {
    let target = Keeps::free(8192);
    let predicted = json(&["trim", "--dry-run", &target.number()]);
    compatible("trim", &[predicted, json(&["trim", &target.number()])]);
}

#[test]
fn what_breaks_readers_is_told() {
    let fields = |document: Value| {
        let mut fields = Fields::new();
        add_fields(&mut fields, "", &document);
        fields
    };
    let before = fields(serde_json::json!({
        "at": "0x1", "all": [{"bytes": 1}, null], "one": {"name": "a"}, "never": null, "none": [],
    }));
    assert_eq!(parsed(&written(&before)), before);
    for (after, told) in [
        (
            serde_json::json!({"at": 1, "all": [{"bytes": 1}], "one": null, "never": 1, "none": []}),
            ".at was",
        ),
        (
            serde_json::json!({"all": [], "one": {"name": "a"}, "never": null, "none": []}),
            ".at is gone",
        ),
        (
            serde_json::json!({"at": "0x1", "all": [{}], "one": null, "never": null, "none": [{"a": 1}]}),
            "",
        ),
        (
            serde_json::json!({"at": "0x1", "all": [{"b": 1}], "one": null, "never": null, "none": [1]}),
            ".all[].bytes is gone",
        ),
        (
            serde_json::json!({"at": null, "all": [], "one": {"name": "a", "more": 1}, "never": 1, "new": 1, "none": []}),
            "",
        ),
        (
            serde_json::json!({"at": null, "all": [], "one": null, "never": 1, "none": {"a": 1}}),
            ".none is gone",
        ),
    ] {
        let broken = broken(&before, &fields(after.clone())).join("; ");
        assert_eq!(broken.is_empty(), told.is_empty(), "{after}: {broken}");
        assert!(broken.contains(told), "{after}: {broken}");
    }
}
