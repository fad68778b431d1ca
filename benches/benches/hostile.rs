//! What `brkhole inspect --all` takes beside 500 processes that have made something big: time beside
//! the same without them, its peak of memory, and whether the others' figures are still told.
//! Required: no more memory than the fleet's unit gives it, and all of the others' figures.
//!
//! They are started once, as it takes long, so that the two don't take turns: those without them
//! come first. As root they are another user's, as each user has a share of a survey.

use anyhow::Context;
use benches::waiting::Waiting;
use benches::{Bench, Figure, Mode, kernel, program};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

/// MemoryMax of the fleet's unit.
const MOST_BYTES: u64 = 256 << 20;
const NOBODY: u32 = 65534;
/// What each makes, and how much of it.
const KINDS: [(&str, u64); 7] = [
    ("places", 8),
    ("ring", 9_000),
    ("ring", 8_000),
    ("libraries", 4),
    ("names", 3_000),
    ("chunks", 150_000),
    ("data", 40),
];

fn main() -> ExitCode {
    benches::main("hostile", env!("CARGO_TARGET_TMPDIR"), bench)
}

fn bench(bench: &mut Bench, _place: &Path) -> anyhow::Result<()> {
    let (many, others) = bench.by_mode((500, 50), (35, 20), (7, 3));
    let name = "hostile/all";
    if !bench.wants(name) {
        return Ok(());
    }
    let Some(brkhole) = bench.brkhole(name) else {
        return Ok(());
    };
    if bench.mode() == Mode::Quick {
        bench.note(format!("beside {many} instead of 500, as this is --quick"));
    }
    // Whoever they are run by has to reach it.
    let place = tempfile::tempdir()?;
    std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o755))?;
    let source = "../crates/brkhole/tests/programs/hostile.c";
    let hostile = program::compile(source, place.path())?;
    let others: Vec<Waiting> =
        (0..others).map(|_| Waiting::sleeping()).collect::<anyhow::Result<_>>()?;
    let alone = Survey::of(&brkhole, &others)?;
    let _hostile = (0..many)
        .map(|number| start(&hostile, place.path(), number))
        .collect::<anyhow::Result<Vec<Waiting>>>()?;
    let beside = Survey::of(&brkhole, &others)?;
    bench.note(format!(
        "beside {many} it took {:.1} s, {:.1} times as long as the {:.2} s without them; of {} others \
         {} were told",
        beside.seconds,
        beside.seconds / alone.seconds,
        alone.seconds,
        others.len(),
        beside.told
    ));
    bench.figure(
        Figure::new(name, beside.peak_rss_bytes)
            .parameter("hostile", many as u64)
            .at_most(MOST_BYTES),
    )?;
    anyhow::ensure!(
        (alone.told, beside.told) == (others.len(), others.len()),
        "of {} others {} were told without them, {} beside them",
        others.len(),
        alone.told,
        beside.told
    );
    Ok(())
}

/// One that has made something big, in a directory of its own.
fn start(program: &Path, place: &Path, number: usize) -> anyhow::Result<Waiting> {
    let directory = place.join(number.to_string());
    std::fs::create_dir(&directory)?;
    std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o777))?;
    let (kind, count) = KINDS[number % KINDS.len()];
    let mut command = Command::new(program);
    command.args([kind, &count.to_string()]).current_dir(directory);
    if nix::unistd::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    Waiting::of(&mut command)
}

/// What looking at everybody took, and gave.
struct Survey {
    seconds: f64,
    peak_rss_bytes: u64,
    /// Of the others, those whose malloc is known.
    told: usize,
}

impl Survey {
    fn of(brkhole: &Path, others: &[Waiting]) -> anyhow::Result<Self> {
        let report = tempfile::NamedTempFile::new()?;
        let began = Instant::now();
        let child = Command::new(brkhole)
            .args(["inspect", "--all", "--format", "json", "-o"])
            .arg(report.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("can't start brkhole")?;
        let (status, peak_rss_bytes) = kernel::ended(child)?;
        let seconds = began.elapsed().as_secs_f64();
        anyhow::ensure!(status.success(), "brkhole inspect --all: {status}");
        let report: Value = serde_json::from_slice(&std::fs::read(report.path())?)?;
        let processes = report["processes"].as_array().context("a list of processes")?;
        let is_told = |one: &&Waiting| {
            let mut all = processes.iter();
            let found = all.find(|process| process["pid"] == one.pid());
            found.is_some_and(|process| process["malloc"].is_object())
        };
        Ok(Self { seconds, peak_rss_bytes, told: others.iter().filter(is_told).count() })
    }
}
