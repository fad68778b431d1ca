//! Where a release's programs are run: its root, with the command and a directory for the files.

use crate::nginx_configuration;
use crate::repository;
use crate::root::{Root, Shared};
use anyhow::Context;
use heap_meter::experiment::Results;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use tempfile::TempDir;

/// The directory for the files, inside.
pub const FILES: &str = "/files";

/// The bundle's name inside.
pub const BUNDLE: &str = "/files/bundle.pem";

/// Where the programs' sources are, inside.
pub const PROGRAMS: &str = "/repository/testbed/programs";

/// The command's name inside.
const COMMAND: &str = "/command/brkhole";

/// One release's root, ready to measure its programs.
#[derive(Debug)]
pub struct Site<'a> {
    root: &'a Root,
    files: TempDir,
    shared: [Shared; 3],
}

impl<'a> Site<'a> {
    /// Puts the bundle and nginx's configurations there, and has the root's own compiler build the
    /// C programs.
    ///
    /// # Errors
    ///
    /// When a file can't be written, or a program can't be built.
    pub fn prepare(
        root: &'a Root,
        command: &Path,
        bundle: &[u8],
        contexts: u32,
    ) -> anyhow::Result<Self> {
        let files = tempfile::tempdir().context("can't make a directory for the programs")?;
        let shared = [
            Shared::read_only(repository::root(), "/repository"),
            Shared::read_only(command, "/command"),
            Shared::writable(files.path(), FILES),
        ];
        let site = Self {
            root,
            files,
            shared,
        };
        site.write("bundle.pem", bundle)?;
        for locations in [1, contexts] {
            let text = nginx_configuration::text(FILES, true, locations);
            site.write(&nginx_configuration::name(true, locations), text.as_bytes())?;
        }
        site.compile("burst", &[])?;
        site.compile("bundle", &["-lssl", "-lcrypto"])?;
        Ok(site)
    }

    fn write(&self, name: &str, content: &[u8]) -> anyhow::Result<()> {
        let path = self.files.path().join(name);
        fs::write(&path, content).with_context(|| path.display().to_string())
    }

    fn compile(&self, name: &str, libraries: &[&str]) -> anyhow::Result<()> {
        let (source, program) = (format!("{PROGRAMS}/{name}.c"), format!("{FILES}/{name}"));
        let built = self
            .root
            .command("gcc", &self.shared)?
            .args(["-O2", "-Wall", "-Wextra", "-o", &program, &source])
            .args(libraries)
            .status()?;
        let release = self.root.release();
        anyhow::ensure!(built.success(), "{release}: gcc {source}: {built}");
        Ok(())
    }

    /// Has the command compare a program with its break free and with it blocked.
    ///
    /// # Errors
    ///
    /// When the command can't do it; its own words are on standard error.
    pub fn compare(&self, words: &[String], repeats: u32) -> anyhow::Result<Results> {
        let output = self
            .root
            .command(COMMAND, &self.shared)?
            .args(["compare", "--format", "json", "--repeats"])
            .arg(repeats.to_string())
            .arg("--")
            .args(words)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()?;
        let what = || {
            format!(
                "{}: brkhole compare -- {}",
                self.root.release(),
                words.join(" ")
            )
        };
        anyhow::ensure!(output.status.success(), "{}: {}", what(), output.status);
        serde_json::from_slice(&output.stdout).with_context(what)
    }
}
