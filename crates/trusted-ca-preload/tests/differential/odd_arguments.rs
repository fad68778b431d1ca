//! Null pointers, directories beside files, library contexts.

use std::fs;
use std::process::Command;

use super::verdicts::LIBRARIES;
use super::{data, data_path};
use crate::common::{compiled, same_in_every_way, settled};

#[test]
fn arguments_that_are_rarely_given() {
    let directory = tempfile::tempdir().expect("a directory for a bundle");
    let bundle = directory.path().join("bundle");
    fs::write(&bundle, [data("alpha.pem"), data("beta.pem")].concat()).expect("our own directory");
    // A directory of certificates has them under their hashes; nobody looks for any here.
    let certificates = directory.path().join("certificates");
    fs::create_dir(&certificates).expect("our own directory");
    fs::copy(data_path("gamma.pem"), certificates.join("0a1b2c3d.0")).expect("our own directory");
    settled(&[&bundle]);
    let program = compiled("programs/odd_arguments.c", "odd_arguments", &LIBRARIES);
    let ran = same_in_every_way(|| {
        let mut command = Command::new(&program);
        command.current_dir(directory.path()).args([&bundle, &certificates]);
        command
    });
    for with in ran {
        let counts = with.only_counts();
        assert!(counts.shared > 0 && counts.passed_on > 0, "{counts:?}");
    }
}
