//! Chapter `burst`: many 16 KiB blocks taken and freed, as request pools are in a burst of traffic.

use crate::chapter::Chapter;
use crate::child::Child;
use crate::judge;
use crate::process::{MallocBlocks, malloc_trim};
use anyhow::Context;
use brk_hole::Vm;
use heap_diagnosis::Finding;
use heap_meter::experiment::{Metric, Results, Unit};
use std::path::Path;

/// The flags of `burst`.
#[derive(Clone, Debug, clap::Args)]
pub struct Burst {
    /// How many blocks are held at once
    #[arg(long, value_name = "N", default_value_t = 16_384, value_parser = clap::value_parser!(u64).range(1..))]
    pub blocks: u64,

    /// Bytes of a block; from 128 KiB on malloc gives each block a mapping of its own
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 10, value_parser = clap::value_parser!(u64).range(16..))]
    pub block_bytes: u64,
}

/// Before the first block.
const START: &str = "start";
/// All blocks are held and written to.
const TAKEN: &str = "taken";
/// All blocks are freed.
const FREED: &str = "freed";
/// malloc was told to give back what it can.
const TRIMMED: &str = "trimmed";

impl Chapter for Burst {
    const NAME: &'static str = "burst";
    const ABOUT: &'static str = "What is left of a burst of requests when their memory is freed, with the program break \
         free (control) and blocked (hole)";
    const EXAMPLES: &'static str = "Examples:
  cargo run --release --bin burst
  cargo run --release --bin burst -- --blocks 65536 --repeats 3
  cargo run --release --bin burst -- --format csv > burst.csv";

    fn bundle(&self) -> Option<Option<&Path>> {
        None
    }

    fn parameters(&self) -> Vec<(&'static str, u64)> {
        vec![("blocks", self.blocks), ("block_bytes", self.block_bytes)]
    }

    fn work(parameters: &[u64], bundle: Option<&Path>, child: &Child) -> anyhow::Result<()> {
        let (&[blocks, block_bytes], None) = (parameters, bundle) else {
            anyhow::bail!("expected the number of blocks and their size");
        };
        let vm = Vm::new().context("can't make the Lua state")?;
        work(blocks, usize::try_from(block_bytes)?, child)?;
        drop(vm);
        Ok(())
    }

    fn metrics(&self) -> Vec<Metric> {
        let mut metrics =
            vec![Metric::new("time", "time", Unit::Seconds, |run| Some(run.wall_seconds))];
        metrics.extend(judge::memory_metrics(TAKEN, FREED, TRIMMED));
        metrics
    }

    fn findings(&self, results: &Results) -> Vec<Finding> {
        let mut findings = Vec::new();
        findings.extend(judge::memory_kept(results, TAKEN, FREED, TRIMMED));
        findings.extend(judge::break_blocked(results));
        findings
    }
}

fn work(blocks: u64, block_bytes: usize, child: &Child) -> anyhow::Result<()> {
    // A block and its header, and some more: malloc grows in steps.
    let room = blocks.saturating_mul(block_bytes as u64 + 64) + (1 << 20);
    if !child.counts(room)? {
        return Ok(());
    }
    child.checkpoints.reach(START)?;
    let chain = MallocBlocks::take(blocks, block_bytes).with_context(|| {
        format!("malloc gave out fewer than {blocks} blocks of {block_bytes} bytes")
    })?;
    child.held(TAKEN)?;
    drop(chain);
    child.checkpoints.reach_examined(FREED)?;
    malloc_trim();
    child.checkpoints.reach(TRIMMED)?;
    Ok(())
}
