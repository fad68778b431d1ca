//! More bundles than the library keeps, with one certificate in common and no other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::common::{compiled, settled, skipped};

/// The machine's own bundle.
const MACHINE: &str = "/etc/ssl/certs/ca-certificates.crt";
/// How many there are; the library keeps 16.
pub const BUNDLES: usize = 20;
const CERTIFICATES_IN_EACH: usize = 2;

/// Bundles in a directory of their own, old enough to be remembered.
pub struct Bundles {
    directory: TempDir,
    pub paths: Vec<PathBuf>,
}

impl Bundles {
    /// Makes them; says so if the machine has nothing to make them of.
    pub fn new() -> Option<Self> {
        let Ok(machine) = fs::read_to_string(MACHINE) else {
            skipped(format_args!("{MACHINE} can't be read"));
            return None;
        };
        let certificates: Vec<&str> =
            machine.split_inclusive("-----END CERTIFICATE-----\n").collect();
        if certificates.len() < BUNDLES * CERTIFICATES_IN_EACH {
            skipped(format_args!("{MACHINE} has too few certificates"));
            return None;
        }
        let directory = tempfile::tempdir().expect("a directory for bundles");
        let member = fs::read_to_string(sample("alpha.pem")).expect("a sample");
        let chunks = certificates.chunks(CERTIFICATES_IN_EACH).take(BUNDLES);
        let paths: Vec<PathBuf> = chunks
            .enumerate()
            .map(|(number, chunk)| {
                let path = directory.path().join(format!("{number:02}.pem"));
                fs::write(&path, format!("{member}{}", chunk.concat())).expect("our directory");
                path
            })
            .collect();
        settled(&[paths.last().expect("some")]);
        Some(Self { directory, paths })
    }

    /// A name under which the program puts one file after the other.
    pub fn replaced(&self) -> PathBuf {
        self.directory.path().join("replaced.pem")
    }

    /// The arguments of `churn.c`, for the first `bundles` of them.
    pub fn churn(&self, command: &mut Command, threads: u64, rounds: u64, bundles: usize) {
        command
            .args([threads, rounds].map(|number| number.to_string()))
            .args(["alpha.pem", "gamma.pem", "alpha.crl.pem"].map(sample))
            .arg(self.replaced())
            .args(&self.paths[..bundles]);
    }
}

/// A file of the small certificates that the loader's own tests use.
pub fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../trusted-ca/tests/data").join(name)
}

/// A program of the folder `programs`, linked with the machine's OpenSSL.
pub fn program(name: &str) -> PathBuf {
    let libraries = ["-g", "-O1", "-Wl,--no-as-needed", "-lssl", "-lcrypto"];
    compiled(&format!("programs/{name}.c"), name, &libraries)
}
