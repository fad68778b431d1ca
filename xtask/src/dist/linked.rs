//! The crates that are linked into a product.

use crate::documents::root;
use crate::programs::output;
use anyhow::Context;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// One of them.
#[derive(Debug, Clone)]
pub struct Crate {
    pub name: String,
    pub version: String,
    /// What Cargo calls it among all: for looking it up in the graph.
    pub id: String,
    /// An SPDX expression.
    pub licence: String,
    pub authors: Vec<String>,
    pub directory: PathBuf,
    /// Whether it is of this workspace.
    pub is_own: bool,
    /// Whether the manifest lets it be published.
    pub is_published: bool,
    /// Of which of the others it is made, by id.
    pub needs: Vec<String>,
    /// As the registry has it, in hexadecimal; none of this workspace's.
    pub sha256: Option<String>,
}

/// All crates of the graph, whatever for, in the order of their names.
///
/// # Errors
///
/// When Cargo can't tell.
pub fn all() -> anyhow::Result<Vec<Crate>> {
    let told = output("cargo", ["metadata", "--format-version", "1", "--locked"])?;
    let metadata: Value = serde_json::from_str(&told).context("cargo metadata")?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let needs: BTreeMap<String, Vec<String>> = list(&metadata["resolve"]["nodes"])
        .iter()
        .map(|node| {
            let needs = list(&node["dependencies"]);
            (text(&node["id"]), needs.iter().map(text).collect())
        })
        .collect();
    let sums = checksums()?;
    let mut crates = Vec::new();
    for package in list(&metadata["packages"]) {
        let (name, version) = (text(&package["name"]), text(&package["version"]));
        let manifest = PathBuf::from(text(&package["manifest_path"]));
        let id = text(&package["id"]);
        crates.push(Crate {
            // Some still write a slash for OR.
            licence: text(&package["license"]).replace('/', " OR "),
            authors: list(&package["authors"]).iter().map(text).collect(),
            directory: manifest.parent().context("a manifest's place")?.to_owned(),
            is_own: package["source"].is_null(),
            is_published: package["publish"].is_null(),
            needs: needs.get(&id).cloned().unwrap_or_default(),
            sha256: sums.get(&(name.clone(), version.clone())).cloned(),
            name,
            version,
            id,
        });
    }
    crates.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    Ok(crates)
}

/// Those that are linked into a member of this workspace on this machine: what only its build, its
/// macros or its tests need isn't among them. The member itself is.
///
/// # Errors
///
/// When Cargo can't tell.
pub fn crates(member: &str) -> anyhow::Result<Vec<Crate>> {
    let mut arguments = vec!["tree", "--locked", "--package", member, "--prefix", "none"];
    arguments.extend(["--edges", "normal,no-proc-macro", "--format", "{p}"]);
    let tree = output("cargo", arguments)?;
    // `name v1.2.3`, and perhaps a path and `(*)` where it stands again.
    let linked: BTreeSet<(&str, &str)> = tree
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, words.next()?.strip_prefix('v')?))
        })
        .collect();
    let mut crates = all()?;
    crates.retain(|known| linked.contains(&(known.name.as_str(), known.version.as_str())));
    anyhow::ensure!(
        crates.len() == linked.len(),
        "cargo tree has {} crates, cargo metadata knows {} of them",
        linked.len(),
        crates.len()
    );
    Ok(crates)
}

/// What Cargo.lock has, by name and version.
fn checksums() -> anyhow::Result<BTreeMap<(String, String), String>> {
    let text = std::fs::read_to_string(root().join("Cargo.lock")).context("Cargo.lock")?;
    let lock: toml::Table = text.parse().context("Cargo.lock")?;
    let packages = lock.get("package").and_then(toml::Value::as_array);
    let packages = packages.into_iter().flatten();
    Ok(packages
        .filter_map(|package| {
            let text = |key| Some(package.get(key)?.as_str()?.to_owned());
            Some(((text("name")?, text("version")?), text("checksum")?))
        })
        .collect())
}
