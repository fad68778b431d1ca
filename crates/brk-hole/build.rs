//! Links the tests as executables that are not position independent, as nginx was in 2017: only
//! then does the break lie below the trick's guard.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg-tests=-no-pie");
}
