//! The programs: built, stripped, and asked which glibc they need.
//!
//! A program asks for the versions of glibc's symbols that its linker saw. Linked against Debian
//! bullseye's glibc 2.31 it runs there and on everything since. Of that release only the files of
//! libc and of libgcc are needed; apt fetches them into a directory of their own and checks their
//! signature, and nothing is installed: no root, no chroot.

use super::product::{Product, architecture};
use anyhow::Context;
use roots::Release;
use roots::repository::{command, output, run, target};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A product's stripped file.
#[derive(Debug)]
pub struct Built {
    pub file: PathBuf,
    /// The newest version of glibc's symbols that it asks for.
    pub needs_glibc: String,
}

/// Builds a product, linked against this libc. What is below it stays as `cargo build --release`
/// made it.
///
/// # Errors
/// When it doesn't compile, or needs a newer glibc than was promised.
pub fn built(product: &Product, libc: &Path, place: &Path) -> anyhow::Result<Built> {
    let mut cargo = command("cargo");
    cargo.args(["rustc", "--release", "--quiet", "--locked"]);
    cargo.args(["--package", product.member]);
    cargo.args(product.kind);
    cargo.arg("--");
    for argument in linker_arguments(libc) {
        cargo.args(["-C", &format!("link-arg={argument}")]);
    }
    run(&mut cargo)?;
    let file = place.join("built").join(product.file);
    std::fs::create_dir_all(place.join("built"))?;
    let linked = target().join("release").join(product.file);
    run(command("strip").arg("-o").args([&file, &linked]))?;
    let symbols = output("objdump", ["-T".as_ref(), file.as_os_str()])?;
    let needs_glibc = roots::newest_glibc(&symbols)
        .with_context(|| format!("{} asks for no glibc", file.display()))?;
    anyhow::ensure!(
        is_at_most(&needs_glibc, GLIBC),
        "{} needs glibc {needs_glibc}, and {GLIBC} was promised",
        file.display()
    );
    println!("{} needs glibc {needs_glibc} or later", product.file);
    Ok(Built { file, needs_glibc })
}

/// What has the compiler's driver find this libc before the machine's own: its start files and libraries
/// by `-B`, and by `--sysroot` what the linker scripts among them name.
fn linker_arguments(libc: &Path) -> Vec<String> {
    let libc = libc.display();
    let directory = format!("{}-linux-gnu", std::env::consts::ARCH);
    vec![
        format!("--sysroot={libc}"),
        format!("-B{libc}/usr/lib/{directory}/"),
        format!("-B{libc}/lib/{directory}/"),
    ]
}

/// Whether a version isn't newer than another.
fn is_at_most(version: &str, limit: &str) -> bool {
    let numbers = |text: &str| -> Vec<u32> {
        let parts = text.split('.').map(|part| part.parse().unwrap_or(u32::MAX));
        parts.collect()
    };
    numbers(version) <= numbers(limit)
}

/// The release whose libc is linked against, and that libc's version.
const OLDEST: Release = Release::Bullseye;
const GLIBC: &str = "2.31";

/// Its packages that a linker needs.
const PACKAGES: [&str; 3] = ["libc6", "libc6-dev", "libgcc-s1"];

const MIRROR: &str = "http://deb.debian.org/debian";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Has links that begin with `/` lead to the same file of the directory, not of this machine.
const KEEP_INSIDE: &str = r#"
find . -type l -lname '/*' -exec sh -c 'ln -sfn "$PWD$(readlink "$1")" "$1"' sh {} \;
"#;

/// The directory that `--sysroot` takes: the one that is there, or else a new one.
///
/// # Errors
/// When the packages can't be had, or Debian's keys aren't there to check them.
pub fn oldest_libc() -> anyhow::Result<PathBuf> {
    let architecture = architecture()?;
    let place = target().join(format!("sysroot/{OLDEST}-{architecture}"));
    let finished = place.join("finished");
    if finished.exists() {
        return Ok(place);
    }
    anyhow::ensure!(
        Path::new(KEYRING).exists(),
        "{KEYRING} is missing: apt-get install debian-archive-keyring"
    );
    if place.exists() {
        fs::remove_dir_all(&place)?;
    }
    let downloads = place.join("apt");
    for directory in ["state/lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(downloads.join(directory))?;
    }
    let source = format!("deb [signed-by={KEYRING}] {MIRROR} {OLDEST} main\n");
    fs::write(downloads.join("sources.list"), source)?;
    fs::write(downloads.join("state/status"), "")?;
    run(apt_get(&downloads, architecture).arg("update"))?;
    run(apt_get(&downloads, architecture).arg("download").args(PACKAGES))?;
    for entry in fs::read_dir(&downloads)? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "deb") {
            run(command("dpkg-deb").arg("-x").args([&file, &place]))?;
        }
    }
    fs::remove_dir_all(&downloads)?;
    run(command("sh").args(["-c", KEEP_INSIDE]).current_dir(&place))?;
    fs::write(finished, "")?;
    Ok(place)
}

/// An apt that knows nothing of this machine's.
fn apt_get(place: &Path, architecture: &str) -> Command {
    let at = place.display();
    let mut apt_get = command("apt-get");
    for option in [
        format!("Dir::State={at}/state"),
        format!("Dir::State::status={at}/state/status"),
        format!("Dir::Cache={at}/cache"),
        format!("Dir::Etc::SourceList={at}/sources.list"),
        "Dir::Etc::SourceParts=/dev/null".to_owned(),
        format!("APT::Architecture={architecture}"),
        format!("APT::Architectures={architecture}"),
        "APT::Sandbox::User=".to_owned(),
        "Acquire::Languages=none".to_owned(),
        // Of a release that gets no more updates.
        "Acquire::Check-Valid-Until=false".to_owned(),
    ] {
        apt_get.args(["-o", &option]);
    }
    apt_get.arg("-qq").current_dir(place).stdout(Stdio::null());
    apt_get
}

#[cfg(test)]
mod tests {
    use super::is_at_most;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(is_at_most("2.9", "2.31"));
        assert!(is_at_most("2.2.5", "2.31"));
        assert!(is_at_most("2.31", "2.31"));
        assert!(!is_at_most("2.34", "2.31"));
        assert!(!is_at_most("3", "2.31"));
    }
}
