//! What a release has.

use super::Root;
use anyhow::Context;

/// Name of a program or library, and what a shell says of its version.
const QUESTIONS: [(&str, &str); 6] = [
    ("glibc", "getconf GNU_LIBC_VERSION | cut -d ' ' -f 2"),
    ("openssl", "openssl version | cut -d ' ' -f 2"),
    ("nginx", "nginx -v 2>&1 | sed 's|.*/||'"),
    (
        "lua_nginx_module",
        "dpkg-query -W -f '${Version}' libnginx-mod-http-lua",
    ),
    ("python", "python3 --version | cut -d ' ' -f 2"),
    (
        "curl",
        "curl --version | sed -n 's/^curl \\([^ ]*\\).*/\\1/p'",
    ),
];

/// What is installed, by name: a program or library and its version.
pub type Versions = Vec<(&'static str, String)>;

/// The version of this program or library; nothing if it isn't among them.
pub fn version<'a>(versions: &'a Versions, name: &str) -> &'a str {
    let found = versions.iter().find(|(known, _)| *known == name);
    found.map_or("", |(_, version)| version.as_str())
}

impl Root {
    /// Names and versions of the programs and libraries that are measured.
    ///
    /// # Errors
    ///
    /// When one can't be asked.
    pub fn versions(&self) -> anyhow::Result<Versions> {
        let mut versions = Vec::new();
        for (name, question) in QUESTIONS {
            let said = self.command("sh", &[])?.args(["-c", question]).output()?;
            let release = self.release();
            anyhow::ensure!(
                said.status.success(),
                "{release}: {question}: {}",
                said.status
            );
            let version = String::from_utf8(said.stdout).context(question)?;
            anyhow::ensure!(!version.trim().is_empty(), "{release}: {question}: nothing");
            versions.push((name, version.trim().to_owned()));
        }
        Ok(versions)
    }
}
