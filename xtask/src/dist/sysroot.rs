//! The oldest libc that the products run with, to link against.
//!
//! A program asks for the versions of glibc's symbols that its linker saw. Linked against Debian
//! bullseye's glibc 2.31 it runs there and on everything since. Of that release only the files of
//! libc and of libgcc are needed; apt fetches them into a directory of their own and checks their
//! signature, and nothing is installed: no root, no chroot.

use super::architecture;
use crate::programs::{command, run};
use anyhow::Context;
use roots::Release;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The release whose libc is linked against, and that libc's version.
const OLDEST: Release = Release::Bullseye;
pub const GLIBC: &str = "2.31";

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
///
/// When the packages can't be had, or Debian's keys aren't there to check them.
pub fn fetched() -> anyhow::Result<PathBuf> {
    let architecture = architecture()?;
    let place = roots::target().join(format!("sysroot/{OLDEST}-{architecture}"));
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
    let apt = Apt::prepare(&place.join("apt"), architecture)?;
    run(apt.get()?.arg("update"))?;
    run(apt.get()?.arg("download").args(PACKAGES))?;
    for entry in fs::read_dir(&apt.place)? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "deb") {
            run(command("dpkg-deb").arg("-x").args([&file, &place]))?;
        }
    }
    fs::remove_dir_all(&apt.place)?;
    run(command("sh").args(["-c", KEEP_INSIDE]).current_dir(&place))?;
    fs::write(finished, "")?;
    Ok(place)
}

/// An apt that knows nothing of this machine's.
struct Apt {
    place: PathBuf,
    architecture: &'static str,
}

impl Apt {
    fn prepare(place: &Path, architecture: &'static str) -> anyhow::Result<Self> {
        for directory in ["state/lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(place.join(directory))?;
        }
        let source = format!("deb [signed-by={KEYRING}] {MIRROR} {OLDEST} main\n");
        fs::write(place.join("sources.list"), source)?;
        fs::write(place.join("state/status"), "")?;
        Ok(Self {
            place: place.to_owned(),
            architecture,
        })
    }

    fn get(&self) -> anyhow::Result<Command> {
        let place = self.place.to_str().context("a path that isn't UTF-8")?;
        let architecture = self.architecture;
        let mut apt_get = command("apt-get");
        for option in [
            format!("Dir::State={place}/state"),
            format!("Dir::State::status={place}/state/status"),
            format!("Dir::Cache={place}/cache"),
            format!("Dir::Etc::SourceList={place}/sources.list"),
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
        apt_get.arg("-qq").current_dir(&self.place);
        apt_get.stdout(Stdio::null());
        Ok(apt_get)
    }
}
