//! The crates that are linked into a product; for tools that look for crates with known holes the list
//! that CycloneDX makes of them.
//!
//! # References
//!
//! <https://cyclonedx.org/docs/1.5/json/>

use super::product::{Product, VERSION, written};
use anyhow::Context;
use roots::repository::{output, root};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

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

/// Writes the list beside the product.
///
/// # Errors
/// When it can't be written.
pub fn write_sbom(
    product: &Product,
    linked: &[Crate],
    epoch: &str,
    place: &Path,
) -> anyhow::Result<()> {
    let list = list(product, linked, &written(epoch, "+%Y-%m-%dT%H:%M:%SZ")?);
    let machine = std::env::consts::ARCH;
    let name = format!("{}-{VERSION}-{machine}.cdx.json", product.package);
    fs::write(place.join(name), serde_json::to_string_pretty(&list)? + "\n")?;
    Ok(())
}

fn list(product: &Product, linked: &[Crate], time: &str) -> Value {
    let (main, others): (Vec<_>, Vec<_>) =
        linked.iter().partition(|one| one.name == product.member);
    let known = |id: &String| linked.iter().find(|one| one.id == *id);
    let dependencies: Vec<_> = linked
        .iter()
        .map(|one| {
            let needs: Vec<_> = one.needs.iter().filter_map(known).map(reference).collect();
            json!({ "ref": reference(one), "dependsOn": needs })
        })
        .collect();
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": time,
            "component": main.first().map(|one| component(one, "application")),
        },
        "components": others.iter().map(|one| component(one, "library")).collect::<Vec<_>>(),
        "dependencies": dependencies,
    })
}

fn component(one: &Crate, kind: &str) -> Value {
    let mut component = json!({
        "type": kind,
        "bom-ref": reference(one),
        "name": one.name,
        "version": one.version,
        "purl": reference(one),
        "licenses": [{ "expression": one.licence }],
    });
    if let Some(sum) = &one.sha256 {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]);
    }
    component
}

/// The package's address in all registries' common form.
fn reference(one: &Crate) -> String {
    format!("pkg:cargo/{}@{}", one.name, one.version)
}

#[cfg(test)]
mod tests {
    use super::super::product::PRODUCTS;
    use super::{crates, list};

    #[test]
    fn everything_linked_is_listed_with_its_sum_and_what_it_needs() {
        let crates = crates("trusted-ca-preload").unwrap();
        let list = list(&PRODUCTS[1], &crates, "2026-01-01T00:00:00Z");
        assert_eq!(list["metadata"]["component"]["name"], "trusted-ca-preload");
        let components = list["components"].as_array().unwrap();
        assert_eq!(components.len(), crates.len() - 1);
        let libc = components.iter().find(|one| one["name"] == "libc").unwrap();
        assert_eq!(libc["hashes"][0]["content"].as_str().unwrap().len(), 64);
        let dependencies = list["dependencies"].as_array().unwrap();
        let of_ours = dependencies.iter().find(|one| {
            let name = one["ref"].as_str().unwrap();
            name.starts_with("pkg:cargo/trusted-ca-preload@")
        });
        assert!(of_ours.unwrap()["dependsOn"].as_array().unwrap().len() >= 2);
    }
}
