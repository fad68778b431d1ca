//! What benches run: C programs, themselves again in a role, and what a report says of the machine and
//! of what was measured with.

use anyhow::Context;
use heap_meter::environment::Environment;
use memory_trace::Target;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use std::{env, fs, io};

/// Compiles a C program that needs nothing but the C library to `directory`; its source is named as
/// from this package's own.
///
/// # Errors
/// When there is no C compiler called `cc`, or it refuses the program.
pub fn compile(source: &str, directory: &Path) -> anyhow::Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
    let name = source.file_stem().context("a source has a name")?;
    let program = directory.join(name);
    let output = Command::new("cc")
        .args(["-O2", "-Wall", "-Wextra", "-Werror", "-o"])
        .args([&program, &source])
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
/// When it can't be started or doesn't end with status 0.
pub fn seconds(command: &mut Command) -> anyhow::Result<f64> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let name = command.get_program().to_string_lossy().into_owned();
    let started = Instant::now();
    let status = command.status().with_context(|| format!("can't start {name}"))?;
    let seconds = started.elapsed().as_secs_f64();
    anyhow::ensure!(status.success(), "{name}: {status}");
    Ok(seconds)
}

/// First line of what a command says of its version; `None` when there is no such command.
fn version(command: &str) -> Option<String> {
    let output = Command::new(command).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.lines().next()?.trim().to_owned())
}

const VARIABLE: &str = "BRKHOLE_BENCH_ROLE";

/// The role that this process was started for, and its arguments; `None` in the bench itself.
pub fn role() -> Option<(String, Vec<OsString>)> {
    let role = env::var(VARIABLE).ok()?;
    Some((role, env::args_os().skip(1).collect()))
}

/// This program again, in a role.
///
/// # Errors
/// When its own file can't be found.
pub fn in_role(role: &str) -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.env(VARIABLE, role);
    Ok(command)
}

/// Takes the role out of the environment of what this process starts.
pub fn without_role(target: Target) -> Target {
    target.env_remove(VARIABLE)
}

/// The machine, OpenSSL, the C compiler, strace where it is installed, and how busy the machine was
/// when this was asked.
pub fn environment() -> Environment {
    let mut environment = Environment::here().with("openssl", trusted_ca::openssl_version());
    for command in ["rustc", "cc", "strace"] {
        if let Some(version) = version(command) {
            environment = environment.with(command, version);
        }
    }
    match load_average() {
        Some(load) => environment.with("load_average_1m", load),
        None => environment,
    }
}

/// Processes that ran or wanted to, on average over the last minute.
pub fn load_average() -> Option<f64> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next()?.parse().ok()
}
