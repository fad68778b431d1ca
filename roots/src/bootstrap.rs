//! How a root is made: debootstrap's minimal Debian, then the packages, then the marker that says
//! that it is finished. What an interrupted run left has no marker, and is made anew.

use crate::{Furniture, Release, namespaces};
use anyhow::Context;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

/// In a finished root: what was installed.
const MARKER: &str = "etc/brkhole-root";

impl Furniture {
    /// The packages.
    fn packages(self) -> &'static str {
        match self {
            Self::Testbed => {
                "binutils ca-certificates curl gcc libc6-dev libnginx-mod-http-lua libssl-dev \
                 nginx-light openssl python3 strace time"
            }
            Self::Server => "ca-certificates libnginx-mod-http-lua nginx-light",
        }
    }
}

/// The mirror if apt knows none.
const MIRROR: &str = "http://deb.debian.org/debian";

/// Programs that it takes: name, package.
const NEEDED: [(&str, &str); 4] = [
    ("debootstrap", "debootstrap"),
    ("setpriv", "util-linux"),
    ("unshare", "util-linux"),
    ("chroot", "coreutils"),
];

/// What signs the releases.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Makes the root, unless it is finished.
pub fn make(release: Release, furniture: Furniture, directory: &Path) -> anyhow::Result<()> {
    permitted()?;
    let packages = furniture.packages();
    let marker = directory.join(MARKER);
    let roots = directory.parent().context("a root is in a directory")?;
    fs::create_dir_all(roots)?;
    let lock = File::create(directory.with_extension("lock"))?;
    flock(&lock, FlockOperation::LockExclusive).context("can't lock the root")?;
    if fs::read_to_string(&marker).is_ok_and(|installed| installed.trim_end() == packages) {
        return Ok(());
    }
    let log = directory.with_extension("log");
    let log = Log(File::create(&log)?, log.display().to_string());
    eprintln!("a root of {release} is made; log: {}", log.1);
    let remove = ["-rf", "--one-file-system", "--"];
    log.run(Command::new("rm").args(remove).arg(directory))?;
    bootstrap(release, directory, &log)?;
    install(directory, packages, &log)?;
    fs::write(&marker, packages)?;
    Ok(())
}

/// Whether this user, on this machine, can make roots and run things in them.
fn permitted() -> anyhow::Result<()> {
    let user = fs::metadata("/proc/self").context("/proc isn't mounted")?;
    anyhow::ensure!(
        user.uid() == 0,
        "only root can mount and change the root directory: run it as root, \
         for example with sudo --preserve-env=PATH,HOME"
    );
    let is_there =
        |name: &str| namespaces::PATH.split(':').any(|at| Path::new(at).join(name).exists());
    for (program, package) in NEEDED {
        anyhow::ensure!(is_there(program), "{program} isn't installed: apt-get install {package}");
    }
    anyhow::ensure!(
        Path::new(KEYRING).exists(),
        "{KEYRING} is missing: apt-get install debian-archive-keyring"
    );
    Ok(())
}

fn bootstrap(release: Release, directory: &Path, log: &Log) -> anyhow::Result<()> {
    let mut debootstrap = namespaces::apart();
    debootstrap
        .args(["debootstrap", "--variant=minbase", "--force-check-gpg"])
        .arg(format!("--keyring={KEYRING}"))
        .arg(release.name())
        .arg(directory)
        .arg(mirror());
    log.run(&mut debootstrap)
}

fn install(directory: &Path, packages: &str, log: &Log) -> anyhow::Result<()> {
    // The lists of a release that gets no more updates have expired long ago.
    let settings = "Acquire::Check-Valid-Until \"false\";\nAPT::Install-Recommends \"false\";\n";
    fs::write(directory.join("etc/apt/apt.conf.d/99brkhole"), settings)?;
    // Debian's convention for "start no service".
    let policy = directory.join("usr/sbin/policy-rc.d");
    fs::write(&policy, "#!/bin/sh\nexit 101\n")?;
    fs::set_permissions(&policy, fs::Permissions::from_mode(0o755))?;
    let apt_get = || -> anyhow::Result<Command> {
        let mut apt_get = namespaces::command(directory, false, "apt-get", &[])?;
        apt_get.env("DEBIAN_FRONTEND", "noninteractive");
        Ok(apt_get)
    };
    log.run(apt_get()?.arg("update"))?;
    log.run(apt_get()?.args(["install", "--yes"]).args(packages.split_whitespace()))?;
    log.run(apt_get()?.arg("clean"))
}

/// The mirror that this machine's apt has Debian's packages from.
fn mirror() -> String {
    let targets = namespaces::on_this_machine("apt-get")
        .args(["indextargets", "--format", "$(LABEL) $(REPO_URI)"])
        .stderr(Stdio::null())
        .output();
    let targets = targets.map(|output| output.stdout).unwrap_or_default();
    let targets = String::from_utf8_lossy(&targets);
    let mut debian = targets.lines().filter_map(|line| line.strip_prefix("Debian "));
    debian.next().unwrap_or(MIRROR).to_owned()
}

/// Where the programs' talk goes, and what it is called.
struct Log(File, String);

impl Log {
    fn run(&self, command: &mut Command) -> anyhow::Result<()> {
        let command =
            command.stdin(Stdio::null()).stdout(self.0.try_clone()?).stderr(self.0.try_clone()?);
        let status = command.status().with_context(|| format!("can't run {command:?}"))?;
        anyhow::ensure!(status.success(), "{command:?}: {status}; see {}", self.1);
        Ok(())
    }
}
