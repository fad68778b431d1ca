//! Roots of other Debian releases, to run things with another glibc and another OpenSSL.
//!
//! A root is a directory, `target/roots/RELEASE`, that holds a small Debian: a machine's files
//! without the machine. The kernel stays this one's. It is made once and then reused.

#[cfg(test)]
use suite as _;

mod bootstrap;
mod namespaces;
pub mod repository;

pub use namespaces::{BindMount, on_this_machine};

use crate::repository::{command, output, target};
use anyhow::Context;
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

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

/// What is installed in a root, besides a minimal Debian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Furniture {
    /// Compiler, programs and tools: to build and to measure.
    Testbed,
    /// What a web server has: nginx with Lua, and the bundle of CA certificates.
    Server,
}

/// A finished root.
#[derive(Debug)]
pub struct Root {
    /// Which release it is of.
    pub release: Release,
    /// Where it lies.
    pub directory: PathBuf,
}

impl Root {
    /// The root of a release with a compiler: see [`furnished`](Self::furnished).
    ///
    /// # Errors
    /// As there.
    pub fn make(release: Release) -> anyhow::Result<Self> {
        Self::furnished(release, Furniture::Testbed)
    }

    /// The root of a release: the one that is there if it was finished, or else a new one.
    ///
    /// # Errors
    /// When the user isn't root, debootstrap isn't installed, or a package can't be had.
    pub fn furnished(release: Release, furniture: Furniture) -> anyhow::Result<Self> {
        let name = match furniture {
            Furniture::Testbed => release.name().to_owned(),
            Furniture::Server => format!("{release}-server"),
        };
        let directory = target().join("roots").join(name);
        bootstrap::make(release, furniture, &directory)?;
        Ok(Self { release, directory })
    }

    /// Those of all that are released, the oldest first.
    ///
    /// # Errors
    /// When one of them can't be made.
    pub fn all() -> anyhow::Result<Vec<Self>> {
        Release::ALL.into_iter().map(Self::make).collect()
    }

    /// The release's bundle of CA certificates.
    ///
    /// # Errors
    /// When it isn't there.
    pub fn bundle(&self) -> anyhow::Result<Vec<u8>> {
        let bundle = self.directory.join("etc/ssl/certs/ca-certificates.crt");
        fs::read(bundle).context("the root has no bundle")
    }

    /// A program of the root, to be run in it, with its own /proc, this machine's /dev and these
    /// directories. Arguments can be added; variables, too, but `env` inside has to set those that
    /// concern the loader. All that it started ends with it, and with this process; no mount
    /// outlives it.
    ///
    /// # Errors
    /// When a directory can't be made to mount at.
    pub fn command(&self, program: &str, mounts: &[BindMount]) -> anyhow::Result<Command> {
        namespaces::command(&self.directory, false, program, mounts)
    }

    /// The same in a layer above the root: what the program changes is in memory, and gone with it.
    ///
    /// # Errors
    /// When a directory can't be made to mount at.
    pub fn command_in_layer(&self, program: &str, mounts: &[BindMount]) -> anyhow::Result<Command> {
        namespaces::command(&self.directory, true, program, mounts)
    }

    /// Builds a package of this workspace with `--release`, as far as it isn't built yet, and says in
    /// which directory its programs and libraries lie.
    ///
    /// Something linked against a newer glibc asks for that glibc's symbol versions, and an older one
    /// refuses to load it: what is built in the oldest root runs in all. Rust's compiler itself runs
    /// with any of them, so this machine's is used.
    ///
    /// # Errors
    /// When a dependency can't be had, or it doesn't compile.
    pub fn build(&self, package: &str) -> anyhow::Result<PathBuf> {
        // Inside there is no network, and Cargo's directory can't be written.
        repository::run(command("cargo").args(["fetch", "--locked", "--quiet"]))?;
        let toolchain = output("rustc", ["--print", "sysroot"])?;
        let target = target().join("built-in").join(self.release.name());
        fs::create_dir_all(&target)?;
        let mounts = [
            BindMount::read_only(repository::root(), "/repository"),
            BindMount::read_only(toolchain.trim(), "/toolchain"),
            BindMount::read_only(cargo_home()?.join("registry"), "/cargo/registry"),
            BindMount::writable(&target, "/target"),
        ];
        let built = self
            .command("env", &mounts)?
            .args(["-C", "/repository", "PATH=/toolchain/bin:/usr/bin:/bin"])
            .args(["CARGO_HOME=/cargo", "CARGO_TARGET_DIR=/target"])
            .args(["cargo", "build", "--release", "--quiet"])
            .args(["--locked", "--offline", "--package", package])
            .status()?;
        let release = self.release;
        anyhow::ensure!(built.success(), "{release}: cargo build --package {package}: {built}");
        Ok(target.join("release"))
    }
}

/// Makes the root of this release and says where it is; or runs a program in it, which sees the
/// repository as `/repository`.
///
/// # Errors
/// When the root can't be made or the program fails.
pub fn run(release: Release, words: &[String]) -> anyhow::Result<()> {
    let root = Root::make(release)?;
    let [program, arguments @ ..] = words else {
        println!("{}", root.directory.display());
        return Ok(());
    };
    let mounts = [BindMount::read_only(repository::root(), "/repository")];
    let status = root.command(program, &mounts)?.args(arguments).status()?;
    anyhow::ensure!(status.success(), "{program}: {status}");
    Ok(())
}

fn cargo_home() -> anyhow::Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = std::env::home_dir().context("neither CARGO_HOME nor HOME is set")?;
    Ok(home.join(".cargo"))
}

/// The newest version of glibc among the symbols that `objdump -T` lists.
pub fn newest_glibc(symbols: &str) -> Option<String> {
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
