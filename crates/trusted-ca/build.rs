//! Tells the crate which OpenSSL it is compiled against: `ossl300` for 3.0 and later.
//!
//! openssl-sys reads the version from OpenSSL's own headers and hands it to direct dependants
//! as `DEP_OPENSSL_VERSION_NUMBER` (hexadecimal, the form of `OPENSSL_VERSION_NUMBER`).

use std::env;

const OPENSSL_3_0_0: u64 = 0x3000_0000;

fn main() {
    println!("cargo:rustc-check-cfg=cfg(ossl300)");
    println!("cargo:rerun-if-changed=build.rs");
    let version = env::var("DEP_OPENSSL_VERSION_NUMBER")
        .ok()
        .and_then(|hex| u64::from_str_radix(&hex, 16).ok())
        .expect("trusted-ca needs OpenSSL 1.1.1 or later; openssl-sys found another library");
    if version >= OPENSSL_3_0_0 {
        println!("cargo:rustc-cfg=ossl300");
    }
}
