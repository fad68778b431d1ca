//! The machine's bundle of CA certificates.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::{ContextError, LoadError, Nginx, SslContext};

/// Where systems keep their bundle, the commonest first.
const PLACES: [&str; 7] = [
    "/etc/ssl/certs/ca-certificates.crt", // Debian, Ubuntu, Alpine, Arch, Gentoo
    "/etc/pki/tls/certs/ca-bundle.crt",   // Fedora, RHEL
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // RHEL, CentOS, Arch
    "/etc/ssl/ca-bundle.pem",             // SUSE
    "/etc/ssl/cert.pem",                  // Alpine, FreeBSD, OpenBSD, macOS
    "/usr/local/share/certs/ca-root-nss.crt", // FreeBSD, by package
    "/usr/local/etc/ssl/cert.pem",        // FreeBSD
];

/// Finds the machine's bundle: `SSL_CERT_FILE` if it is set and not empty, else the first of the
/// usual places that is a file.
///
/// # Errors
/// When `SSL_CERT_FILE` names no file (it is not passed over: somebody set it on purpose), or
/// when none of the places holds one. The error lists what was tried and how to install a bundle.
pub fn default_bundle() -> Result<PathBuf, NoBundle> {
    find(std::env::var_os("SSL_CERT_FILE"), PLACES.map(Path::new))
}

fn find<'a>(
    from_environment: Option<OsString>,
    places: impl IntoIterator<Item = &'a Path>,
) -> Result<PathBuf, NoBundle> {
    let refused = |tried, from_environment| NoBundle { tried, from_environment };
    if let Some(named) = from_environment.filter(|named| !named.is_empty()) {
        let named = PathBuf::from(named);
        return match named.is_file() {
            true => Ok(named),
            false => Err(refused(vec![named], true)),
        };
    }
    let mut tried = Vec::new();
    for place in places {
        if place.is_file() {
            return Ok(place.to_owned());
        }
        tried.push(place.to_owned());
    }
    Err(refused(tried, false))
}

/// No bundle of CA certificates was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub struct NoBundle {
    /// The files looked for, in order.
    pub tried: Vec<PathBuf>,
    /// Whether the one file came from `SSL_CERT_FILE`.
    pub from_environment: bool,
}

impl fmt::Display for NoBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let ([named], true) = (self.tried.as_slice(), self.from_environment) {
            return write!(
                f,
                "SSL_CERT_FILE names {}, which is not a file: correct it, or unset it to use the \
                 system's bundle",
                named.display()
            );
        }
        f.write_str("no bundle of CA certificates on this machine; tried ")?;
        for (index, place) in self.tried.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{}", place.display())?;
        }
        f.write_str(
            ". Install one (Debian, Ubuntu: `apt-get install ca-certificates`; Fedora, RHEL: \
             `dnf install ca-certificates`; Alpine: `apk add ca-certificates`; SUSE: `zypper \
             install ca-certificates`; Arch: `pacman -S ca-certificates`; FreeBSD: `pkg install \
             ca_root_nss`), or name one in SSL_CERT_FILE",
        )
    }
}

/// What a report says of the bundle that it was measured with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BundleInfo {
    /// The file as it was named.
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// How many certificates a context holds after loading it; duplicates count once.
    pub certificates: usize,
}

impl BundleInfo {
    /// Weighs a bundle by loading it once into a context of its own, which is freed again.
    ///
    /// # Errors
    /// When the bundle is refused, its length cannot be asked for, or no context can be made.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, BundleError> {
        let path = path.as_ref();
        let mut context = SslContext::new()?;
        context.load_trusted(path, Nginx::Before1_27_2)?;
        let meta = path
            .metadata()
            .map_err(|source| BundleError::Length { path: path.to_owned(), source })?;
        Ok(Self {
            path: path.to_owned(),
            bytes: meta.len(),
            certificates: context.certificate_count(),
        })
    }
}

/// A bundle could not be weighed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// No context to load it into.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// The bundle was refused.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It was loaded, but then its length could not be asked for.
    #[error("{}: its length cannot be read ({source}); was it removed meanwhile?", path.display())]
    Length {
        /// The file as it was named.
        path: PathBuf,
        /// What stat(2) said.
        source: std::io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_existing_place_wins_and_the_others_are_not_named() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let missing = dir.path().join("missing.pem");
        let present = dir.path().join("present.pem");
        std::fs::write(&present, "").expect("written");
        let found = find(None, [missing.as_path(), dir.path(), &present]);
        assert_eq!(found, Ok(present));
    }

    #[test]
    fn a_wrong_ssl_cert_file_is_an_error_even_if_the_system_has_a_bundle() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let present = dir.path().join("present.pem");
        std::fs::write(&present, "").expect("written");
        let error = find(Some("/no/such.pem".into()), [present.as_path()]).expect_err("refused");
        assert!(error.to_string().contains("SSL_CERT_FILE names /no/such.pem"));
        assert_eq!(find(Some("".into()), [present.as_path()]), Ok(present.clone()));
        assert_eq!(find(Some(present.clone().into()), []), Ok(present));
    }

    #[test]
    fn without_a_bundle_the_error_lists_the_places_and_the_remedy() {
        let error = find(None, ["/no/a.pem", "/no/b.pem"].map(Path::new)).expect_err("refused");
        let text = error.to_string();
        assert!(text.contains("tried /no/a.pem, /no/b.pem. "), "{text}");
        assert!(text.contains("apt-get install ca-certificates"), "{text}");
    }
}
