//! How much memory tracing itself takes at most: constant, however long the run. Required: under
//! 48 MiB for a program that makes 1,000,000 memory calls.
//!
//! The tracer is a fresh process, as the command is, and its own peak is what the kernel noted
//! (`VmHWM`). One run each: a peak hardly varies. On one processor, where a million stops take
//! half a minute instead of several.

use anyhow::Context;
use benches::kernel::Processors;
use benches::launched::{self, LAUNCH, STACKS};
use benches::{Bench, Figure, Mode, program};
use human_text::thousands;
use serde_json::Value;
use std::path::Path;
use std::process::{ExitCode, Stdio};

const MOST_BYTES: u64 = 48 << 20;

fn main() -> ExitCode {
    launched::main("footprint", env!("CARGO_TARGET_TMPDIR"), bench)
}

fn bench(bench: &mut Bench, place: &Path) -> anyhow::Result<()> {
    let calls = bench.by_mode(1_000_000, 50_000, 500);
    let program = program::compile("programs/mixed.c", place)?;
    let _processors = Processors::keep_to(true).inspect_err(|reason| {
        bench.note(format!("can't keep to one processor: {reason}"));
    });
    if bench.mode() == Mode::Quick {
        bench.note(format!(
            "with {} calls instead of 1,000,000, as this is --quick",
            thousands(calls)
        ));
    }
    // A tenth, to see whether it stays; and with stacks, of which nothing is required.
    for (name, role, calls, required) in [
        ("footprint/launch_a_tenth", LAUNCH, calls / 10, None),
        ("footprint/launch", LAUNCH, calls, Some(MOST_BYTES)),
        ("footprint/stacks", STACKS, calls / 10, None),
    ] {
        if !bench.wants(name) {
            continue;
        }
        let (calls, peak_rss_bytes) = launched(role, &program, calls)?;
        let mut figure = Figure::new(name, peak_rss_bytes).parameter("calls", calls);
        if let Some(limit) = required {
            figure = figure.at_most(limit);
        }
        bench.figure(figure)?;
    }
    Ok(())
}

/// Has a tracer watch so many calls; those that it has seen, and its peak.
fn launched(role: &str, program: &Path, calls: u64) -> anyhow::Result<(u64, u64)> {
    let output = program::in_role(role)?
        .arg(program)
        .arg(calls.to_string())
        .stdin(Stdio::null())
        .output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{}: {told}", output.status);
    let trace: Value = serde_json::from_str(&told)
        .with_context(|| format!("expected JSON, the tracer said {told}"))?;
    let peak_rss_bytes = trace["observer"]["peak_rss_bytes"].as_u64();
    let syscalls = trace["syscalls"].as_object();
    let counts = syscalls.into_iter().flat_map(|by_name| by_name.values());
    let seen = counts.filter_map(|counts| counts["calls"].as_u64()).sum();
    anyhow::ensure!(seen >= calls, "{seen} of {calls} calls seen");
    let peak_rss_bytes = peak_rss_bytes.context("the tracer told no peak")?;
    Ok((seen, peak_rss_bytes))
}
