//! The preload library: as a root's linker makes it, and what it logs.

use anyhow::Context;
use roots::{BindMount, Root, newest_glibc};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The package that it is made of, and what Cargo calls the file.
const PACKAGE: &str = "trusted-ca-preload";
pub const FILE_NAME: &str = "libtrusted_ca_preload.so";

/// Its directory inside a root.
pub const INSIDE: &str = "/library";

#[derive(Debug, Serialize, Deserialize)]
pub struct PreloadLibrary {
    /// In which release's root it was built.
    pub name: String,
    /// The newest version of glibc's symbols that it asks for, such as `2.28`.
    pub needs_glibc: String,
    #[serde(skip)]
    pub directory: PathBuf,
}

impl PreloadLibrary {
    /// Builds it in this root, as far as it isn't built yet.
    pub fn build(root: &Root) -> anyhow::Result<Self> {
        let directory = root.build(PACKAGE)?;
        let mounts = [BindMount::read_only(&directory, INSIDE)];
        let symbols = root
            .command("objdump", &mounts)?
            .args(["-T", &format!("{INSIDE}/{FILE_NAME}")])
            .output()?;
        anyhow::ensure!(symbols.status.success(), "objdump: {}", symbols.status);
        let symbols = String::from_utf8_lossy(&symbols.stdout);
        Ok(Self {
            name: root.release.name().to_owned(),
            needs_glibc: newest_glibc(&symbols).context("the library asks for no glibc")?,
            directory,
        })
    }
}

/// The line that the library writes when a process ends: what that did with its bundles.
///
/// ```text
/// trusted-ca: pid 4711 (nginx): loads 1001, parses 1, shared 1000, bytes spared 219817000, passed on 0
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    pub program: String,
    /// Times that it loaded a bundle.
    pub loads: u64,
    /// Times that the library read one.
    pub parses: u64,
    /// Loads that were answered without reading.
    pub shared: u64,
    /// Bytes of PEM that weren't read for it.
    pub bytes_spared: u64,
    /// Loads that went to OpenSSL as they came.
    pub passed_on: u64,
}

impl LogLine {
    /// Reads one line. Fails when it isn't of that form, or a count is missing.
    pub fn parse(line: &str) -> anyhow::Result<Self> {
        Self::read(line).with_context(|| format!("not a line of the library's log: {line:?}"))
    }

    fn read(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("trusted-ca: pid ")?;
        let (_, rest) = rest.split_once(" (")?;
        let (program, counts) = rest.rsplit_once("): ")?;
        let count = |name: &str| {
            counts
                .split(", ")
                .find_map(|field| field.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
        };
        Some(Self {
            program: program.to_owned(),
            loads: count("loads")?,
            parses: count("parses")?,
            shared: count("shared")?,
            bytes_spared: count("bytes spared")?,
            passed_on: count("passed on")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::LogLine;

    const LINE: &str = "trusted-ca: pid 4711 (nginx): loads 1001, parses 1, shared 1000, \
                        bytes spared 219817000, passed on 0";

    #[test]
    fn every_count_is_found_by_its_name() {
        let line = LogLine::parse(LINE).unwrap();
        assert_eq!(line.program, "nginx");
        assert_eq!((line.loads, line.parses, line.shared), (1001, 1, 1000));
        assert_eq!((line.bytes_spared, line.passed_on), (219_817_000, 0));
    }

    #[test]
    fn a_program_may_have_any_name() {
        let line = LINE.replace("(nginx)", "((sd-pam): x)");
        assert_eq!(LogLine::parse(&line).unwrap().program, "(sd-pam): x");
    }

    #[test]
    fn a_missing_count_is_an_error() {
        assert!(LogLine::parse(&LINE.replace("parses 1, ", "")).is_err());
        assert!(LogLine::parse("trusted-ca: no OpenSSL here").is_err());
    }
}
