//! The testbed: where programs are run. This machine, or a release's root, with a directory for files.

use anyhow::Context;
use roots::{BindMount, Root, on_this_machine, repository};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// The directory for the files, and the repository, inside a root.
pub const FILES: &str = "/files";
const REPOSITORY: &str = "/repository";

/// Name of a program or library, and what a shell says of its version.
const QUESTIONS: [(&str, &str); 7] = [
    ("glibc", "getconf GNU_LIBC_VERSION | cut -d ' ' -f 2"),
    ("openssl", "openssl version | cut -d ' ' -f 2"),
    ("nginx", "nginx -v 2>&1 | sed 's|.*/||'"),
    ("lua_nginx_module", "dpkg-query -W -f '${Version}' libnginx-mod-http-lua"),
    ("python", "python3 --version | cut -d ' ' -f 2"),
    ("perl", "perl -e 'printf \"%vd\", $^V'"),
    ("curl", "curl --version | sed -n 's/^curl \\([^ ]*\\).*/\\1/p'"),
];

const MODULES: &str = "/usr/lib/nginx/modules";

/// What is installed: programs and libraries with their versions.
pub type Versions = BTreeMap<String, String>;

/// This machine or a root, with files of its own.
#[derive(Debug)]
pub struct Testbed<'a> {
    root: Option<&'a Root>,
    files: TempDir,
    mounts: Vec<BindMount>,
}

impl<'a> Testbed<'a> {
    /// The root, or this machine if there is none. What is built for it is seen inside, too.
    pub fn new(root: Option<&'a Root>, built: Option<BindMount>) -> anyhow::Result<Self> {
        let files = tempfile::tempdir().context("can't make a directory for the programs")?;
        let mut mounts = vec![
            BindMount::read_only(repository::root(), REPOSITORY),
            BindMount::writable(files.path(), FILES),
        ];
        mounts.extend(built);
        Ok(Self { root, files, mounts })
    }

    pub fn name(&self) -> &'static str {
        self.root.map_or("this machine", |root| root.release.name())
    }

    /// A program, to be run there. See [`Root::command`].
    pub fn command(&self, program: &str) -> anyhow::Result<Command> {
        match self.root {
            Some(root) => root.command(program, &self.mounts),
            None => Ok(on_this_machine(program)),
        }
    }

    /// How many processes stand between what [`command`](Self::command) starts and the program
    /// itself: `unshare` and the shell that mounts.
    pub fn processes_between(&self) -> usize {
        if self.root.is_some() { 2 } else { 0 }
    }

    /// A file of the directory, as this process names it.
    pub fn here(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    /// The same as the programs name it.
    pub fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.directory())
    }

    /// The directory as the programs name it.
    pub fn directory(&self) -> String {
        match self.root {
            Some(_) => FILES.to_owned(),
            None => self.files.path().display().to_string(),
        }
    }

    /// A file of the repository, as the programs name it.
    pub fn source(&self, name: &str) -> String {
        match self.root {
            Some(_) => format!("{REPOSITORY}/{name}"),
            None => repository::root().join(name).display().to_string(),
        }
    }

    /// Writes a file of the directory.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> anyhow::Result<()> {
        let path = self.here(name);
        fs::write(&path, content).with_context(|| path.display().to_string())
    }

    /// Writes the configuration for nginx of which [`nginx_configuration`] is the name.
    pub fn configure_nginx(&self, has_line: bool, locations: u32) -> anyhow::Result<()> {
        let text = nginx_text(&self.directory(), has_line, locations);
        self.write(&nginx_configuration(has_line, locations), text)
    }

    /// Has the place's own compiler build a C program of the repository.
    pub fn compile(&self, source: &str, program: &str, flags: &[&str]) -> anyhow::Result<()> {
        let built = self
            .command("gcc")?
            .args(["-O2", "-Wall", "-Wextra", "-o", &self.file(program)])
            .arg(self.source(source))
            .args(flags)
            .status()?;
        anyhow::ensure!(built.success(), "{}: gcc {source}: {built}", self.name());
        Ok(())
    }

    /// The versions of these programs and libraries, which are named with spaces between them.
    pub fn versions(&self, names: &str) -> anyhow::Result<Versions> {
        let is_asked = |name| names.split(' ').any(|asked| asked == name);
        let asked = QUESTIONS.iter().filter(|(name, _)| is_asked(*name));
        asked
            .map(|(name, question)| {
                let said = self.command("sh")?.args(["-c", question]).output()?;
                let version = String::from_utf8(said.stdout).context(*question)?;
                let version = version.trim().to_owned();
                anyhow::ensure!(
                    said.status.success() && !version.is_empty(),
                    "{}: {question}: {}, {version:?}",
                    self.name(),
                    said.status
                );
                Ok(((*name).to_owned(), version))
            })
            .collect()
    }
}

/// The name of a configuration for nginx in a root. Every location has settings of its own, with the
/// line and without: lua-nginx-module from 0.10.26 on gives those that only inherit one context, and
/// then there is nothing to share.
pub fn nginx_configuration(has_line: bool, locations: u32) -> String {
    let line = if has_line { "with" } else { "without" };
    format!("nginx-{line}-{locations}.conf")
}

/// So many locations, with the line or without it. In `files`, a directory inside, nginx finds
/// `bundle.pem` and leaves what it writes.
fn nginx_text(files: &str, has_line: bool, locations: u32) -> String {
    let line = match has_line {
        true => format!("lua_ssl_trusted_certificate {files}/bundle.pem;"),
        false => String::new(),
    };
    let locations: String = (1..=locations)
        .map(|number| format!("    location /{number} {{ lua_ssl_verify_depth 1; {line} }}\n"))
        .collect();
    format!(
        "load_module {MODULES}/ndk_http_module.so;
load_module {MODULES}/ngx_http_lua_module.so;
pid {files}/nginx.pid;
events {{}}
http {{
    access_log off;
    server {{ listen unix:{files}/nginx.socket;
{locations}    }}
}}
"
    )
}

#[cfg(test)]
mod tests {
    use super::nginx_text as text;

    #[test]
    fn the_line_stands_in_every_location() {
        let line = "lua_ssl_trusted_certificate";
        assert_eq!(text("/files", true, 7).matches(line).count(), 7);
        assert_eq!(text("/files", false, 7).matches(line).count(), 0);
        assert_eq!(text("/files", false, 7).matches("location /").count(), 7);
    }
}
