//! CSV: one row per checkpoint of each run, so that a spreadsheet or R can take it from there.

use crate::experiment::{Checkpoint, Results, Run};
use heap_growth::Fallback;
use serde::Serialize;

#[derive(Serialize)]
struct ExperimentCsvRow<'a> {
    experiment: &'a str,
    arm: &'a str,
    run: usize,
    checkpoint: &'a str,
    worked_seconds: f64,
    rss_bytes: u64,
    pss_bytes: u64,
    private_bytes: u64,
    peak_rss_bytes: u64,
    address_space_bytes: u64,
    heap_segment_bytes: u64,
    minor_faults: u64,
    major_faults: u64,
    run_wall_seconds: f64,
    run_brk_calls: Option<u64>,
    run_brk_to_grow: Option<u64>,
    run_brk_to_shrink: Option<u64>,
    run_brk_failed: Option<u64>,
    run_mmap_calls: Option<u64>,
    run_munmap_calls: Option<u64>,
    run_fallback_count: Option<u64>,
    run_fallback_bytes: Option<u64>,
}

/// The results as CSV with a header. What wasn't counted is an empty field.
///
/// # Errors
///
/// When a row can't be written, which no experiment yields.
pub fn experiment_csv(results: &Results) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for arm in &results.arms {
        for (index, run) in arm.runs.iter().enumerate() {
            for checkpoint in &run.checkpoints {
                writer.serialize(row(results, &arm.name, index + 1, run, checkpoint))?;
            }
        }
    }
    let bytes = writer.into_inner().map_err(|error| error.into_error())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn row<'a>(
    results: &'a Results,
    arm: &'a str,
    number: usize,
    run: &Run,
    checkpoint: &'a Checkpoint,
) -> ExperimentCsvRow<'a> {
    let Checkpoint { snapshot, .. } = checkpoint;
    let call = |name: &str| run.syscall(name);
    let moves = run.break_moves.as_ref();
    ExperimentCsvRow {
        experiment: &results.experiment,
        arm,
        run: number,
        checkpoint: &checkpoint.label,
        worked_seconds: checkpoint.worked_seconds,
        rss_bytes: snapshot.rss_bytes,
        pss_bytes: snapshot.pss_bytes,
        private_bytes: snapshot.private_bytes,
        peak_rss_bytes: snapshot.peak_rss_bytes,
        address_space_bytes: snapshot.address_space_bytes,
        heap_segment_bytes: snapshot.heap_segment_bytes,
        minor_faults: snapshot.minor_faults,
        major_faults: snapshot.major_faults,
        run_wall_seconds: run.wall_seconds,
        run_brk_calls: call("brk").map(|calls| calls.calls),
        run_brk_to_grow: moves.map(|moves| moves.to_grow),
        run_brk_to_shrink: moves.map(|moves| moves.to_shrink),
        run_brk_failed: call("brk").map(|calls| calls.failed),
        run_mmap_calls: call("mmap").map(|calls| calls.calls),
        run_munmap_calls: call("munmap").map(|calls| calls.calls),
        run_fallback_count: run.fallback.as_ref().map(Fallback::count),
        run_fallback_bytes: run.fallback.as_ref().map(Fallback::bytes),
    }
}
