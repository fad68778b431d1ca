//! The programs: built, stripped, and asked which glibc they need.

use super::Product;
use super::sysroot::GLIBC;
use crate::programs::{command, output, run};
use anyhow::Context;
use std::path::{Path, PathBuf};

/// A product's stripped file.
#[derive(Debug)]
pub struct Built {
    /// Where it is.
    pub file: PathBuf,
    /// The newest version of glibc's symbols that it asks for.
    pub needs_glibc: String,
}

/// Builds a product, linked against this libc. What is below it stays as `cargo build --release`
/// made it.
///
/// # Errors
///
/// When it doesn't compile, or needs a newer glibc than was promised.
pub fn built(product: Product, libc: &Path, place: &Path) -> anyhow::Result<Built> {
    let mut cargo = command("cargo");
    cargo.args(["rustc", "--release", "--quiet", "--locked"]);
    cargo.args(["--package", product.member()]);
    match product {
        Product::Command => cargo.args(["--bin", product.member()]),
        Product::Library => cargo.args(["--lib", "--crate-type", "cdylib"]),
    };
    cargo.arg("--");
    for argument in linker_arguments(libc) {
        cargo.args(["-C", &format!("link-arg={argument}")]);
    }
    run(&mut cargo)?;
    let file = place.join("built").join(product.file());
    std::fs::create_dir_all(place.join("built"))?;
    let linked = roots::target().join("release").join(product.file());
    run(command("strip").arg("-o").args([&file, &linked]))?;
    let symbols = output("objdump", ["-T".as_ref(), file.as_os_str()])?;
    let needs_glibc = roots::newest_glibc(&symbols)
        .with_context(|| format!("{} asks for no glibc", file.display()))?;
    anyhow::ensure!(
        is_at_most(&needs_glibc, GLIBC),
        "{} needs glibc {needs_glibc}, and {GLIBC} was promised",
        file.display()
    );
    println!("{} needs glibc {needs_glibc} or later", product.file());
    Ok(Built { file, needs_glibc })
}

/// What has the compiler's driver find this libc before the machine's own: its start files and libraries
/// by `-B`, and by `--sysroot` what the linker scripts among them name.
fn linker_arguments(libc: &Path) -> Vec<String> {
    let libc = libc.display();
    let directory = format!("{}-linux-gnu", std::env::consts::ARCH);
    vec![
        format!("--sysroot={libc}"),
        format!("-B{libc}/usr/lib/{directory}/"),
        format!("-B{libc}/lib/{directory}/"),
    ]
}

/// Whether a version isn't newer than another.
fn is_at_most(version: &str, limit: &str) -> bool {
    let numbers = |text: &str| -> Vec<u32> {
        let parts = text.split('.').map(|part| part.parse().unwrap_or(u32::MAX));
        parts.collect()
    };
    numbers(version) <= numbers(limit)
}

#[cfg(test)]
mod tests {
    use super::is_at_most;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(is_at_most("2.9", "2.31"));
        assert!(is_at_most("2.2.5", "2.31"));
        assert!(is_at_most("2.31", "2.31"));
        assert!(!is_at_most("2.34", "2.31"));
        assert!(!is_at_most("3", "2.31"));
    }
}
