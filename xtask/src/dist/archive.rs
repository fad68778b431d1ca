//! Packages and tarballs out of a list of files: the same bytes for the same commit and toolchain.

use super::build::Built;
use super::contents::Item;
use super::{Product, VERSION, architecture, control};
use crate::programs::{command, output, run};
use anyhow::Context;
use flate2::{Compression, GzBuilder};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The time that all files have.
#[derive(Debug)]
pub struct Epoch(String);

impl Epoch {
    /// `SOURCE_DATE_EPOCH`, or when this commit was made.
    ///
    /// # Errors
    ///
    /// When there is neither.
    pub fn of_this_commit() -> anyhow::Result<Self> {
        if let Ok(given) = std::env::var("SOURCE_DATE_EPOCH") {
            return Ok(Self(given));
        }
        let time = output("git", ["log", "-1", "--format=%ct"])?;
        Ok(Self(time.trim().to_owned()))
    }

    /// As `2026-01-31T12:00:00Z`.
    ///
    /// # Errors
    ///
    /// When it is no number of seconds.
    pub fn rfc3339(&self) -> anyhow::Result<String> {
        self.written("+%Y-%m-%dT%H:%M:%SZ")
    }

    /// As `Sat, 31 Jan 2026 12:00:00 +0000`.
    ///
    /// # Errors
    ///
    /// When it is no number of seconds.
    pub fn rfc5322(&self) -> anyhow::Result<String> {
        self.written("--rfc-email")
    }

    fn written(&self, form: &str) -> anyhow::Result<String> {
        let at = format!("@{}", self.0);
        let time = output("date", ["--utc", "--date", &at, form])?;
        Ok(time.trim().to_owned())
    }
}

/// Makes Debian's package.
///
/// # Errors
///
/// When a file can't be copied, or dpkg-deb fails.
pub fn deb(
    product: Product,
    built: &Built,
    items: &[Item],
    epoch: &Epoch,
    place: &Path,
) -> anyhow::Result<()> {
    let stage = place.join("stage").join(product.package());
    let mut bytes = 0;
    for item in items {
        if let Some(name) = &item.in_package {
            bytes += item.put(&stage.join(name))?;
        }
    }
    control::write(product, built, bytes, &stage)?;
    let architecture = architecture()?;
    let file = format!("{}_{VERSION}_{architecture}.deb", product.package());
    run(command("dpkg-deb")
        .args(["--build", "--root-owner-group", "-Zxz"])
        .args([&stage, &place.join(file)])
        .env("SOURCE_DATE_EPOCH", &epoch.0)
        .stdout(std::process::Stdio::null()))
}

/// Makes the tarball, for all systems without dpkg.
///
/// # Errors
///
/// When a file can't be copied, or tar fails.
pub fn tarball(
    product: Product,
    items: &[Item],
    epoch: &Epoch,
    place: &Path,
) -> anyhow::Result<()> {
    let machine = std::env::consts::ARCH;
    let name = format!("{}-{VERSION}-{machine}-linux-gnu", product.package());
    let stage = place.join("stage");
    for item in items {
        if let Some(inside) = &item.in_tarball {
            item.put(&stage.join(&name).join(inside))?;
        }
    }
    run(command("tar")
        .args(["--create", "--sort=name", "--format=gnu"])
        .args(["--owner=0", "--group=0", "--numeric-owner"])
        .arg(format!("--mtime=@{}", epoch.0))
        .arg("--use-compress-program=gzip -9n")
        .arg("--file")
        .arg(place.join(format!("{name}.tar.gz")))
        .arg("--directory")
        .args([stage.as_path(), Path::new(&name)]))
}

impl Item {
    /// Writes it there, and says how large it is. What is called `.gz` is compressed on the way.
    fn put(&self, file: &Path) -> anyhow::Result<u64> {
        let is_compressed = file.extension().is_some_and(|extension| extension == "gz");
        let content = match is_compressed {
            true => {
                let mut compressed = GzBuilder::new().write(Vec::new(), Compression::best());
                compressed.write_all(&self.content)?;
                compressed.finish()?
            }
            false => self.content.clone(),
        };
        let directory = file.parent().context("a file is in a directory")?;
        fs::create_dir_all(directory)?;
        fs::write(file, &content).with_context(|| file.display().to_string())?;
        let mode = if self.is_executable { 0o755 } else { 0o644 };
        fs::set_permissions(file, fs::Permissions::from_mode(mode))?;
        Ok(content.len() as u64)
    }
}
