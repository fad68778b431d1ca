//! Links the benches as the reproducers are linked: not position independent. And tells `plain_c`
//! where the OpenSSL lies that this package is linked against, so that a plain C program can be held
//! against it.

use std::env;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg-benches=-no-pie");
    announce_openssl();
}

/// Hands on what openssl-sys tells its direct dependants. `PLAIN_C_LIB` stays unset where the
/// linker finds the system's OpenSSL by itself.
fn announce_openssl() {
    for name in ["OPENSSL_LIB_DIR", "OPENSSL_DIR"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    let include = env::var("DEP_OPENSSL_INCLUDE").expect("openssl-sys tells where its headers are");
    println!("cargo:rustc-env=PLAIN_C_INCLUDE={include}");
    if let Some(directory) = library_directory() {
        println!("cargo:rustc-env=PLAIN_C_LIB={}", directory.display());
    }
}

fn library_directory() -> Option<PathBuf> {
    let in_root = |root| {
        let candidates = ["lib", "lib64"].map(|name| Path::new(&root).join(name));
        candidates.into_iter().find(|directory| directory.is_dir())
    };
    // The root is told for an OpenSSL that was built from source.
    let built = env::var_os("DEP_OPENSSL_ROOT").and_then(in_root);
    let named = || env::var_os("OPENSSL_LIB_DIR").map(PathBuf::from);
    let below = || env::var_os("OPENSSL_DIR").and_then(in_root);
    built.or_else(named).or_else(below)
}
