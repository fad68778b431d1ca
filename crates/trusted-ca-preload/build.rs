//! Leaves the library without any code that runs when it is loaded: it is loaded into every
//! program of a session, and has nothing to do in most of them.
//!
//! Two things would bring such code along: the C compiler's start files, and the constructor with
//! which Rust's standard library remembers the command line.

use std::env;
use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=no-constructors.ld");
    let here = env::var("CARGO_MANIFEST_DIR").expect("Cargo says where the package is");
    let script = Path::new(&here).join("no-constructors.ld");
    println!("cargo:rustc-cdylib-link-arg=-nostartfiles");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-T,{}", script.display());
}
