//! What the packages are called, and what they say of themselves.

use roots::repository::output;

/// A package and a tarball.
#[derive(Debug)]
pub struct Product {
    /// The package of this workspace that it is made of.
    pub member: &'static str,
    /// What has Cargo build it.
    pub kind: &'static [&'static str],
    /// What Cargo calls the file.
    pub file: &'static str,
    /// What Debian calls it.
    pub package: &'static str,
    pub section: &'static str,
    /// What goes well with it.
    pub suggests: &'static str,
    /// The description's first line, and its text.
    pub description: [&'static str; 2],
    /// What dpkg runs when it comes and goes.
    pub scripts: &'static [&'static str],
}

pub const PRODUCTS: [Product; 2] = [
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

pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Debian's name for this machine's architecture.
///
/// # Errors
/// When it isn't one of those that the products know.
pub fn architecture() -> anyhow::Result<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        other => anyhow::bail!("packages are made on x86_64 and aarch64, not on {other}"),
    }
}

/// A time in one of date's forms.
///
/// # Errors
/// When it is no number of seconds.
pub fn written(epoch: &str, form: &str) -> anyhow::Result<String> {
    let time = output("date", ["--utc", "--date", &format!("@{epoch}"), form])?;
    Ok(time.trim().to_owned())
}
