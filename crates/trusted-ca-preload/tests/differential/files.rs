//! Bundles in a directory, and the program that is given their names.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::data_path;
use crate::common::{Preload, Ran, compiled, settled};

/// The files of one test.
pub struct Files {
    directory: TempDir,
    /// What is in them, in their order.
    descriptions: Vec<String>,
    list: String,
    resident: PathBuf,
}

/// What a program found out about the files.
pub struct Verdicts {
    pub ran: Ran,
    /// Loads that OpenSSL said yes to.
    pub accepted: usize,
}

impl Files {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory for bundles");
        let resident = directory.path().join("resident");
        fs::copy(data_path("gamma.pem"), &resident).expect("our own directory");
        Self { directory, descriptions: Vec::new(), list: String::new(), resident }
    }

    /// One more file.
    pub fn add(&mut self, description: String, bytes: &[u8]) {
        let name = format!("{:05}", self.descriptions.len());
        let path = self.path(&name);
        fs::write(&path, bytes).expect("our own directory");
        self.add_path(description, &path);
    }

    /// One more path, whatever is there.
    pub fn add_path(&mut self, description: String, path: &Path) {
        self.descriptions.push(description);
        writeln!(self.list, "{}", path.display()).expect("a string");
    }

    /// A path in this directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn count(&self) -> usize {
        self.descriptions.len()
    }

    /// Waits until all of them are old enough to be remembered.
    pub fn settle(&self) {
        let list = self.path("list");
        fs::write(&list, &self.list).expect("our own directory");
        // It was written last.
        settled(&[&list]);
    }

    /// Lets the program load all of them this way.
    pub fn verdicts(&self, way: Preload) -> Verdicts {
        let list = self.path("list");
        fs::write(&list, &self.list).expect("our own directory");
        let program = compiled("programs/verdicts.c", "verdicts", &super::verdicts::LIBRARIES);
        let ran = Ran::to_end(Command::new(program).args([&list, &self.resident]), way);
        assert!(ran.status.success(), "{way:?}: {:?} {}", ran.status, ran.stderr);
        let accepted = ran.stdout.matches(": returned 1\n").count();
        Verdicts { ran, accepted }
    }

    /// Both must have said the same; if not, it is told where they begin to differ.
    pub fn assert_same(&self, with: &Ran, without: &Ran, way: Preload) {
        if with.stdout == without.stdout {
            return;
        }
        let mut file = None;
        let mut call = "";
        let (mut ours, mut theirs) = (with.stdout.lines(), without.stdout.lines());
        loop {
            let (our, their) = (ours.next(), theirs.next());
            if our != their {
                let description = file.map(|number: usize| &self.descriptions[number]);
                panic!("{way:?}: {description:?},{call}\nwith: {our:?}\nwithout: {their:?}");
            }
            match our {
                Some(line) if line.starts_with("  ") => {}
                Some(line) if line.starts_with(' ') => call = line,
                Some(_) => file = Some(file.map_or(0, |number| number + 1)),
                None => unreachable!("the outputs differ"),
            }
        }
    }
}
