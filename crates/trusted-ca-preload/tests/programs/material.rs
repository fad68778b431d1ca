//! What the programs are given: bundles good and bad, and where their scripts lie.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::common::{concatenated, settled};

/// The distribution's Python, whose `ssl` module uses the distribution's OpenSSL.
pub const PYTHON: &str = "/usr/bin/python3";

/// The machine's own bundle.
pub const MACHINE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A script of this folder.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(name)
}

/// Python, about to run a script of this folder.
pub fn python(name: &str) -> Command {
    let mut command = Command::new(PYTHON);
    command.arg("-I").arg(script(name));
    command
}

/// A file of the small certificates that the loader's own tests use.
pub fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../trusted-ca/tests/data").join(name)
}

/// A directory of bundles, old enough to be remembered.
#[derive(Debug)]
pub struct Bundles {
    directory: TempDir,
    /// Names in the order in which they were made.
    pub names: Vec<String>,
}

impl Bundles {
    /// A directory with nothing in it.
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a directory for bundles"), names: Vec::new() }
    }

    /// Where they are.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// One file of several.
    pub fn joined(&mut self, name: &str, files: &[&Path]) -> PathBuf {
        let path = self.directory().join(name);
        concatenated(&path, files);
        self.names.push(name.to_owned());
        path
    }

    /// One file of these bytes.
    pub fn written(&mut self, name: &str, bytes: &[u8]) {
        fs::write(self.directory().join(name), bytes).expect("our own directory");
        self.names.push(name.to_owned());
    }

    /// Waits until all of them are old enough.
    pub fn settle(&self) {
        for name in &self.names {
            settled(&[&self.directory().join(name)]);
        }
    }
}
