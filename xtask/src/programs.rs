//! Other programs: whether they are there, how they are started, and what they say.

use crate::documents::root;
use anyhow::Context;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

/// A command in the repository's root, with the environment as it was before cargo came.
///
/// Cargo gives what it runs an `LD_LIBRARY_PATH` of its own. The loader would search all of it, and
/// its search would stand in every recording.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).env_remove("LD_LIBRARY_PATH");
    for (name, _) in std::env::vars_os() {
        let known = name.to_string_lossy();
        if known.starts_with("CARGO_PKG_") || known.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Whether a program of this name is in one of the PATH's directories; or a file or directory, if
/// it is an absolute path.
pub fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).exists())
}

/// Runs a program to its end, without its standard output.
pub fn finish<A: AsRef<OsStr>>(
    program: impl AsRef<Path>,
    arguments: impl IntoIterator<Item = A>,
) -> anyhow::Result<()> {
    run(command(program.as_ref())
        .args(arguments)
        .stdout(Stdio::null()))
}

/// Runs it to its end.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command
        .status()
        .with_context(|| format!("can't run {command:?}"))?;
    anyhow::ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}

/// What a program prints on standard output.
///
/// # Errors
///
/// When it can't be run or fails.
pub fn output<A: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = A>,
) -> anyhow::Result<String> {
    let output = command(program)
        .args(arguments)
        .stderr(Stdio::null())
        .output()
        .with_context(|| format!("can't run {program}"))?;
    anyhow::ensure!(output.status.success(), "{program}: {}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
