//! Links the binaries as nginx was linked in 2017: not position independent, so that the break lies
//! low and the trick's guard can hold. And tells the tests where the OpenSSL lies that this package
//! is linked against, so that they can hold a plain C program against it.

#[path = "build/openssl_for_c.rs"]
mod openssl_for_c;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=build/openssl_for_c.rs");
    println!("cargo:rustc-link-arg-bins=-no-pie");
    openssl_for_c::announce();
}
