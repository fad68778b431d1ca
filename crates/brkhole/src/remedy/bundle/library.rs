//! Which TLS library a program has.

/// A program's TLS library, as its shared libraries tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tls {
    /// The library that shares bundles is loaded already.
    Preloaded,
    /// OpenSSL 1.1 or 3, perhaps beside others.
    OpenSsl,
    /// Another one, of this name.
    Other(String),
    /// None among the libraries: it has none, or one that is linked into it.
    None,
    /// Which libraries it has isn't known: it was running already, or is static.
    Unseen,
}

/// Beginnings of the names of TLS libraries that are not OpenSSL 1.1 or 3. LibreSSL and OpenSSL
/// 1.0 call theirs libssl as well.
const OTHERS: [&str; 7] =
    ["libssl.so", "libssl3.so", "libgnutls", "libmbedtls", "libmbedx509", "libwolfssl", "libbotan"];

impl Tls {
    /// That of a program with these libraries.
    pub(super) fn of<'a>(paths: impl Iterator<Item = &'a [u8]>) -> Self {
        let names = paths.map(|path| String::from_utf8_lossy(name(path)));
        let names: Vec<_> = names.collect();
        let has = |name: &str| names.iter().any(|known| known.starts_with(name));
        let other = || {
            let mut others = names.iter();
            others.find(|known| OTHERS.iter().any(|other| known.starts_with(other)))
        };
        if has("libtrusted_ca_preload") {
            Self::Preloaded
        } else if names.iter().any(|name| *name == "libssl.so.3" || *name == "libssl.so.1.1") {
            Self::OpenSsl
        } else if let Some(other) = other() {
            Self::Other(other.clone().into_owned())
        } else if has("libc.so") || has("libc.musl") || has("ld-musl") {
            Self::None
        } else {
            Self::Unseen
        }
    }
}

/// The last part of a path.
pub(super) fn name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(paths: &[&str]) -> Tls {
        Tls::of(paths.iter().map(|path| path.as_bytes()))
    }

    #[test]
    fn by_the_names_of_libraries() {
        let other = |name: &str| Tls::Other(name.to_owned());
        for (paths, wanted) in [
            (&["/lib/libc.so.6", "/lib/libssl.so.3"][..], Tls::OpenSsl),
            (&["/opt/libssl.so.1.1"], Tls::OpenSsl),
            (&["/lib/libssl.so.3", "/lib/libgnutls.so.30"], Tls::OpenSsl),
            (&["/lib/libc.so.6", "/x/libssl.so.1.0.2"], other("libssl.so.1.0.2")),
            (&["/lib/libssl.so.10"], other("libssl.so.10")),
            (&["/lib/libssl.so.55"], other("libssl.so.55")),
            (&["/lib/libgnutls.so.30"], other("libgnutls.so.30")),
            // Of OpenSSL only what encrypts: GnuTLS programs have it, too.
            (&["/lib/libgnutls.so.30", "/lib/libcrypto.so.3"], other("libgnutls.so.30")),
            (&["/lib/libmbedtls.so.14"], other("libmbedtls.so.14")),
            (&["/lib/libc.so.6"], Tls::None),
            (&[], Tls::Unseen),
            (&["/usr/lib/libtrusted_ca_preload.so", "/lib/libssl.so.3"], Tls::Preloaded),
        ] {
            assert_eq!(of(paths), wanted, "{paths:?}");
        }
    }
}
