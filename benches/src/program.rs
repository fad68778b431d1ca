//! C programs that benches measure, and the time that a program takes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::Context;

/// Compiles a C program that needs nothing but the C library to `directory`.
///
/// # Errors
///
/// When there is no C compiler called `cc`, or it refuses the program.
pub fn compile(source: &Path, directory: &Path) -> anyhow::Result<PathBuf> {
    let name = source.file_stem().context("a source has a name")?;
    let program = directory.join(name);
    let output = Command::new("cc")
        .args(["-O2", "-Wall", "-Wextra", "-Werror", "-o"])
        .args([&program, &source.to_owned()])
        .output()
        .context("a C compiler called cc is needed (apt-get install gcc)")?;
    anyhow::ensure!(
        output.status.success(),
        "{} does not compile:\n{}",
        source.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(program)
}

/// Seconds from starting a command to its end; what it writes is thrown away.
///
/// # Errors
///
/// When it can't be started or doesn't end with status 0.
pub fn seconds(command: &mut Command) -> anyhow::Result<f64> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let name = command.get_program().to_string_lossy().into_owned();
    let started = Instant::now();
    let status = command
        .status()
        .with_context(|| format!("can't start {name}"))?;
    let seconds = started.elapsed().as_secs_f64();
    anyhow::ensure!(status.success(), "{name}: {status}");
    Ok(seconds)
}

/// First line of what a command says on standard output; `None` when there is no such command.
pub fn first_line(command: &str, argument: &str) -> Option<String> {
    let output = Command::new(command).arg(argument).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.lines().next()?.trim().to_owned())
}
