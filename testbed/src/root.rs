//! Roots of other Debian releases, to run things with another glibc and another OpenSSL.
//!
//! A root is a directory, `target/roots/RELEASE`, that holds a small Debian: a machine's files
//! without the machine. The kernel stays this one's. It is made once and then reused.

mod cargo;
mod inside;
mod maker;
mod versions;

pub use versions::{Versions, version};

use crate::repository;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is installed in every root, besides a minimal Debian.
const PACKAGES: [&str; 12] = [
    "binutils",
    "ca-certificates",
    "curl",
    "gcc",
    "libc6-dev",
    "libnginx-mod-http-lua",
    "libssl-dev",
    "nginx-light",
    "openssl",
    "python3",
    "strace",
    "time",
];

/// A Debian release of which a root can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Release {
    /// Debian 11: glibc 2.31, OpenSSL 1.1.1.
    Bullseye,
    /// Debian 12: glibc 2.36, OpenSSL 3.0.
    Bookworm,
    /// Debian 13: glibc 2.41, OpenSSL 3.5.
    Trixie,
    /// What becomes the next Debian: new every day, so nothing is measured on it for the record.
    Sid,
}

impl Release {
    /// All that are released, the oldest first.
    pub const ALL: [Self; 3] = [Self::Bullseye, Self::Bookworm, Self::Trixie];

    /// Debian's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bullseye => "bullseye",
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
            Self::Sid => "sid",
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A finished root.
#[derive(Debug)]
pub struct Root {
    release: Release,
    directory: PathBuf,
}

/// A directory of this machine that a program in a root sees, too.
#[derive(Debug, Clone)]
pub struct Shared {
    /// Its name here.
    here: PathBuf,
    /// Its absolute name inside.
    inside: String,
    writable: bool,
}

impl Shared {
    /// One that can only be read inside.
    pub fn read_only(here: impl Into<PathBuf>, inside: &str) -> Self {
        let (here, inside) = (here.into(), inside.to_owned());
        Self {
            here,
            inside,
            writable: false,
        }
    }

    /// One that can be written inside, too.
    pub fn writable(here: impl Into<PathBuf>, inside: &str) -> Self {
        Self {
            writable: true,
            ..Self::read_only(here, inside)
        }
    }
}

impl Root {
    /// The root of a release: the one that is there if it was finished, or else a new one.
    ///
    /// # Errors
    ///
    /// When the user isn't root, debootstrap isn't installed, or a package can't be had.
    pub fn make(release: Release) -> anyhow::Result<Self> {
        let directory = target().join("roots").join(release.name());
        maker::make(release, &directory)?;
        Ok(Self { release, directory })
    }

    /// Which release it is of.
    pub fn release(&self) -> Release {
        self.release
    }

    /// Where it lies.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A program of the root, to be run in it, with its own /proc, this machine's /dev and these
    /// directories. Arguments can be added; variables, too, but `env` inside has to set those that
    /// concern the loader. All that it started ends with it, and with this process; no mount
    /// outlives it.
    ///
    /// # Errors
    ///
    /// When the place where a directory is to appear can't be made.
    pub fn command(&self, program: &str, shared: &[Shared]) -> anyhow::Result<Command> {
        inside::command(&self.directory, program, shared)
    }
}

/// Makes the root of this release and says where it is; or runs a program in it, which sees the
/// repository as `/repository`.
///
/// # Errors
///
/// As for [`Root::make`], or when the program fails.
pub fn run(release: Release, words: &[String]) -> anyhow::Result<()> {
    let root = Root::make(release)?;
    let [program, arguments @ ..] = words else {
        println!("{}", root.directory().display());
        return Ok(());
    };
    let shared = [Shared::read_only(repository::root(), "/repository")];
    let status = root.command(program, &shared)?.args(arguments).status()?;
    anyhow::ensure!(status.success(), "{program}: {status}");
    Ok(())
}

/// Cargo's directory for what it builds.
pub fn target() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    repository::root().join(target)
}
