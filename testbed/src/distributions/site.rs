//! Where a release's programs are run: its root, with the library and a directory for the files.

use super::log_line::LogLine;
use super::mode::Mode;
use crate::repository;
use crate::root::{Release, Root, Shared};
use anyhow::Context;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::thread::sleep;
use std::time::Duration;
use tempfile::TempDir;

/// The library's name inside.
pub const LIBRARY: &str = "/library/libtrusted_ca_preload.so";

/// The log's name inside.
pub const LOG: &str = "/check/log";

/// The bundle's name inside.
pub const BUNDLE: &str = "/check/bundle.pem";

/// Where the scripts are inside.
pub const SCRIPTS: &str = "/repository/runs/distributions";

/// A file that was changed just now isn't remembered by the library: the next change might leave
/// the same times.
const SETTLED: Duration = Duration::from_millis(3500);

/// A program that takes longer hangs: what takes longest is nginx without the library, a second or
/// so for every ten locations on a busy machine.
const TIMEOUT_SECONDS: &str = "900";

/// One release's root, ready for its programs.
#[derive(Debug)]
pub struct Site<'a> {
    root: &'a Root,
    files: TempDir,
    shared: [Shared; 3],
}

/// What a program said, and what the library logged of it.
#[derive(Debug)]
pub struct Said {
    /// Standard output.
    pub out: String,
    /// A line for each process that loaded something.
    pub log: Vec<LogLine>,
}

impl<'a> Site<'a> {
    /// Puts the bundle there, and has the root's openssl make certificates.
    pub fn prepare(root: &'a Root, library: &Path, bundle: &[u8]) -> anyhow::Result<Self> {
        let files = tempfile::tempdir().context("can't make a directory for the checks")?;
        let libraries = library.parent().context("a library is in a directory")?;
        let shared = [
            Shared::read_only(repository::root(), "/repository"),
            Shared::read_only(libraries, "/library"),
            Shared::writable(files.path(), "/check"),
        ];
        let site = Self {
            root,
            files,
            shared,
        };
        fs::write(site.path("bundle.pem"), bundle)?;
        let prepare = format!("{SCRIPTS}/prepare.sh");
        site.run(Mode::Without, &[&prepare, BUNDLE])?;
        sleep(SETTLED);
        Ok(site)
    }

    /// Which release it is.
    pub fn release(&self) -> Release {
        self.root.release()
    }

    /// What this release has: names and versions.
    ///
    /// # Errors
    ///
    /// As for [`Root::versions`].
    pub fn versions(&self) -> anyhow::Result<Vec<(&'static str, String)>> {
        self.root.versions()
    }

    /// A file of the directory that is `/check` inside.
    pub fn path(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    /// Runs a program in this way, from the files' directory.
    ///
    /// # Errors
    ///
    /// When it fails, or what the library logged isn't of its form.
    pub fn run(&self, mode: Mode, words: &[&str]) -> anyhow::Result<Said> {
        let variables = mode.variables();
        let mut all: Vec<&str> = variables.iter().map(String::as_str).collect();
        all.extend(words);
        self.env(&all)
    }

    /// Runs what `env` makes of these words: other programs can stand before the mode's variables,
    /// which are to act on the last of them only.
    ///
    /// # Errors
    ///
    /// As for [`run`](Self::run).
    pub fn env(&self, words: &[&str]) -> anyhow::Result<Said> {
        let log = self.path("log");
        if log.exists() {
            fs::remove_file(&log)?;
        }
        let output = self
            .root
            .command("env", &self.shared)?
            .args([
                "-C",
                "/check",
                "timeout",
                "--kill-after=10",
                TIMEOUT_SECONDS,
            ])
            .arg("env")
            .args(words)
            .output()?;
        let Output {
            status,
            stdout,
            stderr,
        } = output;
        let (out, err) = (text(&stdout), text(&stderr));
        let release = self.release();
        anyhow::ensure!(
            status.success(),
            "{release}: {}: {status}\n{out}{err}",
            words.join(" ")
        );
        // The loader says so, and then runs the program without it.
        anyhow::ensure!(!err.contains("cannot be preloaded"), "{release}: {err}");
        let lines = if log.exists() {
            fs::read_to_string(&log)?
        } else {
            String::new()
        };
        let log = lines
            .lines()
            .map(LogLine::parse)
            .collect::<Result<_, _>>()?;
        Ok(Said { out, log })
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
