//! How fast an strace log is explained, beside the least that can be done with one: `grep -c`
//! for one word. Required: at most 2.5 times as long, for a log of 500 MB of which a quarter of the
//! lines are calls that are watched.
//!
//! Both are fresh processes and read the file from the page cache. Explaining is what the command
//! does: every line understood, the whole story told, the report printed.

use std::ffi::OsString;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::Context;
use benches::inputs::{self, Contents};
use benches::{Bench, Contest, Mode, RatioLimits, program};
use heap_growth::Story;
use heap_meter::report;
use heap_meter::trace::{EventSource, Trace};
use memory_event::Syscall;
use serde_json::{Value, json};
use strace_log::StraceLog;

const NAME: &str = "explain/log";

const GREP: &str = "grep -c 'brk('";
const EXPLAIN: &str = "explain";

fn main() -> ExitCode {
    benches::main_with_roles("explain", env!("CARGO_TARGET_TMPDIR"), explain, bench)
}

fn bench(bench: &mut Bench, place: &Path) -> anyhow::Result<()> {
    if !bench.wants(NAME) {
        return Ok(());
    }
    let (rounds, bytes) = bench.by_mode((15, 500_000_000), (9, 50_000_000), (1, 500_000));
    if bench.mode() == Mode::Quick {
        bench.note("with a log of 50 MB instead of 500 MB, as this is --quick");
    }
    let path = place.join("strace.txt");
    let file = File::create(&path).with_context(|| format!("can't write {}", path.display()))?;
    let contents = inputs::write_log(bytes, &mut BufWriter::with_capacity(1 << 20, file))
        .with_context(|| format!("can't write {}", path.display()))?;
    check(&path, contents)?;
    let contest = Contest::new(NAME)
        .parameter("bytes", contents.bytes)
        .parameter("lines", contents.lines)
        .parameter("brk_lines", contents.brks)
        .per("line", contents.lines as f64, None)
        .arm(GREP, || seconds(&mut grep(&path)))
        .arm(EXPLAIN, || seconds(program::in_role(EXPLAIN)?.arg(&path)))
        .require(GREP, EXPLAIN, RatioLimits::at_most(2.5));
    bench.run(contest, rounds)
}

/// Both have to find what the log holds.
fn check(path: &Path, contents: Contents) -> anyhow::Result<()> {
    let count = said(&mut grep(path))?;
    let count = count.trim();
    anyhow::ensure!(
        count == contents.brks.to_string(),
        "grep found {count} lines with brk of {}",
        contents.brks
    );
    let said = said(program::in_role(EXPLAIN)?.arg(path))?;
    let last = said.lines().last().unwrap_or_default();
    let found: Value = serde_json::from_str(last).context("explain's counts")?;
    let expected = json!({
        "lines": contents.lines,
        "unread": 0,
        "brks": contents.brks,
        "refused": contents.refused,
    });
    anyhow::ensure!(found == expected, "explain found {found} of {expected}");
    Ok(())
}

fn grep(path: &Path) -> Command {
    let mut command = Command::new("grep");
    command.args(["-c", "brk("]).arg(path);
    command
}

/// Seconds from starting a command to its end. What it says is read: a grep that writes to
/// `/dev/null` stops at the first line that it finds.
fn seconds(command: &mut Command) -> anyhow::Result<f64> {
    let started = Instant::now();
    said(command)?;
    Ok(started.elapsed().as_secs_f64())
}

fn said(command: &mut Command) -> anyhow::Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("can't start {name}"))?;
    anyhow::ensure!(output.status.success(), "{name}: {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// In the fresh process: what `brkhole explain` does, then the counts.
fn explain(_role: &str, arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let [path] = arguments else {
        anyhow::bail!("expected a log");
    };
    let name = path.to_string_lossy();
    let file = File::open(path).with_context(|| format!("can't read {name}"))?;
    let mut reader = StraceLog::new(Story::default());
    reader.read(&name, file)?;
    let finished = reader.finish();
    let trace = Trace::of(&finished.sink, EventSource::StraceLog, None);
    print!(
        "{}",
        report::fit(
            &report::trace_table(&trace, report::Extent::TEXT).to_string(),
            report::COLUMNS
        )
    );
    let brk = finished.sink.tally.get(Syscall::Brk);
    let counts = json!({
        "lines": finished.lines,
        "unread": finished.unread.count,
        "brks": brk.calls,
        "refused": brk.failed,
    });
    println!("{counts}");
    Ok(ExitCode::SUCCESS)
}
