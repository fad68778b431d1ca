//! `libtrusted_ca_preload.so`: every CA bundle is parsed once, in programs that cannot be changed.
//!
//! ```text
//! LD_PRELOAD=/usr/lib/libtrusted_ca_preload.so nginx -t
//! ```
//!
//! See README.md for what it does, how it is turned on and what it can't help; this is how it is
//! made. A call goes one way:
//!
//! | module | question |
//! |---|---|
//! | `hooks`, `lookup` | which of OpenSSL's functions was called, and from where? |
//! | `library`, `loaded` | which OpenSSL is meant? (`crypto`: a libcrypto, `ssl`: a libssl) |
//! | `settings` | what was asked for? |
//! | `setters` | does the program change certificates itself, so that none can be shared? |
//! | `store` | the private way: can the file be put into this store out of the cache? |
//! | `context`, `mark` | the shared-store way: can this context have the store that others have? |
//! | `log` | what has been shared? |
//!
//! Whatever the answers, OpenSSL's own function is what is called in the end unless the work is
//! done; and a process that never calls one of these functions never runs anything of this.
#![deny(unsafe_code)]
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

#[cfg(test)]
use suite as _;

mod context;
mod crypto;
mod hooks;
mod library;
mod loaded;
mod log;
mod lookup;
mod mark;
mod setters;
mod settings;
mod ssl;
mod store;
