//! CA bundles parsed once, for every `X509_STORE` of a process.
//!
//! Programs parse the same bundle again and again: one context, one parse, some 140 certificates,
//! 800 KiB. This crate keeps what a file was parsed to for as long as the file is what it was, and
//! puts it into as many stores as are wanted. A store filled so holds what OpenSSL's own loader
//! would have put there, byte for byte and in its order; it *shares* the parsed objects, whose
//! references OpenSSL counts, and stays its owner's to change.
//!
//! It links no OpenSSL. It works through a table of functions, [`OpenSsl`], that its user fills
//! in: from the OpenSSL that a program is linked against (crate `trusted-ca`), or from whichever a
//! foreign process turns out to have (`trusted-ca-preload`).
//!
//! ```
//! use bundle_cache::OpenSsl;
//!
//! // SAFETY: nothing is found, so nothing is called.
//! let none = unsafe { OpenSsl::resolve(|_name| std::ptr::null()) };
//! assert!(none.is_none());
//! ```
//!
//! # What is kept, and for how long
//!
//! A bundle is known by its file's device, inode, size and times of modification and change (and
//! by the property query that it is loaded with, if there is one), never by its name. When a name turns out to be another file, what was parsed from the former goes;
//! so does the least recently used when there are too many. A file that changed within the last
//! two seconds is parsed and not kept: its timestamps are too coarse to show another change.
//!
//! # What it leaves alone
//!
//! Whatever isn't an ordinary file that parses to something: missing files, directories, pipes,
//! damaged bundles. [`BundleCache::bundle`] says [`PassedOn`] then, with the error queue as it was,
//! and the caller lets OpenSSL's own loader have its say.
//!
//! # Threads and forks
//!
//! Threads that want the same file wait for the one that parses it; no lock is held meanwhile, and
//! nobody waits longer than a second for anything. A fork may happen at any moment. See [`lock()`].
#![deny(unsafe_code)]

#[cfg(test)]
use suite as _;

mod bundle;
mod cache;
mod file;
mod lock;
mod lru;
mod openssl;
mod parsed;

pub use bundle::{Bundle, PassedOn};
pub use cache::BundleCache;
pub use lock::{Guard, lock};
pub use openssl::{
    Bio, OpenSsl, PasswordCallback, X509, X509Crl, X509Info, X509InfoStack, X509Lookup,
    X509LookupMethod, X509Store,
};
