//! The committed runs: JSON, text files and pictures, each of which some text must use.

use crate::documents::{Fault, files_in};
use anyhow::Context;
use roots::repository::root;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// All run files, and which of them were asked for.
#[derive(Debug)]
pub struct Runs {
    /// Content by name below the directory: `locations.json`, `nginx/nginx.json`.
    files: BTreeMap<String, String>,
    used: RefCell<BTreeSet<String>>,
}

impl Runs {
    /// Reads the `.json`, `.txt` and `.svg` files of a directory of the repository.
    ///
    /// # Errors
    /// When one can't be read.
    pub fn in_directory(directory: &str) -> anyhow::Result<Self> {
        let mut files = Vec::new();
        for path in files_in(directory)? {
            if [".json", ".txt", ".svg"].iter().any(|end| path.ends_with(end)) {
                let text = fs::read_to_string(root().join(&path)).with_context(|| path.clone())?;
                let name = path[directory.len() + 1..].to_owned();
                files.push((name, text));
            }
        }
        Ok(Self::of(files))
    }

    /// Files of these names and contents.
    pub fn of<N: Into<String>>(files: impl IntoIterator<Item = (N, String)>) -> Self {
        Self {
            files: files.into_iter().map(|(name, text)| (name.into(), text)).collect(),
            used: RefCell::default(),
        }
    }

    /// A text file or a picture, or a JSON file as text, by its whole name.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn text(&self, name: &str) -> anyhow::Result<&str> {
        let text = self.files.get(name).with_context(|| format!("there is no runs/{name}"))?;
        self.used.borrow_mut().insert(name.to_owned());
        Ok(text)
    }

    /// A JSON file by its name without `.json`.
    ///
    /// # Errors
    /// When there is none of that name, or it isn't JSON.
    pub fn json(&self, name: &str) -> anyhow::Result<Value> {
        let name = format!("{name}.json");
        serde_json::from_str(self.text(&name)?).with_context(|| format!("runs/{name}"))
    }

    /// The files that nothing asked for.
    pub fn unused(&self) -> Vec<Fault> {
        let used = self.used.borrow();
        let unused = self.files.keys().filter(|name| !used.contains(*name));
        unused.map(|name| Fault::new(format!("runs/{name}"), 0, "no text uses this run")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Runs;

    #[test]
    fn a_run_that_nothing_asked_for_is_named() {
        let runs = Runs::of([("a.json", "{}".to_owned()), ("b.txt", String::new())]);
        runs.json("a").unwrap();
        let unused = runs.unused();
        assert_eq!(unused.len(), 1);
        assert_eq!(unused[0].to_string(), "runs/b.txt: no text uses this run");
    }
}
