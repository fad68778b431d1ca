//! Rows for a spreadsheet or R: of anything, of an experiment, of a watched run.

use crate::experiment::Results;
use crate::trace::Trace;
use heap_growth::{Fallback, GrowthKind};
use serde_json::Value;

/// A row of CSV, made field by field.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CsvRow(Vec<(&'static str, Value)>);

impl CsvRow {
    /// A row without fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field to the right; null is an empty one.
    #[must_use]
    pub fn field(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.push((name, value.into()));
        self
    }
}

/// Rows as CSV with a header, which is made of the names of the first one's fields. No rows, no
/// header.
///
/// # Errors
/// When a row can't be written: it must have as many fields as the first, and plain ones.
pub fn rows_csv(rows: impl IntoIterator<Item = CsvRow>) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for (number, CsvRow(fields)) in rows.into_iter().enumerate() {
        if number == 0 {
            writer.write_record(fields.iter().map(|(name, _)| name))?;
        }
        let values: Vec<&Value> = fields.iter().map(|(_, value)| value).collect();
        writer.serialize(values)?;
    }
    let bytes = writer.into_inner().map_err(|error| error.into_error())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The results as CSV with a header, a row per checkpoint of each run. What wasn't counted is an
/// empty field.
///
/// # Errors
/// When a row can't be written, which no experiment yields.
pub fn experiment_csv(results: &Results) -> Result<String, csv::Error> {
    let mut rows = Vec::new();
    for arm in &results.arms {
        for (number, run) in (1_usize..).zip(&arm.runs) {
            let brk = run.syscall("brk");
            let moves = run.break_moves.as_ref();
            let calls = |name: &str| run.syscall(name).map(|counts| counts.calls);
            rows.extend(run.checkpoints.iter().map(|at| {
                CsvRow::new()
                    .field("experiment", &*results.experiment)
                    .field("arm", &*arm.name)
                    .field("run", number)
                    .field("checkpoint", &*at.label)
                    .field("worked_seconds", at.worked_seconds)
                    .field("rss_bytes", at.snapshot.rss_bytes)
                    .field("pss_bytes", at.snapshot.pss_bytes)
                    .field("private_bytes", at.snapshot.private_bytes)
                    .field("peak_rss_bytes", at.snapshot.peak_rss_bytes)
                    .field("address_space_bytes", at.snapshot.address_space_bytes)
                    .field("heap_segment_bytes", at.snapshot.heap_segment_bytes)
                    .field("minor_faults", at.snapshot.minor_faults)
                    .field("major_faults", at.snapshot.major_faults)
                    .field("run_wall_seconds", run.wall_seconds)
                    .field("run_brk_calls", calls("brk"))
                    .field("run_brk_to_grow", moves.map(|moves| moves.to_grow))
                    .field("run_brk_to_shrink", moves.map(|moves| moves.to_shrink))
                    .field("run_brk_failed", brk.map(|counts| counts.failed))
                    .field("run_mmap_calls", calls("mmap"))
                    .field("run_munmap_calls", calls("munmap"))
                    .field("run_fallback_count", run.fallback.as_ref().map(Fallback::count))
                    .field("run_fallback_bytes", run.fallback.as_ref().map(Fallback::bytes))
            }));
        }
    }
    rows_csv(rows)
}

/// The run as CSV with a header, one row for each thing that was counted; sections `syscall`, `kind`,
/// `process`, `file`, `stack`, `fallback`, `malloc-system`, `malloc-free`, `malloc-returnable` (a row for each
/// process that was looked into; no bytes where they aren't known), `finding`.
///
/// Stacks are folded, outermost frame first, as flame graphs take them.
///
/// # Errors
/// When a row can't be written, which no trace yields.
pub fn trace_csv(trace: &Trace) -> Result<String, csv::Error> {
    let mut rows = Vec::new();
    let mut row = |section: &str, name: &str, counts: [Option<u64>; 2], bytes: [Option<i64>; 2]| {
        rows.push(
            CsvRow::new()
                .field("section", section)
                .field("name", name)
                .field("count", counts[0])
                .field("failed", counts[1])
                .field("bytes", bytes[0])
                .field("peak_bytes", bytes[1]),
        );
    };
    let signed = |bytes: u64| Some(bytes as i64);
    for (name, counts) in trace.syscalls.by_name() {
        row("syscall", name, [counts.calls, counts.failed].map(Some), [None; 2]);
    }
    for kind in GrowthKind::ALL {
        let growth = [&trace.growth.by_kind, &trace.growth.peak_by_kind];
        row("kind", kind.name(), [None; 2], growth.map(|bytes| bytes.get(kind)));
    }
    for process in &trace.growth.by_process {
        row("process", &process.name(), [None; 2], [Some(process.bytes), None]);
    }
    if let Some(bytes) = trace.growth.programs_left_out_bytes {
        let count = Some(trace.growth.programs_left_out);
        row("process", "(others)", [count, None], [Some(bytes), None]);
    }
    for file in &trace.growth.by_file {
        let bytes = [file.bytes.and_then(signed), None];
        row("file", &file.path, [Some(file.opens), None], bytes);
    }
    for stack in &trace.growth.by_stack {
        let frames: Vec<&str> = stack.frames.iter().rev().map(|frame| &**frame).collect();
        let bytes = [signed(stack.bytes), None];
        row("stack", &frames.join(";"), [Some(stack.count), None], bytes);
    }
    for (size, count) in trace.fallback.iter().flat_map(Fallback::sizes) {
        let bytes = [signed(size.saturating_mul(*count)), None];
        row("fallback", &size.to_string(), [Some(*count), None], bytes);
    }
    for report in trace.malloc.iter().flatten() {
        if let Some(state) = &report.state {
            for (section, bytes) in [
                ("malloc-system", Some(state.system_bytes)),
                ("malloc-free", state.free_bytes),
                ("malloc-returnable", state.returnable_bytes),
            ] {
                let bytes = [bytes.and_then(signed), None];
                row(section, &report.name(), [None; 2], bytes);
            }
        }
    }
    for finding in &trace.findings {
        row("finding", &finding.kind, [None; 2], [None; 2]);
    }
    rows_csv(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_in_a_field_is_no_column() {
        let row = |name: &str, bytes: Option<u64>| {
            CsvRow::new().field("name", name).field("bytes", bytes)
        };
        let text = rows_csv([row("a,b", Some(1)), row("c", None)]).unwrap();
        assert_eq!(text, "name,bytes\n\"a,b\",1\nc,\n");
    }
}
