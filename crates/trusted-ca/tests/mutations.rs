//! A few hundred damaged bundles, the same in every run: the mapped reader must agree with
//! OpenSSL in verdict, contents, order and words on each.

use std::fs;

use crate::common::assert_readers_agree;
use fuzz_bundles::damaged::{self, BUNDLES, assert_neither_all_nor_none};

#[test]
fn damaged_bundles_are_judged_alike() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let file = dir.path().join("bundle.pem");
    let mut accepted = 0;
    for bundle in damaged::bundles(BUNDLES) {
        fs::write(&file, &bundle.bytes).expect("written");
        accepted += usize::from(assert_readers_agree(&bundle.name, &file).accepted);
    }
    assert_neither_all_nor_none(accepted, BUNDLES);
}
