//! Links the binaries as nginx was linked in 2017: not position independent, so that the break lies
//! low and the trick's guard can hold.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg-bins=-no-pie");
}
