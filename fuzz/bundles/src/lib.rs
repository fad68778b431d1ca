//! Bundles of certificates, good, damaged and strange, for tests that hold one loader against another.
#![forbid(unsafe_code)]

pub mod cases;
pub mod damaged;

mod dice;

pub use dice::Dice;

use std::path::{Path, PathBuf};

/// One of the small files of which the bundles are made.
///
/// # Panics
/// When there is none of this name.
pub fn data(name: &str) -> Vec<u8> {
    let path = data_path(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// Where that file lies.
pub fn data_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/trusted-ca/tests/data").join(name)
}
