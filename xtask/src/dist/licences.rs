//! Licences of what is linked in: whether they are allowed, and the texts that have to be handed on.
//!
//! `deny.toml` is cargo-deny's, so that `cargo deny check` can be run as well; that takes minutes to
//! compile, and this reads the same lists.

use super::linked::{self, Crate};
use super::product::{Product, VERSION};
use anyhow::Context;
use roots::repository::{output, root};
use serde::Deserialize;
use spdx::{Expression, ParseMode};
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

/// Our own, which each published crate brings along.
const OURS: [&str; 2] = ["LICENSE-MIT", "LICENSE-APACHE"];

/// How the names of files begin that hold a licence or what it wants handed on.
const FILES: [&str; 6] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];

/// Whether each crate of the graph, whatever it is for, may be used under a licence that `deny.toml`
/// allows, and each that is published brings its own.
///
/// # Errors
/// When one may not or doesn't; all such are named.
pub fn check() -> anyhow::Result<()> {
    let allowed = Allowed::read(&fs::read_to_string(root().join("deny.toml"))?)?;
    let crates = linked::all()?;
    let (mut refused, mut without) = (Vec::new(), Vec::new());
    for one in &crates {
        if !allowed.allows(&one.name, &one.licence)? {
            refused.push(format!("{} {}: {}", one.name, one.version, one.licence));
        }
        if one.is_own && one.is_published {
            let missing = OURS.iter().filter(|file| !one.directory.join(file).exists());
            without.extend(missing.map(|file| format!("{} has no {file}", one.name)));
        }
    }
    anyhow::ensure!(
        refused.is_empty(),
        "deny.toml doesn't allow the licence of\n  {}",
        refused.join("\n  ")
    );
    anyhow::ensure!(
        without.is_empty(),
        "a link to the file at the top is missing:\n  {}",
        without.join("\n  ")
    );
    println!("{} crates have licences that deny.toml allows", crates.len());
    Ok(())
}

#[derive(Debug, Deserialize)]
struct Deny {
    licenses: Allowed,
}

/// The licences that are allowed, and those of some crates besides.
#[derive(Debug, Deserialize)]
struct Allowed {
    allow: Vec<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

#[derive(Debug, Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: Vec<String>,
}

impl Allowed {
    fn read(text: &str) -> anyhow::Result<Self> {
        Ok(toml::from_str::<Deny>(text).context("deny.toml")?.licenses)
    }

    fn allows(&self, name: &str, licence: &str) -> anyhow::Result<bool> {
        let parsed = Expression::parse_mode(licence, ParseMode::LAX)
            .with_context(|| format!("{name}: {licence:?} is no SPDX expression"))?;
        Ok(parsed.evaluate(|wanted| {
            let wanted = wanted.to_string();
            let of_this = self.exceptions.iter().filter(|one| one.name == name);
            self.allow.contains(&wanted)
                || of_this.flat_map(|one| &one.allow).any(|it| *it == wanted)
        }))
    }
}

/// The text that goes with a product: its own licence, then each crate's with its place, then
/// the texts, each once.
///
/// # Errors
/// When a crate brings no text, or a file can't be read.
pub fn notices(product: &Product, linked: &[Crate]) -> anyhow::Result<String> {
    let mut texts: Vec<(String, String)> = Vec::new();
    let mut list = String::new();
    for one in linked.iter().filter(|one| !one.is_own) {
        let (name, version) = (&one.name, &one.version);
        let mut numbers = Vec::new();
        for text in licence_texts(one)? {
            let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let known = texts.iter().position(|(known, _)| *known == words);
            let number = known.unwrap_or(texts.len());
            if known.is_none() {
                texts.push((words, text));
            }
            numbers.push(format!("[{}]", number + 1));
        }
        anyhow::ensure!(
            !numbers.is_empty(),
            "{name} {version}, {}: no text in {}",
            one.licence,
            one.directory.display()
        );
        writeln!(list, "{name} {version}: {} {}", one.licence, numbers.join(" "))?;
        writeln!(list, "    https://crates.io/crates/{name}/{version}")?;
        if !one.authors.is_empty() {
            writeln!(list, "    {}", one.authors.join(", "))?;
        }
    }
    let own = |name: &str| fs::read_to_string(root().join(name)).context(name.to_owned());
    let mut all = format!(
        "{} {VERSION} is licensed under MIT or Apache-2.0, at your choice; Apache-2.0 is\n\
         /usr/share/common-licenses/Apache-2.0 on Debian, LICENSE-APACHE in the tarball.\n\n\
         {}\n\
         It holds Rust's standard library (rust-standard-library.html) and these crates, each under its own licence;\n\
         the numbers are those of the texts below. Their sources are where their address leads.\n\n",
        product.member,
        own("LICENSE-MIT")?
    );
    all.push_str(&list);
    for (number, (_, text)) in texts.iter().enumerate() {
        write!(all, "\n{:-<78}\n[{}]\n\n{}\n", "", number + 1, text.trim())?;
    }
    Ok(all)
}

