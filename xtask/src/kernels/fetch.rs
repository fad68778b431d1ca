//! Kernels as Debian has them (fetched by apt, with lists of their own, and unpacked), and what they
//! start with.

use anyhow::Context;
use roots::repository::{command, output, run, target};
use std::fs;
use std::path::{Path, PathBuf};

/// A release's newest kernel, unpacked.
#[derive(Debug)]
pub struct Kernel {
    /// As `uname -r` gives it.
    pub version: String,
    /// Where its files lie.
    pub directory: PathBuf,
}

/// Modules that it takes to mount what the host shares, each after those that it uses. Some are part of
/// the kernel, or not there yet.
const MODULES: &str = "virtio virtio_ring virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci netfs \
                       fscache 9pnet 9pnet_virtio 9p";

/// Fetches what isn't there.
pub fn kernel(release: &str) -> anyhow::Result<Kernel> {
    let place = target().join("kernels").join(release);
    fs::create_dir_all(place.join("lists/partial"))?;
    let sources = place.join("sources.list");
    let signed = "signed-by=/usr/share/keyrings/debian-archive-keyring.gpg";
    fs::write(&sources, format!("deb [{signed}] http://deb.debian.org/debian {release} main\n"))?;
    let settings: Vec<String> = [
        ("Dir::Etc::sourcelist", sources.display()),
        ("Dir::Etc::sourceparts", Path::new("/dev/null").display()),
        ("Dir::State::lists", place.join("lists").display()),
        ("Dir::Cache", place.display()),
        // It has no way to this place.
        ("APT::Sandbox::User", Path::new("root").display()),
    ]
    .into_iter()
    .map(|(name, value)| format!("--option={name}={value}"))
    .collect();
    run(command("apt-get").args(&settings).args(["--quiet=2", "update"]))?;
    let depends = |package: &str| {
        let listed =
            output("apt-cache", settings.iter().map(String::as_str).chain(["depends", package]))?;
        let named = |line: &str| line.trim().strip_prefix("Depends: ").map(str::to_owned);
        anyhow::Ok(listed.lines().filter_map(named).collect::<Vec<_>>())
    };
    let image =
        depends("linux-image-amd64")?.into_iter().find(|name| name.starts_with("linux-image-"));
    let image = image.with_context(|| format!("{release} has no linux-image-amd64"))?;
    let version = image.trim_start_matches("linux-image-").to_owned();
    let directory = place.join(&version);
    if !directory.exists() {
        // Of younger ones, the image is a package of packages.
        let parts = depends(&image)?.into_iter().filter(|name| name.ends_with(&version));
        let packages: Vec<String> = parts.chain([image]).collect();
        run(command("apt-get")
            .args(&settings)
            .args(["--quiet=2", "download"])
            .args(&packages)
            .current_dir(&place))?;
        // Nothing is there unless all is.
        let unpack = "mkdir -p unpacked; for package in *.deb; do dpkg-deb --extract $package unpacked; done; \
                      rm *.deb; mv unpacked \"$0\"";
        run(command("sh").args(["-ec", unpack]).arg(&directory).current_dir(&place))?;
    }
    Ok(Kernel { version, directory })
}

impl Kernel {
    /// What is booted.
    pub fn image(&self) -> anyhow::Result<PathBuf> {
        self.find("vmlinuz*")?
            .with_context(|| format!("{} has no vmlinuz", self.directory.display()))
    }

    /// Whether it has what this parameter chooses.
    pub fn knows(&self, parameter: &str) -> anyhow::Result<bool> {
        let config = self.find("config")?.or(self.find("config-*")?).context("it has no config")?;
        let config = fs::read_to_string(config)?;
        Ok(parameter != "preempt=lazy" || config.contains("CONFIG_PREEMPT_LAZY=y"))
    }

    /// Names and contents of the modules, in the order in which they are loaded.
    pub fn modules(&self) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
        let mut modules = Vec::new();
        for name in MODULES.split_whitespace() {
            let Some(path) = self.find(&format!("{name}.ko*"))? else {
                continue;
            };
            let reads =
                if path.extension().is_some_and(|end| end == "xz") { "xzcat" } else { "cat" };
            let unpacked = command(reads).arg(&path).output()?;
            anyhow::ensure!(unpacked.status.success(), "{reads} {path:?}: {}", unpacked.status);
            modules.push((format!("{:02}-{name}.ko", modules.len()), unpacked.stdout));
        }
        Ok(modules)
    }

    /// Where a file lies that younger packages have elsewhere.
    fn find(&self, name: &str) -> anyhow::Result<Option<PathBuf>> {
        let directory = self.directory.as_os_str();
        let found = output(
            "find",
            [directory, "-type".as_ref(), "f".as_ref(), "-name".as_ref(), name.as_ref()],
        )?;
        Ok(found.lines().next().map(PathBuf::from))
    }
}

/// What a kernel starts with, as an archive: busybox, modules, a script that mounts the host's root, and
/// what is done there.
///
/// # References
/// `Documentation/driver-api/early-userspace/buffer-format.rst`
pub fn initramfs(modules: &[(String, Vec<u8>)], job: &str) -> anyhow::Result<Vec<u8>> {
    let mut archive = Vec::new();
    let mut add = |name: &str, mode: u32, content: &[u8]| {
        let (name_bytes, bytes) = (name.len() + 1, content.len());
        let head = format!(
            "070701{0:08x}{mode:08x}{0:08x}{0:08x}{1:08x}{0:08x}{bytes:08x}{0:08x}{0:08x}{0:08x}{0:08x}\
             {name_bytes:08x}{0:08x}{name}\0",
            0, 1
        );
        for part in [head.as_bytes(), content] {
            archive.extend(part);
            archive.resize(archive.len().next_multiple_of(4), 0);
        }
    };
    add("busybox", 0o100_755, &fs::read("/bin/busybox")?);
    add("init", 0o100_755, include_bytes!("init.sh"));
    add("job", 0o100_644, job.as_bytes());
    for (name, content) in modules {
        add(name, 0o100_644, content);
    }
    add("TRAILER!!!", 0, &[]);
    Ok(archive)
}
