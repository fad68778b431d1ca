//! Which files a product has, and where they lie in its package and its tarball.

use super::archive::{Item, changelog};
use super::build::Built;
use super::licences;
use super::product::Product;
use anyhow::Context;
use roots::repository::{output, root, run};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The files of a product. What the command writes about itself it is asked for: manual pages and completions.
///
/// # Errors
/// When a file can't be read, or the command fails.
pub fn files(
    product: &Product,
    built: &Built,
    notices: &str,
    epoch: &str,
) -> anyhow::Result<Vec<Item>> {
    let mut files = Files { doc: format!("usr/share/doc/{}", product.package), items: Vec::new() };
    match product.member {
        "brkhole" => files.of_the_command(&built.file)?,
        _ => files.of_the_library(&built.file)?,
    }
    let doc = files.doc.clone();
    let readme = format!("crates/{}/README.md", product.member);
    files.copy(&readme, &format!("{doc}/README.md"), "README.md")?;
    let changes = format!("{doc}/CHANGELOG.md");
    files.copy("CHANGELOG.md", &changes, "CHANGELOG.md")?;
    let changelog = changelog(product, epoch)?;
    let in_package = format!("{doc}/changelog.gz");
    files.add(changelog.into(), &in_package, "");
    files.add(notices.into(), &format!("{doc}/copyright"), "COPYRIGHT");
    let standard = fs::read(licences::of_the_standard_library()?)?;
    let name = "rust-standard-library.html";
    files.add(standard, &format!("{doc}/{name}.gz"), name);
    for name in ["LICENSE-MIT", "LICENSE-APACHE"] {
        files.add(fs::read(root().join(name))?, "", name);
    }
    Ok(files.items)
}

struct Files {
    /// The package's directory for documents.
    doc: String,
    items: Vec<Item>,
}

impl Files {
    fn of_the_command(&mut self, program: &Path) -> anyhow::Result<()> {
        self.add(fs::read(program)?, "usr/bin/brkhole", "brkhole");
        let pages = tempfile::tempdir().context("can't make a directory for manual pages")?;
        run(Command::new(program).arg("man").arg(pages.path()))?;
        for entry in fs::read_dir(pages.path())? {
            self.add_page(&entry?.path(), 1)?;
        }
        for (shell, directory, name) in [
            ("bash", "bash-completion/completions", "brkhole"),
            ("zsh", "zsh/vendor-completions", "_brkhole"),
            ("fish", "fish/vendor_completions.d", "brkhole.fish"),
        ] {
            let program = program.to_str().context("a path that isn't UTF-8")?;
            let script = output(program, ["completions", shell])?;
            let in_tarball = match shell {
                "bash" => "completions/brkhole.bash".to_owned(),
                _ => format!("completions/{name}"),
            };
            let in_package = format!("usr/share/{directory}/{name}");
            self.add(script.into(), &in_package, &in_tarball);
        }
        for name in ["brkhole-inspect.service", "brkhole-inspect.timer", "brkhole-trim.service"] {
            let in_package = format!("usr/lib/systemd/system/{name}");
            let fleet = format!("fleet/{name}");
            self.copy(&format!("crates/brkhole/{fleet}"), &in_package, &fleet)?;
        }
        for name in
            ["README.md", "brkhole.rules.yml", "brkhole.rules.test.yml", "brkhole.dashboard.json"]
        {
            let fleet = format!("fleet/{name}");
            let in_package = format!("{}/{fleet}", self.doc);
            self.copy(&format!("crates/brkhole/{fleet}"), &in_package, &fleet)?;
        }
        Ok(())
    }

    fn of_the_library(&mut self, library: &Path) -> anyhow::Result<()> {
        let name = "libtrusted_ca_preload.so";
        self.add(fs::read(library)?, &format!("usr/lib/{name}"), name);
        let packaging = root().join("crates/trusted-ca-preload/packaging");
        let name = "trusted-ca-preload";
        self.add(fs::read(packaging.join(name))?, &format!("usr/sbin/{name}"), name);
        self.add_page(&packaging.join("trusted-ca-preload.8"), 8)?;
        let name = "nginx-trusted-ca.conf";
        let in_package = format!("{}/examples/{name}", self.doc);
        self.add(fs::read(packaging.join(name))?, &in_package, name);
        Ok(())
    }

    /// A manual page of this section, once mandoc has nothing against it.
    fn add_page(&mut self, page: &Path, section: u8) -> anyhow::Result<()> {
        run(Command::new("mandoc").args(["-Tlint", "-Wwarning"]).arg(page))?;
        let name = page.file_name().unwrap_or_default().to_string_lossy();
        let in_package = format!("usr/share/man/man{section}/{name}.gz");
        self.add(fs::read(page)?, &in_package, &format!("man/{name}"));
        Ok(())
    }

    fn add(&mut self, content: Vec<u8>, in_package: &str, in_tarball: &str) {
        self.items.push(Item {
            content,
            in_package: in_package.to_owned(),
            in_tarball: in_tarball.to_owned(),
        });
    }

    /// A file of the repository.
    fn copy(&mut self, name: &str, package: &str, tarball: &str) -> anyhow::Result<()> {
        let content = fs::read(root().join(name)).with_context(|| name.to_owned())?;
        self.add(content, package, tarball);
        Ok(())
    }
}
