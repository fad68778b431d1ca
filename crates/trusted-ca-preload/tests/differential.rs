//! The library against OpenSSL's own loaders, over bundles good, damaged and strange: what is
//! returned, what is queued and what the store holds must be the same, byte for byte.

mod files;
mod generated;
mod odd_arguments;
mod verdicts;

use fuzz_bundles::{Dice, data, data_path};
