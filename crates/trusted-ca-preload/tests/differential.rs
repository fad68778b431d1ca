//! The library against OpenSSL's own loaders, over bundles good, damaged and strange: what is
//! returned, what is queued and what the store holds must be the same, byte for byte.

#[path = "../../trusted-ca/tests/common/cases.rs"]
#[allow(dead_code, reason = "the loader's own tests use the rest")]
mod cases;
#[path = "../../trusted-ca/tests/common/damaged.rs"]
#[allow(dead_code, reason = "the loader's own tests use the rest")]
mod damaged;
#[path = "../../trusted-ca/tests/common/dice.rs"]
#[allow(dead_code, reason = "as above")]
mod dice;
mod files;
mod generated;
mod odd_arguments;
mod verdicts;

use std::path::{Path, PathBuf};

use dice::Dice;

/// A file of the small certificates that the loader's own tests use.
fn data(name: &str) -> Vec<u8> {
    let path = data_path(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

fn data_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../trusted-ca/tests/data")
        .join(name)
}
