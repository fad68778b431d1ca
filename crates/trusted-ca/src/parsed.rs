//! Files parsed once into a list, as nginx does since 1.27.2.
//!
//! # Safety
//!
//! The lists own one reference to each object; putting an object into a context's store adds
//! another, so either may go first.
#![allow(unsafe_code)]

use std::path::{Path, PathBuf};

use crate::LoadError;
use crate::stack::{Certificate, Crl, OpenSslStack};

/// The certificates of a bundle, parsed once, ready for any number of contexts.
///
/// This is the value that nginx's object cache holds for `lua_ssl_trusted_certificate` since
/// 1.27.2. Contexts share its X509 objects by reference count: the list may be dropped before
/// the contexts that it was added to, or after them.
///
/// It reads a file differently from `SSL_CTX_load_verify_locations`, by nature: see
/// [`Nginx`](crate::Nginx).
///
/// # References
/// nginx `src/event/ngx_event_openssl_cache.c` (`ngx_ssl_cache_ca_create`,
/// `ngx_ssl_cache_cert_ref`), `ngx_event_openssl.c` (`ngx_ssl_trusted_certificate`).
#[derive(Debug)]
pub struct ParsedBundle {
    pub(crate) path: PathBuf,
    pub(crate) certificates: OpenSslStack<Certificate>,
}

// SAFETY: the list itself never changes after parsing, and X509 objects may be used from several
// threads: their counts are atomic and the values that they cache are filled in under their lock.
unsafe impl Send for ParsedBundle {}
// SAFETY: as above.
unsafe impl Sync for ParsedBundle {}

impl ParsedBundle {
    /// Reads and parses a bundle.
    ///
    /// # Errors
    /// When the file cannot be opened, holds no certificate, or holds a damaged PEM block of a
    /// certificate. OpenSSL's queue is emptied either way once it was parsed from.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        let path = path.as_ref();
        Ok(Self { path: path.to_owned(), certificates: OpenSslStack::read(path)? })
    }

    /// How many certificates the file held, duplicates included.
    pub fn len(&self) -> usize {
        self.certificates.len()
    }

    /// Whether the list is empty: never, for a bundle without certificates is refused.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The file that it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The revocation lists of a file, parsed once; what nginx's object cache holds for `lua_ssl_crl`.
#[derive(Debug)]
pub struct ParsedCrls {
    pub(crate) path: PathBuf,
    pub(crate) crls: OpenSslStack<Crl>,
}

// SAFETY: as for ParsedBundle.
unsafe impl Send for ParsedCrls {}
// SAFETY: as for ParsedBundle.
unsafe impl Sync for ParsedCrls {}

impl ParsedCrls {
    /// Reads and parses a file of CRLs.
    ///
    /// # Errors
    /// As for [`ParsedBundle::read`], with CRLs in place of certificates.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        let path = path.as_ref();
        Ok(Self { path: path.to_owned(), crls: OpenSslStack::read(path)? })
    }
}
