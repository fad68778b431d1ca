//! What a root's linker makes of a package of this workspace.
//!
//! Something linked against a newer glibc asks for that glibc's symbol versions, and an older one
//! refuses to load it: what is built in the oldest root runs in all. Rust's compiler itself runs
//! with any of them, so this machine's is used.

use super::{Root, Shared, target};
use crate::repository;
use crate::repository::command;
use crate::repository::output;
use anyhow::Context;
use std::fs;
use std::path::PathBuf;

impl Root {
    /// Builds the package with `--release`, as far as it isn't built yet, and says in which
    /// directory its programs and libraries lie.
    ///
    /// # Errors
    ///
    /// When Cargo can't fetch or build it.
    pub fn build(&self, package: &str) -> anyhow::Result<PathBuf> {
        // Inside there is no network, and Cargo's directory can't be written.
        let fetched = command("cargo")
            .args(["fetch", "--locked", "--quiet"])
            .status();
        anyhow::ensure!(fetched?.success(), "cargo can't fetch the dependencies");
        let toolchain = output("rustc", ["--print", "sysroot"])?;
        let release = self.release();
        let target = target().join("built-in").join(release.name());
        fs::create_dir_all(&target)?;
        let shared = [
            Shared::read_only(repository::root(), "/repository"),
            Shared::read_only(toolchain.trim(), "/toolchain"),
            Shared::read_only(cargo_home()?.join("registry"), "/cargo/registry"),
            Shared::writable(&target, "/target"),
        ];
        let built = self
            .command("env", &shared)?
            .args(["-C", "/repository", "PATH=/toolchain/bin:/usr/bin:/bin"])
            .args(["CARGO_HOME=/cargo", "CARGO_TARGET_DIR=/target"])
            .args(["cargo", "build", "--release", "--quiet"])
            .args(["--locked", "--offline", "--package", package])
            .status()?;
        anyhow::ensure!(
            built.success(),
            "{release}: cargo build --package {package}: {built}"
        );
        Ok(target.join("release"))
    }
}

fn cargo_home() -> anyhow::Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = std::env::home_dir().context("neither CARGO_HOME nor HOME is set")?;
    Ok(home.join(".cargo"))
}
