//! What looking into a process costs, its break and what its malloc keeps, beside what the kernel
//! takes to count its pages (`smaps_rollup`): of a small process, of one with much free memory in
//! many chunks, and of all of many.
//!
//! Both are done on this thread alone, where `brkhole inspect --all` has several, and by one that has
//! looked at others before: so it is for each process of a survey but the first. The processes that
//! are looked at do nothing.

use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use benches::waiting::Waiting;
use benches::{Bench, Contest, Mode, program};
use proc_memory::{BreakState, Process};
use ptmalloc::{Examination, Examiner};

const ROLE: &str = "keep";
/// Too large for a thread's cache, too small for a mapping of its own.
const BLOCK_BYTES: usize = 8 << 10;
/// With every second block freed, each is a free chunk of its own.
const FREE_BLOCKS: usize = 8192;
const FREE_BYTES: u64 = (FREE_BLOCKS * BLOCK_BYTES) as u64;

const ROLLUP: &str = "smaps_rollup";
const LOOK: &str = "look";

fn main() -> ExitCode {
    benches::main_with_roles("inspect", env!("CARGO_TARGET_TMPDIR"), |_, _| keep(), bench)
}

fn bench(bench: &mut Bench, _place: &Path) -> anyhow::Result<()> {
    let (rounds, many, share) = bench.by_mode((51, 200, 1), (9, 50, 4), (1, 3, 20));
    if bench.wants("inspect/small") {
        let small = Looked::at(vec![Waiting::sleeping()?], 0)?;
        bench.run(small.contest("inspect/small", 200 / share), rounds)?;
    }
    if bench.wants("inspect/64_MiB_free") {
        let large = Looked::at(vec![Waiting::of(&mut program::in_role(ROLE)?)?], FREE_BYTES)?;
        bench.run(large.contest("inspect/64_MiB_free", 20 / share), rounds)?;
    }
    if bench.wants("inspect/all") {
        if bench.mode() == Mode::Quick {
            bench.note(format!("all of {many} instead of 200, as this is --quick"));
        }
        let sleeping = (0..many).map(|_| Waiting::sleeping());
        let all = Looked::at(sleeping.collect::<anyhow::Result<_>>()?, 0)?;
        bench.run(all.contest("inspect/all", 1), rounds)?;
    }
    Ok(())
}

fn look(examiner: &mut Examiner, process: &Process) -> anyhow::Result<(BreakState, Examination)> {
    Ok(examiner.look(process, process.stat()?)?)
}

/// What `brkhole inspect --format json` does for a process, but for its name.
fn report(examiner: &mut Examiner, pid: i32) -> anyhow::Result<Vec<u8>> {
    let (heap, Examination { state, .. }) = look(examiner, &Process::open(pid)?)?;
    let state = state.with_context(|| format!("malloc of process {pid}"))?;
    Ok(serde_json::to_vec(&(heap, state))?)
}

/// Running processes that do nothing.
struct Looked {
    processes: Vec<Waiting>,
}

impl Looked {
    /// Looks whether each is what the bench takes it for.
    fn at(processes: Vec<Waiting>, least_free_bytes: u64) -> anyhow::Result<Self> {
        let mut examiner = Examiner::new();
        for process in &processes {
            let (heap, examination) = look(&mut examiner, &Process::open(process.pid())?)?;
            let state = examination.state.context("malloc isn't known")?;
            anyhow::ensure!(heap.start < heap.end, "no heap at the break: {heap:?}");
            anyhow::ensure!(
                state.free_bytes >= Some(least_free_bytes),
                "{:?} of {least_free_bytes} bytes free",
                state.free_bytes
            );
        }
        Ok(Self { processes })
    }

    /// Both ways of looking at all of them, so many times a run.
    fn contest<'a>(&'a self, name: &str, times: usize) -> Contest<'a> {
        let looks = times * self.processes.len();
        let (mut examiner, mut text) = (Examiner::new(), Vec::new());
        Contest::new(name)
            .parameter("processes", self.processes.len())
            .per("process", looks as f64, None)
            .arm(ROLLUP, move || self.seconds(times, |pid| rollup(pid, &mut text)))
            .arm(LOOK, move || {
                self.seconds(times, |pid| report(&mut examiner, pid).map(black_box).map(drop))
            })
            .compare(ROLLUP, LOOK)
    }

    fn seconds(
        &self,
        times: usize,
        mut look: impl FnMut(i32) -> anyhow::Result<()>,
    ) -> anyhow::Result<f64> {
        let began = Instant::now();
        for _ in 0..times {
            for process in &self.processes {
                look(process.pid())?;
            }
        }
        Ok(began.elapsed().as_secs_f64())
    }
}

fn rollup(pid: i32, text: &mut Vec<u8>) -> anyhow::Result<()> {
    text.clear();
    let name = format!("/proc/{pid}/smaps_rollup");
    let mut file = File::open(&name).with_context(|| format!("can't read {name}"))?;
    file.read_to_end(text)?;
    anyhow::ensure!(!text.is_empty(), "{name} is empty");
    Ok(())
}

/// In the process that is looked at: frees every second block, and waits.
fn keep() -> anyhow::Result<ExitCode> {
    let block = |_| vec![0xA5_u8; BLOCK_BYTES];
    let mut blocks: Vec<Vec<u8>> = (0..2 * FREE_BLOCKS).map(block).collect();
    blocks.iter_mut().step_by(2).for_each(|block| *block = Vec::new());
    println!("ready");
    // It ends with whoever looks.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    drop(blocks);
    Ok(ExitCode::SUCCESS)
}
