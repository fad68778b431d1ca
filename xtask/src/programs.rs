//! Other programs: whether they are there, and how they are started.

use crate::documents::root;
use std::ffi::OsStr;
use std::process::Command;

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
