//! A bench that runs itself again, to do one thing in a fresh process.

use std::env;
use std::ffi::OsString;
use std::io;
use std::process::Command;

use memtrace::Target;

const VARIABLE: &str = "BRKHOLE_BENCH_ROLE";

/// The role that this process was started for, and its arguments; `None` in the bench itself.
pub fn taken() -> Option<(String, Vec<OsString>)> {
    let role = env::var(VARIABLE).ok()?;
    Some((role, env::args_os().skip(1).collect()))
}

/// This program again, in a role.
///
/// # Errors
///
/// When its own file can't be found.
pub fn command(role: &str) -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.env(VARIABLE, role);
    Ok(command)
}

/// Takes the role out of the environment of what this process starts.
pub fn not_inherited(target: Target) -> Target {
    target.env_remove(VARIABLE)
}
