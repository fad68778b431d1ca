//! Loads a bundle of CA certificates into an OpenSSL context exactly as nginx's
//! `lua_ssl_trusted_certificate` does, so that what it costs can be weighed.
//!
//! One line in an nginx configuration, `lua_ssl_trusted_certificate
//! /etc/ssl/certs/ca-certificates.crt;`, makes every location parse the same file into an
//! `SSL_CTX` of its own: some 140 certificates, 800 KiB and up to 20 ms each time. This crate
//! repeats those calls, in their order and with their handling of errors, for as many locations
//! as you like:
//!
//! ```
//! use trusted_ca::{Cycle, Nginx, SslContext};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let bundle = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/alpha.pem");
//!
//! // nginx before 1.27.2: every location parses the file again.
//! let mut locations = Vec::new();
//! for _ in 0..10 {
//!     let mut location = SslContext::new()?;
//!     location.load_trusted(bundle, Nginx::Before1_27_2)?;
//!     locations.push(location);
//! }
//! assert_eq!(locations[9].subjects(), ["CN=Alpha Test CA,O=Example,C=XX"]);
//!
//! // nginx since: the configuration cycle parses it once, and the locations share the result.
//! let mut cycle = Cycle::new();
//! for location in &mut locations {
//!     *location = SslContext::new()?;
//!     location.load_trusted(bundle, Nginx::Since1_27_2(&mut cycle))?;
//! }
//! assert_eq!(locations[9].certificate_count(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! # Four ways to load
//!
//! | call | parses | reads the file |
//! |---|---|---|
//! | [`load_trusted`](SslContext::load_trusted) with [`Nginx::Before1_27_2`] | every time | 4 KiB at a time, through stdio |
//! | [`load_trusted`](SslContext::load_trusted) with [`Nginx::Since1_27_2`] | once in a [`Cycle`] | the same, once |
//! | [`load_trusted_mapped`](SslContext::load_trusted_mapped) | every time | through a mapping |
//! | [`load_trusted_cached`](SslContext::load_trusted_cached) | once while the file stays what it is | as the first, once |
//!
//! All but the second give the verdict of `SSL_CTX_load_verify_locations` on every file,
//! with the same contents in the same order and the same words in the error; the tests hold them
//! against it on everything from CRLF line ends to NUL bytes and pipes. The second judges some
//! files differently, as nginx does: [`Nginx`] lists them.
//!
//! # Parsed once
//!
//! A [`BundleCache`] is the cure: contexts get what the first of them would have parsed, and a
//! bundle that was replaced is parsed anew. [`Sharing`] says how much they share: the parsed
//! objects in stores of their own, or one store.
//!
//! ```
//! use trusted_ca::{BundleCache, Sharing, SslContext};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let bundle = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/alpha.pem");
//! static CACHE: BundleCache = BundleCache::new();
//!
//! let mut context = SslContext::new()?;
//! context.load_trusted_cached(bundle, &CACHE, Sharing::Objects)?;
//! assert_eq!(context.certificate_count(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! # Looking inside
//!
//! [`SslContext::contents`], [`subjects`](SslContext::subjects) and the counts show a context's
//! store; [`default_bundle`], [`BundleInfo`] and [`openssl_version`] say what was measured;
//! [`ParsedBundle`] is a parsed list without a cycle around it ([`SslContext::add_parsed`]).
//!
//! # What it does not do
//!
//! It makes no connections: like nginx's, these contexts accept every chain and leave the verdict
//! to be asked for after the handshake, which nobody here does. Unix only, no LibreSSL or BoringSSL.
//!
//! The OpenSSL is the system's, 1.1.1 or later, found by `pkg-config`, or with the feature
//! `vendored` one built from source. 3.0 takes more than four times as long as 1.1.1 or 3.6.
#![cfg_attr(doctest, doc = include_str!("../README.md"))]
#![deny(unsafe_code)]

#[cfg(test)]
use suite as _;

mod bio;
mod bundle;
mod cache;
mod contents;
mod context;
mod error;
mod error_queue;
mod ffi;
mod library;
mod mapped;
mod nginx;
mod parsed;
mod stack;

pub use bundle::{BundleError, BundleInfo, NoBundle, default_bundle};
pub use bundle_cache::PassedOn;
pub use cache::{BundleCache, Cycle, Loaded, Nginx, Sharing};
pub use contents::StoreItem;
pub use context::SslContext;
pub use error::{ContextError, LoadError, LoadStage};
pub use error_queue::{ErrorQueue, QueueEntry};
pub use library::openssl_version;
pub use mapped::ReadMethod;
pub use parsed::{ParsedBundle, ParsedCrls};
