//! What is handed to people without a compiler: packages for Debian, tarballs, checksums, and what
//! is in them.
//!
//! Programs are linked against the libc of the oldest Debian that they are to run on, whose files
//! are fetched for it ([`build`]); Cargo compiles the last crate anew and nothing below it.
//! `--check` installs the packages in fresh roots and has the story's nginx found and cured there.

mod archive;
mod build;
mod check;
mod contents;
mod licences;
mod linked;
mod product;

use anyhow::Context;
use roots::Release;
use roots::repository::{command, output, root, target};
use std::fs;
use std::path::{Path, PathBuf};

use product::PRODUCTS;

pub use licences::check as check_licences;

/// What is made, and whether it is tried.
#[derive(Debug, clap::Args)]
pub struct DistOptions {
    /// Then install the packages in fresh roots and try them there: as root, with debootstrap.
    #[arg(long)]
    check: bool,
    /// The roots' releases.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "bullseye,bookworm,trixie",
        requires = "check"
    )]
    releases: Vec<Release>,
    /// Keep what was typed and seen there, instead of comparing it with what is kept.
    #[arg(long, requires = "check")]
    record: bool,
}

/// Makes everything in `target/dist`, and tries it if that is asked for.
///
/// # Errors
/// When something can't be built, asks for a newer glibc than was promised, has a licence that
/// `deny.toml` doesn't allow, or doesn't work where it was installed.
pub fn make(options: &DistOptions) -> anyhow::Result<()> {
    let place = target().join("dist");
    if place.exists() {
        fs::remove_dir_all(&place).with_context(|| place.display().to_string())?;
    }
    fs::create_dir_all(&place)?;
    check_licences()?;
    let epoch = epoch()?;
    let libc = build::oldest_libc()?;
    for product in &PRODUCTS {
        let built = build::built(product, &libc, &place)?;
        let linked = linked::crates(product.member)?;
        let notices = licences::notices(product, &linked)?;
        let files = contents::files(product, &built, &notices, &epoch)?;
        archive::deb(product, &built, &files, &epoch, &place)?;
        archive::tarball(product, &files, &epoch, &place)?;
        linked::write_sbom(product, &linked, &epoch, &place)?;
    }
    checksums(&place)?;
    tell(&place)?;
    match options.check {
        true => check::run(&options.releases, &place, options.record),
        false => Ok(()),
    }
}

/// The time that all files have, in seconds: `SOURCE_DATE_EPOCH`, or when this commit was made.
///
/// # Errors
/// When there is neither.
fn epoch() -> anyhow::Result<String> {
    if let Ok(given) = std::env::var("SOURCE_DATE_EPOCH") {
        return Ok(given);
    }
    Ok(output("git", ["log", "-1", "--format=%ct"])?.trim().to_owned())
}

/// The files that are handed out, in the order of their names.
fn products(place: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(place)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

fn checksums(place: &Path) -> anyhow::Result<()> {
    let files = products(place)?;
    let names = files.iter().filter_map(|file| file.file_name());
    let sums = command("sha256sum").args(names).current_dir(place).output();
    let sums = sums.context("can't run sha256sum")?;
    anyhow::ensure!(sums.status.success(), "sha256sum: {}", sums.status);
    fs::write(place.join("SHA256SUMS"), sums.stdout)?;
    Ok(())
}

/// Prints each file with its size.
fn tell(place: &Path) -> anyhow::Result<()> {
    for file in products(place)? {
        let bytes = fs::metadata(&file)?.len();
        let name = file.strip_prefix(root()).unwrap_or(&file);
        println!("{:>10}  {}", human_text::Bytes(bytes).to_string(), name.display());
    }
    Ok(())
}
