//! The library as a root's linker makes it.

use crate::debian::{BindMount, Root};
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The package that it is made of, and what Cargo calls the file.
const PACKAGE: &str = "trusted-ca-preload";
pub const FILE_NAME: &str = "libtrusted_ca_preload.so";

/// Its directory inside a root.
pub const INSIDE: &str = "/library";

/// One build.
#[derive(Debug, Serialize, Deserialize)]
pub struct PreloadLibrary {
    /// In which release's root it was built.
    pub name: String,
    /// The newest version of glibc's symbols that it asks for, such as `2.28`.
    pub needs_glibc: String,
    /// Where it is.
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

/// The newest version of glibc among the symbols that `objdump -T` lists.
fn newest_glibc(symbols: &str) -> Option<String> {
    let versions = symbols.split("GLIBC_").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
        let version = &rest[..end.unwrap_or(rest.len())];
        let numbers: Option<Vec<u32>> = version.split('.').map(|part| part.parse().ok()).collect();
        Some((numbers?, version))
    });
    let (_, version) = versions.max()?;
    Some(version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::newest_glibc;

    #[test]
    fn versions_are_compared_as_numbers() {
        let symbols = "
0000000000000000      DF *UND*\t0000000000000000 (GLIBC_2.9)  memcpy
0000000000000000      DF *UND*\t0000000000000000 (GLIBC_2.2.5) free
0000000000000000      DF *UND*\t0000000000000000 (GLIBC_2.28) statx
0000000000000000  w   D  *UND*\t0000000000000000 (GLIBC_PRIVATE) __x
0000000000000000      DF *UND*\t0000000000000000  GCC_4.2.0   _Unwind_Backtrace
";
        assert_eq!(newest_glibc(symbols).as_deref(), Some("2.28"));
        assert_eq!(newest_glibc("no dynamic symbols"), None);
    }
}
