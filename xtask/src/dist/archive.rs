//! Packages and tarballs out of a list of files: the same bytes for the same commit and toolchain. And
//! what Debian's package says of itself, and what is run when it comes and goes.

use super::build::Built;
use super::product::{Product, VERSION, architecture, written};
use anyhow::Context;
use flate2::{Compression, GzBuilder};
use roots::repository::{command, output, root, run};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

#[derive(Debug)]
pub struct Item {
    pub content: Vec<u8>,
    /// Its place below `/`; compressed where that ends with `.gz`, empty if the package hasn't got it.
    pub in_package: String,
    /// Its place in the tarball's directory, likewise.
    pub in_tarball: String,
}

/// Makes Debian's package.
///
/// # Errors
/// When a file can't be copied, or dpkg-deb fails.
pub fn deb(
    product: &Product,
    built: &Built,
    items: &[Item],
    epoch: &str,
    place: &Path,
) -> anyhow::Result<()> {
    let stage = place.join("stage").join(product.package);
    let mut bytes = 0;
    for item in items.iter().filter(|item| !item.in_package.is_empty()) {
        bytes += item.put(&stage.join(&item.in_package))?;
    }
    write_control(product, built, bytes, &stage)?;
    let architecture = architecture()?;
    let file = format!("{}_{VERSION}_{architecture}.deb", product.package);
    run(command("dpkg-deb")
        .args(["--build", "--root-owner-group", "-Zxz"])
        .args([&stage, &place.join(file)])
        .env("SOURCE_DATE_EPOCH", epoch)
        .stdout(std::process::Stdio::null()))
}

/// Makes the tarball, for all systems without dpkg.
///
/// # Errors
/// When a file can't be copied, or tar fails.
pub fn tarball(product: &Product, items: &[Item], epoch: &str, place: &Path) -> anyhow::Result<()> {
    let machine = std::env::consts::ARCH;
    let name = format!("{}-{VERSION}-{machine}-linux-gnu", product.package);
    let stage = place.join("stage");
    for item in items.iter().filter(|item| !item.in_tarball.is_empty()) {
        item.put(&stage.join(&name).join(&item.in_tarball))?;
    }
    run(command("tar")
        .args(["--create", "--sort=name", "--format=gnu"])
        .args(["--owner=0", "--group=0", "--numeric-owner"])
        .arg(format!("--mtime=@{epoch}"))
        .arg("--use-compress-program=gzip -9n")
        .arg("--file")
        .arg(place.join(format!("{name}.tar.gz")))
        .arg("--directory")
        .args([stage.as_path(), Path::new(&name)]))
}

impl Item {
    fn is_program(&self) -> bool {
        ["usr/bin/", "usr/sbin/"].iter().any(|programs| self.in_package.starts_with(programs))
    }

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
        let mode = if self.is_program() { 0o755 } else { 0o644 };
        fs::set_permissions(file, fs::Permissions::from_mode(mode))?;
        Ok(content.len() as u64)
    }
}

const MAINTAINER: &str = "The brkhole authors <brkhole@users.noreply.github.com>";
const HOMEPAGE: &str = env!("CARGO_PKG_REPOSITORY");

/// The changes in Debian's form: where to find them in ours.
///
/// # Errors
/// When the time can't be written out.
pub fn changelog(product: &Product, epoch: &str) -> anyhow::Result<String> {
    Ok(format!(
        "{} ({VERSION}) unstable; urgency=medium\n\n  * See CHANGELOG.md beside this file.\n\n \
         -- {MAINTAINER}  {}\n",
        product.package,
        written(epoch, "--rfc-email")?
    ))
}

/// Writes `DEBIAN` into a staged root.
///
/// # Errors
/// When a file can't be written.
fn write_control(product: &Product, built: &Built, bytes: u64, stage: &Path) -> anyhow::Result<()> {
    let control = stage.join("DEBIAN");
    fs::create_dir_all(&control)?;
    let Product { package, section, suggests, description: [summary, text], .. } = product;
    let architecture = architecture()?;
    let glibc = &built.needs_glibc;
    let kibibytes = bytes.div_ceil(1024);
    let said = format!(
        "Package: {package}
Version: {VERSION}
Architecture: {architecture}
Maintainer: {MAINTAINER}
Installed-Size: {kibibytes}
Depends: libc6 (>= {glibc}), libgcc-s1
Suggests: {suggests}
Section: {section}
Priority: optional
Homepage: {HOMEPAGE}
Description: {summary}
{text}"
    );
    fs::write(control.join("control"), said)?;
    let sums = "find usr -type f | LC_ALL=C sort | xargs -d '\\n' md5sum";
    let sums = output("sh", ["-c", &format!("cd '{}' && {sums}", stage.display())])?;
    fs::write(control.join("md5sums"), sums)?;
    let packaging = root().join(format!("crates/{}/packaging", product.member));
    for name in product.scripts {
        let script = control.join(name);
        fs::copy(packaging.join(name), &script).with_context(|| format!("{package}: {name}"))?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}
