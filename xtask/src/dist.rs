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

use anyhow::Context;
use roots::Release;
use roots::repository::{command, output, root, target};
use std::fs;
use std::path::{Path, PathBuf};

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

/// A package and a tarball.
#[derive(Debug)]
struct Product {
    /// The package of this workspace that it is made of.
    member: &'static str,
    /// What has Cargo build it.
    kind: &'static [&'static str],
    /// What Cargo calls the file.
    file: &'static str,
    /// What Debian calls it.
    package: &'static str,
    section: &'static str,
    /// What goes well with it.
    suggests: &'static str,
    /// The description's first line, and its text.
    description: [&'static str; 2],
    /// What dpkg runs when it comes and goes.
    scripts: &'static [&'static str],
}

const PRODUCTS: [Product; 2] = [
    Product {
        member: "brkhole",
        kind: &["--bin", "brkhole"],
        file: "brkhole",
        package: "brkhole",
        section: "utils",
        suggests: "libtrusted-ca-preload, prometheus-node-exporter, strace",
        description: [
            "tells why a process's heap blew up",
            " Finds out which file being read made the heap grow, who blocks the program\n \
              break, and whether malloc can give the memory back; for a command, a running\n \
              process, or somebody's strace log. A timer for Prometheus's node_exporter is\n \
              included and not enabled.\n",
        ],
        scripts: &["postinst", "prerm"],
    },
    Product {
        member: "trusted-ca-preload",
        kind: &["--lib", "--crate-type", "cdylib"],
        file: "libtrusted_ca_preload.so",
        package: "libtrusted-ca-preload",
        section: "libs",
        suggests: "brkhole, nginx",
        description: [
            "has every CA bundle parsed once, in programs that can't be changed",
            " A library to be preloaded into programs that load the same bundle of CA\n \
              certificates again and again with OpenSSL, such as nginx with\n \
              lua_ssl_trusted_certificate in many locations. Nothing is preloaded until\n \
              trusted-ca-preload(8) is told for which service.\n",
        ],
        scripts: &["prerm"],
    },
];

/// Makes everything in `target/dist`, and tries it if that is asked for.
///
/// # Errors
///
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

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Debian's name for this machine's architecture.
///
/// # Errors
///
/// When it isn't one of those that the products know.
fn architecture() -> anyhow::Result<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        other => anyhow::bail!("packages are made on x86_64 and aarch64, not on {other}"),
    }
}

/// The time that all files have, in seconds: `SOURCE_DATE_EPOCH`, or when this commit was made.
///
/// # Errors
///
/// When there is neither.
fn epoch() -> anyhow::Result<String> {
    if let Ok(given) = std::env::var("SOURCE_DATE_EPOCH") {
        return Ok(given);
    }
    Ok(output("git", ["log", "-1", "--format=%ct"])?.trim().to_owned())
}

/// A time in one of date's forms.
///
/// # Errors
///
/// When it is no number of seconds.
fn written(epoch: &str, form: &str) -> anyhow::Result<String> {
    let time = output("date", ["--utc", "--date", &format!("@{epoch}"), form])?;
    Ok(time.trim().to_owned())
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