/// What a crate brings of licences. Where Apache's is one of several to choose from, the others are
/// taken: who hands it on chooses.
fn licence_texts(one: &Crate) -> anyhow::Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(&one.directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_uppercase();
        if FILES.iter().any(|known| name.starts_with(known)) && entry.path().is_file() {
            files.push((name, entry.path()));
        }
    }
    files.sort();
    let is_apache = |name: &str| name.contains("APACHE");
    if one.licence.contains(" OR ") && files.iter().any(|(name, _)| !is_apache(name)) {
        files.retain(|(name, _)| !is_apache(name));
    }
    if files.is_empty() && one.licence.split(' ').any(|word| word == "MIT") {
        return Ok(vec![mit_text(one)?]);
    }
    files
        .into_iter()
        .map(|(_, path)| fs::read_to_string(&path).with_context(|| path.display().to_string()))
        .collect()
}

/// The text of MIT's licence for a crate that names it and leaves the text out: ours, with the crate's authors.
fn mit_text(one: &Crate) -> anyhow::Result<String> {
    let ours = fs::read_to_string(root().join(OURS[0]))?;
    let (_, terms) = ours
        .split_once("Permission is hereby granted")
        .context("LICENSE-MIT grants no permission")?;
    let whose = match one.authors.is_empty() {
        true => format!("the authors of {}", one.name),
        false => one.authors.join(", "),
    };
    Ok(format!(
        "MIT License (the crate names it and brings no text)\n\n\
         Copyright (c) {whose}\n\nPermission is hereby granted{terms}"
    ))
}

/// The standard library's own notices, as the toolchain brings them.
///
/// # Errors
/// When it brings none.
pub fn of_the_standard_library() -> anyhow::Result<PathBuf> {
    let toolchain = output("rustc", ["--print", "sysroot"])?;
    let file = PathBuf::from(toolchain.trim()).join("share/doc/rust/COPYRIGHT-library.html");
    anyhow::ensure!(file.exists(), "{} isn't there", file.display());
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::Allowed;

    const LISTS: &str = "
[licenses]
allow = [\"MIT\", \"Unicode-3.0\"]
exceptions = [{ crate = \"inferno\", allow = [\"CDDL-1.0\"] }]
";

    #[test]
    fn a_choice_takes_one_licence_and_a_sum_all() {
        let allowed = Allowed::read(LISTS).unwrap();
        let allows = |name: &str, licence: &str| allowed.allows(name, licence).unwrap();
        assert!(allows("a", "MIT OR GPL-3.0-only"));
        assert!(allows("a", "(MIT OR Apache-2.0) AND Unicode-3.0"));
        assert!(!allows("a", "MIT AND GPL-3.0-only"));
        assert!(!allows("a", "GPL-3.0-only"));
        assert!(allows("inferno", "CDDL-1.0"));
        assert!(!allows("a", "CDDL-1.0"));
        assert!(allowed.allows("a", "what?").is_err());
        assert!(allowed.allows("a", "").is_err());
    }
}
