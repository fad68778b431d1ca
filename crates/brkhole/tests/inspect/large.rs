//! Blocks with mappings of their own are malloc's, too.

use std::process::Command;

use serde_json::Value;

use crate::common::{compiled, output, processes};
use crate::inspect::target::undisturbed;
use suite::answering::Answering;

const BLOCKS: u64 = 60;
const BLOCK_BYTES: u64 = 1_500_000;

fn large() -> Answering {
    let mut command = Command::new(compiled("large"));
    command.args([BLOCKS, BLOCK_BYTES].map(|number| number.to_string()));
    let mut program = Answering::start(undisturbed(&mut command));
    assert_eq!(program.hear(), "ready");
    program
}

/// Each has whole pages, and malloc's header in them.
fn mapped_bytes() -> u64 {
    BLOCKS * (BLOCK_BYTES + 16).next_multiple_of(4096)
}

#[test]
fn are_counted() {
    let program = large();
    let report = processes(&["inspect", &program.pid().to_string()]);
    let malloc = &report[0]["malloc"];
    assert_eq!(malloc["mmapped_unknown"], Value::Null);
    assert_eq!(malloc["mmapped"]["count"], BLOCKS);
    let bytes = malloc["mmapped"]["bytes"].as_u64().unwrap();
    // Since 2.43 glibc counts what lies before a block's header in each mapping as well.
    assert!(bytes.abs_diff(mapped_bytes()) <= BLOCKS * 64, "{malloc}");
    assert!(malloc["system_bytes"].as_u64() < Some(BLOCK_BYTES), "{malloc}");
}

#[test]
fn are_in_what_malloc_has() {
    let (program, other) = (large(), large());
    let [pid, other] = [&program, &other].map(|program| program.pid().to_string());
    let text = |arguments: &[&str]| String::from_utf8(output(arguments).stdout).unwrap();
    let one = text(&["inspect", &pid]);
    assert!(one.contains("60 mmapped blocks"), "{one}");
    assert!(one.lines().all(|line| line.chars().count() <= 100), "{one}");
    let several = text(&["inspect", &pid, &other]);
    let rows = several.lines().filter(|line| line.starts_with(' ') && line.contains("MiB"));
    let rows = rows.filter(|line| line.contains(" brkhole-large "));
    let has: Vec<&str> = rows.map(|row| row.split_whitespace().nth(4).unwrap()).collect();
    assert_eq!(has.len(), 2, "{several}");
    // In MiB, the main arena's stock beside them.
    let mapped = mapped_bytes() as f64 / (1 << 20) as f64;
    for has in has {
        let has: f64 = has.parse().unwrap();
        assert!((mapped..mapped + 1.0).contains(&has), "{several}");
    }
    let metrics = text(&["inspect", "--format", "openmetrics", &pid]);
    let wanted = format!("brkhole_malloc_mmapped_blocks{{comm=\"brkhole-large\"}} {BLOCKS}");
    assert!(metrics.contains(&wanted), "{metrics}");
}
