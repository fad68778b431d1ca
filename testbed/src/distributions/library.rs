//! The library as a root's linker makes it.

use crate::root::{Release, Root, Shared};
use anyhow::Context;
use serde_json::{Value, json};
use std::path::PathBuf;

/// The package that it is made of.
const PACKAGE: &str = "trusted-ca-preload";

/// What Cargo calls the file.
pub const NAME: &str = "libtrusted_ca_preload.so";

/// One build.
#[derive(Debug)]
pub struct Library {
    /// In which release's root it was built.
    pub release: Release,
    /// Where it is.
    pub file: PathBuf,
    /// The newest version of glibc's symbols that it asks for, such as `2.28`.
    pub needs_glibc: String,
}

impl Library {
    /// For the raw data.
    pub fn to_json(&self) -> Value {
        json!({ "name": self.release.name(), "needs_glibc": self.needs_glibc })
    }
}

/// Builds the library in this root, as far as it isn't built yet.
///
/// # Errors
///
/// When Cargo can't fetch or build it.
pub fn build(root: &Root) -> anyhow::Result<Library> {
    let release = root.release();
    let directory = root.build(PACKAGE)?;
    let shared = [Shared::read_only(&directory, "/library")];
    let file = directory.join(NAME);
    let inside = format!("/library/{NAME}");
    let symbols = root
        .command("objdump", &shared)?
        .args(["-T", &inside])
        .output()?;
    anyhow::ensure!(symbols.status.success(), "objdump: {}", symbols.status);
    let symbols = String::from_utf8_lossy(&symbols.stdout);
    let needs_glibc = newest_glibc(&symbols).context("the library asks for no glibc")?;
    Ok(Library {
        release,
        file,
        needs_glibc,
    })
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
