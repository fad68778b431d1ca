//! Where the programs are run: this machine, or a release's root.

use crate::nginx_configuration;
use crate::repository;

use crate::root::{Release, Root, Shared};
use anyhow::Context;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// Where the programs' sources are, from the repository's root.
const SOURCES: &str = "testbed/programs";

/// The directory for the files, and the repository, inside a root.
const FILES: &str = "/files";
const REPOSITORY: &str = "/repository";

/// Name of a program or library, and what a shell says of its version.
const QUESTIONS: [(&str, &str); 4] = [
    ("glibc", "getconf GNU_LIBC_VERSION | cut -d ' ' -f 2"),
    ("nginx", "nginx -v 2>&1 | sed 's|.*/||'"),
    ("python", "python3 --version | cut -d ' ' -f 2"),
    ("perl", "perl -e 'printf \"%vd\", $^V'"),
];

/// This machine or a root, with the programs that were built there.
#[derive(Debug)]
pub struct Place<'a> {
    root: Option<&'a Root>,
    files: TempDir,
}

impl<'a> Place<'a> {
    /// Puts bundle and configuration there, and has the place's own compiler build the C programs.
    ///
    /// # Errors
    ///
    /// When a file can't be written, or a program can't be built.
    pub fn prepare(root: Option<&'a Root>, bundle: &[u8], locations: u32) -> anyhow::Result<Self> {
        let files = tempfile::tempdir().context("can't make a directory for the programs")?;
        let place = Self { root, files };
        place.write("bundle.pem", bundle)?;
        let text = nginx_configuration::text(&place.directory(), true, locations);
        place.write(&nginx_configuration::name(true, locations), text.as_bytes())?;
        place.compile("blocks.c", "blocks", &[])?;
        place.compile("arenas.c", "arenas", &["-pthread"])?;
        place.compile("trimmer.c", "trimmer.so", &["-shared", "-fPIC"])?;
        Ok(place)
    }

    fn write(&self, name: &str, content: &[u8]) -> anyhow::Result<()> {
        let path = self.here(name);
        fs::write(&path, content).with_context(|| path.display().to_string())
    }

    fn compile(&self, source: &str, program: &str, flags: &[&str]) -> anyhow::Result<()> {
        let (source, program) = (self.source(source), self.file(program));
        let built = self
            .command("gcc")?
            .args(["-O2", "-Wall", "-Wextra", "-o", &program, &source])
            .args(flags)
            .status()?;
        anyhow::ensure!(built.success(), "{}: gcc {source}: {built}", self.name());
        Ok(())
    }

    /// Its name in reports.
    pub fn name(&self) -> &'static str {
        self.root
            .map_or("this machine", |root| root.release().name())
    }

    /// Whether its glibc is one that has been released for long: one that has to be known.
    pub fn is_released(&self) -> bool {
        self.root.is_none_or(|root| root.release() != Release::Sid)
    }

    /// Names and versions of what is measured.
    ///
    /// # Errors
    ///
    /// When one can't be asked.
    pub fn versions(&self) -> anyhow::Result<Vec<(&'static str, String)>> {
        let mut versions = Vec::new();
        for (name, question) in QUESTIONS {
            let said = self.command("sh")?.args(["-c", question]).output()?;
            let version = String::from_utf8_lossy(&said.stdout).trim().to_owned();
            let place = self.name();
            anyhow::ensure!(!version.is_empty(), "{place}: {question}: nothing");
            versions.push((name, version));
        }
        Ok(versions)
    }

    /// A program, to be run there.
    ///
    /// # Errors
    ///
    /// As for [`Root::command`].
    pub fn command(&self, program: &str) -> anyhow::Result<Command> {
        let Some(root) = self.root else {
            return Ok(repository::command(program));
        };
        let shared = [
            Shared::read_only(repository::root(), REPOSITORY),
            Shared::writable(self.files.path(), FILES),
        ];
        root.command(program, &shared)
    }

    /// How many processes stand between what [`command`](Self::command) starts and the program
    /// itself: `unshare` and the shell that mounts.
    pub fn processes_between(&self) -> usize {
        match self.root {
            Some(_) => 2,
            None => 0,
        }
    }

    /// A file of the directory, as this process names it.
    pub fn here(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    /// The same as the programs name it.
    pub fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.directory())
    }

    /// A source, as the programs name it.
    pub fn source(&self, name: &str) -> String {
        match self.root {
            Some(_) => format!("{REPOSITORY}/{SOURCES}/{name}"),
            None => repository::root()
                .join(SOURCES)
                .join(name)
                .display()
                .to_string(),
        }
    }

    fn directory(&self) -> String {
        match self.root {
            Some(_) => FILES.to_owned(),
            None => self.files.path().display().to_string(),
        }
    }
}
