//! Keeps results in a directory, and never leaves half a file there.

use super::results::Results;
use crate::report;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A directory that holds the raw results of experiments as `NAME.json`.
#[derive(Clone, Debug)]
pub struct Store {
    directory: PathBuf,
}

/// Why results couldn't be kept.
#[derive(Debug, thiserror::Error)]
#[error("can't write {path}: {error}")]
#[non_exhaustive]
pub struct StoreError {
    /// The file or directory.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub error: io::Error,
}

impl Store {
    /// Opens the directory, making it if need be, and tries whether files can be written there, so
    /// that a directory that can't be used shows before the work and not after it.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let directory = directory.into();
        fs::create_dir_all(&directory)
            .map_err(|error| StoreError { path: directory.clone(), error })?;
        let store = Self { directory };
        let probe = store.directory.join(".writable");
        // A full disk often still takes an empty file, so this one isn't.
        store.write_whole(&probe, &[b'\n'; 64 << 10])?;
        fs::remove_file(&probe).map_err(|error| StoreError { path: probe, error })?;
        Ok(store)
    }

    /// Writes the results in place of older ones of the same experiment, whole or not at all.
    ///
    /// # Errors
    /// See [`StoreError`]; what was there before is still there then.
    pub fn keep(&self, results: &Results) -> Result<PathBuf, StoreError> {
        let path = self.directory.join(format!("{}.json", results.experiment));
        let json = report::json(results)
            .map_err(|error| StoreError { path: path.clone(), error: error.into() })?;
        self.write_whole(&path, json.as_bytes())?;
        Ok(path)
    }

    /// Writes a file of this name beside the results, whole or not at all.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn keep_file(&self, name: &str, content: &[u8]) -> Result<PathBuf, StoreError> {
        let path = self.directory.join(name);
        self.write_whole(&path, content)?;
        Ok(path)
    }

    fn write_whole(&self, path: &Path, content: &[u8]) -> Result<(), StoreError> {
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(".unfinished");
        let written = fs::write(&unfinished, content).and_then(|()| fs::rename(&unfinished, path));
        written.map_err(|error| {
            // Nothing more can be done about a file that can't be removed either.
            let _ = fs::remove_file(&unfinished);
            StoreError { path: path.to_owned(), error }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_where_a_directory_is_wanted_is_named() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        fs::write(&file, "").unwrap();
        let error = Store::open(&file).unwrap_err();
        assert_eq!(error.path, file);
    }

    #[test]
    fn opening_leaves_nothing_behind() {
        let place = tempfile::tempdir().unwrap();
        Store::open(place.path().join("new/deeper")).unwrap();
        let left = fs::read_dir(place.path().join("new/deeper")).unwrap().count();
        assert_eq!(left, 0);
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path()).unwrap();
        store.keep_file("chart.svg", b"a longer first text").unwrap();
        let path = store.keep_file("chart.svg", b"second").unwrap();
        assert_eq!(fs::read(path).unwrap(), b"second");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
