//! The commands that README and book show are run, so that they work.
//!
//! Blocks of the language `sh` hold them, without prompts, so that a reader can copy them:
//!
//! ````text
//! <!-- needs: strace -->
//! ```sh
//! BRKHOLE_ARM=hole strace -c target/release/locations 5 \
//!     /etc/ssl/certs/ca-certificates.crt
//! ```
//! ````
//!
//! A comment on the line before may say `needs: PROGRAM…`, or `not run: WHY`. `brkhole` itself is
//! always there: it is built first, and is the first that the shell finds. The lines of a block
//! are one shell script: a `cd` or a variable holds to its end, and the first failure ends it.
//! `/tmp/brkhole` in a command is replaced by a fresh directory. A block shows no output: what a
//! command prints belongs into a block that is filled from a run (see [`figures`](crate::figures)).

mod shell_block;

use crate::documents;
use crate::documents::fail_on;
use anyhow::Context;
use roots::repository::{self, command, target};
use shell_block::{Fate, ShellBlock};
use std::iter;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// What the documents call the directory for output.
const SCRATCH: &str = "/tmp/brkhole";

/// The command of this repository.
const OURS: &str = "brkhole";

/// Runs the commands of these documents, or of all. Where a program is missing, its block is skipped, or, when
/// `strict`, failed.
///
/// # Errors
///
/// When a document is unknown or a command fails; the others are run all the same.
pub fn run(strict: bool, files: &[String]) -> anyhow::Result<()> {
    let mut faults = Vec::new();
    let mut blocks = Vec::new();
    let documents = documents::all()?;
    for file in files {
        let known = documents.iter().any(|document| &document.name == file);
        anyhow::ensure!(known, "{file} is none of the documents");
    }
    for document in documents {
        if !files.is_empty() && !files.contains(&document.name) {
            continue;
        }
        blocks.extend(shell_block::blocks(&document, &mut faults));
    }
    fail_on(&faults, "")?;
    let built = built(&blocks)?;
    let mut failed = 0;
    for block in &blocks {
        failed += u32::from(!settled(block, strict, &built)?);
    }
    anyhow::ensure!(failed == 0, "{failed} of {} blocks failed", blocks.len());
    Ok(())
}

/// Builds the command, if a block that is run has it; where it then is.
fn built(blocks: &[ShellBlock]) -> anyhow::Result<PathBuf> {
    let is_run = |block: &&ShellBlock| matches!(block.fate, Fate::Run { .. });
    let names_it = |block: &ShellBlock| block.script.split_whitespace().any(|word| word == OURS);
    if blocks.iter().filter(is_run).any(names_it) {
        let arguments = ["build", "--release", "--quiet", "--package", OURS];
        repository::run(command("cargo").args(arguments))?;
    }
    Ok(target().join("release"))
}

/// Whether a program of this name is in one of the PATH's directories; or a file or directory, if
/// it is an absolute path.
pub fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).exists())
}

/// Runs or skips one block, and says so. Whether all is well.
fn settled(block: &ShellBlock, strict: bool, built: &Path) -> anyhow::Result<bool> {
    let place = format!("{}:{}", block.file, block.line);
    let first = block.script.lines().next().unwrap_or_default();
    let needs = match &block.fate {
        Fate::NotRun(why) => {
            println!("skipped  {place}  {first}  ({why})");
            return Ok(true);
        }
        Fate::Run { needs } => needs,
    };
    if let Some(missing) = needs.iter().find(|program| !is_installed(program)) {
        let word = if strict { "FAILED " } else { "skipped" };
        println!("{word}  {place}  {first}  ({missing} isn't installed)");
        return Ok(!strict);
    }
    let scratch = tempfile::tempdir().context("can't make a directory for output")?;
    let begun = Instant::now();
    let output = shell(&block.script, scratch.path(), built)?
        .output()
        .with_context(|| format!("{place}: can't run sh"))?;
    let seconds = begun.elapsed().as_secs_f64();
    if output.status.success() {
        println!("ok       {place}  {first}  ({seconds:.1} s)");
        return Ok(true);
    }
    println!("FAILED   {place}  {first}  ({})", output.status);
    for stream in [&output.stdout, &output.stderr] {
        print!("{}", String::from_utf8_lossy(stream));
    }
    Ok(false)
}

fn shell(script: &str, scratch: &Path, built: &Path) -> anyhow::Result<Command> {
    let script = script.replace(SCRATCH, &scratch.to_string_lossy());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = iter::once(built.to_owned()).chain(std::env::split_paths(&path));
    let mut command = command("sh");
    command
        .args(["-euc", &script])
        .env("PATH", std::env::join_paths(path)?)
        .env("TMPDIR", scratch)
        .stdin(Stdio::null());
    Ok(command)
}
