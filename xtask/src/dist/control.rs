//! What Debian's package says of itself, and what is run when it comes and goes.

use super::archive::Epoch;
use super::build::Built;
use super::{Product, VERSION, architecture};
use crate::documents::root;
use crate::programs::output;
use anyhow::Context;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const MAINTAINER: &str = "The brkhole authors <brkhole@users.noreply.github.com>";
const HOMEPAGE: &str = env!("CARGO_PKG_REPOSITORY");

impl Product {
    /// The scripts that dpkg runs.
    fn scripts(self) -> &'static [&'static str] {
        match self {
            Self::Command => &["postinst", "prerm"],
            Self::Library => &["prerm"],
        }
    }

    /// Section, what goes well with it, and the description's first line and text.
    fn described(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::Command => (
                "utils",
                "libtrusted-ca-preload, prometheus-node-exporter, strace",
                "tells why a process's heap blew up",
                " Finds out which file being read made the heap grow, who blocks the program\n \
                  break, and whether malloc can give the memory back; for a command, a running\n \
                  process, or somebody's strace log. A timer for Prometheus's node_exporter is\n \
                  included and not enabled.\n",
            ),
            Self::Library => (
                "libs",
                "brkhole, nginx",
                "has every CA bundle parsed once, in programs that can't be changed",
                " A library to be preloaded into programs that load the same bundle of CA\n \
                  certificates again and again with OpenSSL, such as nginx with\n \
                  lua_ssl_trusted_certificate in many locations. Nothing is preloaded until\n \
                  trusted-ca-preload(8) is told for which service.\n",
            ),
        }
    }
}

/// The changes in Debian's form: where to find them in ours.
///
/// # Errors
///
/// When the time can't be written out.
pub fn changelog(product: Product, epoch: &Epoch) -> anyhow::Result<String> {
    Ok(format!(
        "{} ({VERSION}) unstable; urgency=medium\n\n  * See CHANGELOG.md beside this file.\n\n \
         -- {MAINTAINER}  {}\n",
        product.package(),
        epoch.rfc5322()?
    ))
}

/// Writes `DEBIAN` into a staged root.
///
/// # Errors
///
/// When a file can't be written.
pub fn write(product: Product, built: &Built, bytes: u64, stage: &Path) -> anyhow::Result<()> {
    let control = stage.join("DEBIAN");
    fs::create_dir_all(&control)?;
    let (section, suggested, summary, text) = product.described();
    let package = product.package();
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
Suggests: {suggested}
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
    let packaging = root().join(format!("crates/{}/packaging", product.member()));
    for name in product.scripts() {
        let script = control.join(name);
        fs::copy(packaging.join(name), &script).with_context(|| format!("{package}: {name}"))?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}
