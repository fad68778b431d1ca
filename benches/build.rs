//! Links the benches as the reproducers are linked: not position independent. And tells the bench
//! `plain_c` where the OpenSSL lies that this package is linked against.

#[path = "../repro/build/openssl_for_c.rs"]
mod openssl_for_c;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../repro/build/openssl_for_c.rs");
    println!("cargo:rustc-link-arg-benches=-no-pie");
    openssl_for_c::announce();
}
