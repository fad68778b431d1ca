//! What a product is made of, as CycloneDX has it: for tools that look for crates with known holes.
//!
//! # References
//!
//! <https://cyclonedx.org/docs/1.5/json/>

use super::archive::Epoch;
use super::linked::Crate;
use super::{Product, VERSION};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Writes the list beside the product.
///
/// # Errors
///
/// When it can't be written.
pub fn write(
    product: Product,
    linked: &[Crate],
    epoch: &Epoch,
    place: &Path,
) -> anyhow::Result<()> {
    let list = list(product, linked, &epoch.rfc3339()?);
    let machine = std::env::consts::ARCH;
    let name = format!("{}-{VERSION}-{machine}.cdx.json", product.package());
    fs::write(
        place.join(name),
        serde_json::to_string_pretty(&list)? + "\n",
    )?;
    Ok(())
}

fn list(product: Product, linked: &[Crate], time: &str) -> Value {
    let (main, others): (Vec<_>, Vec<_>) =
        linked.iter().partition(|one| one.name == product.member());
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
    use super::{Product, list};
    use crate::dist::linked;

    #[test]
    fn everything_linked_is_listed_with_its_sum_and_what_it_needs() {
        let crates = linked::crates("trusted-ca-preload").unwrap();
        let list = list(Product::Library, &crates, "2026-01-01T00:00:00Z");
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
