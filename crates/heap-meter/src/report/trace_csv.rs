//! A watched run as CSV: one row for each thing that was counted.

use serde::Serialize;

use crate::trace::Trace;
use heap_growth::Fallback;
use heap_growth::GrowthKind;

#[derive(Serialize)]
struct TraceCsvRow<'a> {
    section: &'static str,
    name: &'a str,
    count: Option<u64>,
    failed: Option<u64>,
    bytes: Option<i64>,
    peak_bytes: Option<i64>,
}

/// The run as CSV with a header; sections `syscall`, `kind`, `file`, `stack`, `fallback`,
/// `malloc-system`, `malloc-free`, `malloc-returnable` (a row for each process that was looked into;
/// no bytes where they aren't known), `finding`.
///
/// Stacks are folded, outermost frame first, as flame graphs take them.
///
/// # Errors
///
/// When a row can't be written, which no trace yields.
pub fn trace_csv(trace: &Trace) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for (name, counts) in trace.syscalls.by_name() {
        writer.serialize(TraceCsvRow {
            count: Some(counts.calls),
            failed: Some(counts.failed),
            ..row("syscall", name)
        })?;
    }
    for kind in GrowthKind::ALL {
        writer.serialize(TraceCsvRow {
            bytes: trace.growth.by_kind.get(kind),
            peak_bytes: trace.growth.peak_by_kind.get(kind),
            ..row("kind", kind.name())
        })?;
    }
    for file in &trace.growth.by_file {
        writer.serialize(TraceCsvRow {
            count: Some(file.opens),
            bytes: file.bytes.map(|bytes| bytes as i64),
            ..row("file", &file.path)
        })?;
    }
    for stack in &trace.growth.by_stack {
        let frames: Vec<&str> = stack.frames.iter().rev().map(String::as_str).collect();
        let folded = frames.join(";");
        writer.serialize(TraceCsvRow {
            count: Some(stack.count),
            bytes: Some(stack.bytes as i64),
            ..row("stack", &folded)
        })?;
    }
    for (bytes, count) in trace.fallback.iter().flat_map(Fallback::sizes) {
        let size = bytes.to_string();
        writer.serialize(TraceCsvRow {
            count: Some(*count),
            bytes: Some(bytes.saturating_mul(*count) as i64),
            ..row("fallback", &size)
        })?;
    }
    for report in trace.malloc.iter().flatten() {
        let name = report.name();
        let figures = report.state.iter().flat_map(|state| {
            [
                ("malloc-system", Some(state.system_bytes)),
                ("malloc-free", state.free_bytes),
                ("malloc-returnable", state.returnable_bytes),
            ]
        });
        for (section, bytes) in figures {
            writer.serialize(TraceCsvRow {
                bytes: bytes.map(|bytes| bytes as i64),
                ..row(section, &name)
            })?;
        }
    }
    for finding in &trace.findings {
        writer.serialize(row("finding", &finding.kind))?;
    }
    let bytes = writer.into_inner().map_err(|error| error.into_error())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn row<'a>(section: &'static str, name: &'a str) -> TraceCsvRow<'a> {
    TraceCsvRow {
        section,
        name,
        count: None,
        failed: None,
        bytes: None,
        peak_bytes: None,
    }
}
