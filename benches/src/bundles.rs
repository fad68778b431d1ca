//! Bundles of several sizes, cut from the machine's own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// A file of so many certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// How many it holds.
    pub certificates: usize,
    /// Where it is.
    pub path: PathBuf,
}

/// Writes bundles of the first 1, the first 10 and all certificates of `source` to `directory`.
/// Sizes that `source` doesn't reach are left out.
///
/// # Errors
///
/// When the source can't be read or holds no certificate, or a bundle can't be written.
pub fn cut(source: &Path, directory: &Path) -> anyhow::Result<Vec<Bundle>> {
    let bytes = fs::read(source).with_context(|| format!("can't read {}", source.display()))?;
    let text = String::from_utf8_lossy(&bytes);
    let blocks = blocks(&text);
    anyhow::ensure!(
        !blocks.is_empty(),
        "{} holds no certificate in PEM form",
        source.display()
    );
    let mut sizes = vec![1, 10, blocks.len()];
    sizes.retain(|&size| size <= blocks.len());
    sizes.dedup();
    let write = |certificates| {
        let path = directory.join(format!("{certificates}.pem"));
        fs::write(&path, blocks[..certificates].concat())
            .with_context(|| format!("can't write {}", path.display()))?;
        Ok(Bundle { certificates, path })
    };
    sizes.into_iter().map(write).collect()
}

/// The certificates of a PEM file, each with its first and last line.
fn blocks(text: &str) -> Vec<String> {
    let after_begin = text.split(BEGIN).skip(1);
    let bodies = after_begin.filter_map(|rest| rest.split_once(END));
    bodies
        .map(|(body, _)| format!("{BEGIN}{body}{END}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(certificates: usize) -> String {
        let block = |number| format!("# comment\n{BEGIN}\n{number}\n{END}\n\n");
        (0..certificates).map(block).collect()
    }

    #[test]
    fn bundles_hold_the_first_certificates_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let machine = place.path().join("machine");
        for (certificates, sizes) in [(12, vec![1, 10, 12]), (10, vec![1, 10]), (1, vec![1])] {
            fs::write(&machine, source(certificates)).unwrap();
            let bundles = cut(&machine, place.path()).unwrap();
            let found: Vec<usize> = bundles.iter().map(|bundle| bundle.certificates).collect();
            assert_eq!(found, sizes);
            let first = fs::read_to_string(&bundles[0].path).unwrap();
            assert_eq!(first, format!("{BEGIN}\n0\n{END}\n"));
        }
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let machine = place.path().join("machine");
        fs::write(&machine, format!("{BEGIN}\nno end")).unwrap();
        let error = cut(&machine, place.path()).unwrap_err();
        assert!(error.to_string().contains("no certificate"), "{error}");
    }
}
