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

use crate::documents::{Document, Fault, fence};

use crate::documents;
use crate::documents::fail_on;
use anyhow::Context;
use roots::repository::{self, command, target};
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
        blocks.extend(blocks_of(&document, &mut faults));
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
    let is_run = |block: &&ShellBlock| block.needs.is_ok();
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
    let needs = match &block.needs {
        Ok(needs) => needs,
        Err(why) => {
            println!("skipped  {place}  {first}  ({why})");
            return Ok(true);
        }
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

#[derive(Debug, PartialEq, Eq)]
pub struct ShellBlock {
    pub file: String,
    /// Line of the first command.
    pub line: usize,
    pub script: String,
    /// What a comment before it says: which programs it needs, or why it isn't run.
    pub needs: Result<Vec<String>, String>,
}

/// The language of commands: without a prompt, so that a reader can copy them.
const LANGUAGE: &str = "sh";

/// Languages in which commands would escape being run.
const OTHERS: [&str; 6] = ["bash", "console", "shell", "zsh", "shell-session", "terminal"];

/// The blocks of commands in a document; what is wrong with one is noted as a fault.
fn blocks_of(document: &Document, faults: &mut Vec<Fault>) -> Vec<ShellBlock> {
    let mut blocks = Vec::new();
    let mut before = "";
    let mut lines = document.text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let Some((ticks, language)) = fence(line) else {
            before = line;
            continue;
        };
        let content: Vec<&str> = lines
            .by_ref()
            .map(|(_, line)| line)
            .take_while(|line| {
                fence(line).is_none_or(|(end, rest)| end < ticks || !rest.is_empty())
            })
            .collect();
        let mut fault =
            |message: String| faults.push(Fault::new(&document.name, index + 1, message));
        if OTHERS.contains(&language) {
            fault(format!("commands stand in a block of the language {LANGUAGE}, not {language}"));
        }
        if language == LANGUAGE {
            match script(&content) {
                Ok(script) => blocks.push(ShellBlock {
                    file: document.name.clone(),
                    line: index + 2,
                    script,
                    needs: needs(before),
                }),
                Err(message) => fault(message),
            }
        }
        before = "";
    }
    blocks
}

fn needs(comment: &str) -> Result<Vec<String>, String> {
    let words = comment
        .trim()
        .strip_prefix("<!-- ")
        .and_then(|comment| comment.strip_suffix(" -->"))
        .unwrap_or_default();
    if let Some(why) = words.strip_prefix("not run: ") {
        return Err(why.to_owned());
    }
    let needs = words.strip_prefix("needs: ").unwrap_or_default();
    Ok(needs.split_whitespace().map(str::to_owned).collect())
}

/// The commands as they stand.
fn script(lines: &[&str]) -> Result<String, String> {
    if let Some(line) = lines.iter().find(|line| line.starts_with("$ ")) {
        return Err(format!("no prompt, so that it can be copied: {line:?}"));
    }
    let script: String = lines.iter().map(|line| format!("{line}\n")).collect();
    if script.trim().is_empty() {
        return Err("the block of commands is empty".to_owned());
    }
    Ok(script)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> (Vec<ShellBlock>, Vec<String>) {
        let document = Document { name: "page.md".to_owned(), text: text.to_owned() };
        let mut faults = Vec::new();
        let blocks = blocks_of(&document, &mut faults);
        (blocks, faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn commands_keep_their_lines() {
        let (blocks, faults) = found("text\n\n```sh\na \\\n    b\nc\n```\n\n```text\n$ d\n```\n");
        assert!(faults.is_empty(), "{faults:?}");
        assert_eq!(blocks.len(), 1);
        assert_eq!((blocks[0].script.as_str(), blocks[0].line), ("a \\\n    b\nc\n", 4));
    }

    #[test]
    fn a_comment_before_it_decides_a_blocks_fate() {
        let fate = |comment: &str| {
            let (mut blocks, _) = found(&format!("{comment}\n```sh\na\n```\n"));
            blocks.remove(0).needs
        };
        assert_eq!(fate("<!-- not run: too long -->"), Err("too long".to_owned()));
        let needs = vec!["gdb".to_owned(), "nginx".to_owned()];
        assert_eq!(fate("<!-- needs: gdb nginx -->"), Ok(needs));
        assert_eq!(fate("A sentence."), Ok(Vec::new()));
    }

    #[test]
    fn prompts_and_other_languages_are_refused() {
        let (_, faults) = found("```sh\n$ a\n```\n```console\n$ b\n```\n```sh\n```\n");
        assert_eq!(
            faults,
            [
                "page.md:1: no prompt, so that it can be copied: \"$ a\"",
                "page.md:4: commands stand in a block of the language sh, not console",
                "page.md:7: the block of commands is empty",
            ]
        );
    }
}
