//! Bundles of CA certificates: who parses them, and who can have them parsed once.

/// The library, with where it comes from.
macro_rules! library {
    () => {
        concat!(
            "libtrusted_ca_preload.so (package libtrusted-ca-preload of ",
            env!("CARGO_PKG_REPOSITORY"),
            "/releases)"
        )
    };
}

use std::sync::Arc;

use heap_diagnosis::{Finding, repeated_reading};
use heap_growth::{FileGrowth, Story};
use heap_meter::trace::Trace;

/// Names under which distributions keep their bundle of CA certificates.
const BUNDLES: [&str; 6] = [
    "ca-certificates.crt",
    "ca-bundle.crt",
    "ca-bundle.pem",
    "tls-ca-bundle.pem",
    "cacert.pem",
    "cert.pem",
];

/// Whoever opens a bundle parses the whole of it; without a clock, so many times are worth a word.
const OPENINGS: u64 = 10;

/// Since when nginx needs no help.
pub(crate) const NGINX: &str = "nginx does it once since 1.27.2, lua-nginx-module once for all \
    locations that redefine nothing since 0.10.26.";

/// What helps a program that loads it by its name with OpenSSL 1.1 or 3.
pub(crate) const PRELOAD: &str = concat!(
    "For a program that can't be changed, preload ",
    library!(),
    ": it has the bundle parsed once. A service: sudo trusted-ca-preload on NAME."
);

/// The same where only the program's author knows that it does.
const PRELOAD_IF: &str = concat!(
    "If the program loads it by its name with a shared OpenSSL 1.1 or 3 (as cafile= does in Python) \
     and can't be changed, preload ",
    library!(),
    ": it has the bundle parsed once. What a program reads itself and hands over as text (cadata=) \
     it can't share."
);

/// Functions of OpenSSL that load a file of certificates by its name.
///
/// # References
/// OpenSSL 1.1.1 and 3.0, `crypto/x509/by_file.c`, `x509_d2.c`, `ssl/ssl_lib.c`
const LOADS_BY_NAME: [&str; 6] = [
    "by_file_ctrl",
    "X509_load_cert_crl_file",
    "X509_load_cert_file",
    "X509_STORE_load_file",
    "X509_STORE_load_locations",
    "SSL_CTX_load_verify_",
];

/// Says of each bundle that is read again and again what it is, and what can be done.
pub(super) fn tell(trace: &mut Trace, story: &Story) {
    for file in story.growth.by_file() {
        let path = String::from_utf8_lossy(&file.path);
        if !is_bundle(&path) {
            continue;
        }
        let is_of_it = |finding: &&mut Finding| {
            let is_repeated = ["repeated-file", "repeated-reading"].contains(&&*finding.kind);
            is_repeated && finding.evidence.get("path").is_some_and(|of| *of == *path)
        };
        let advised = advice(trace, file);
        if let Some(finding) = trace.findings.iter_mut().find(is_of_it) {
            finding.remedy = Some(said(&advised, &finding.kind));
        } else if story.growth.last_event().is_none() && file.by_one.opens >= OPENINGS {
            let mut finding = repeated_reading(story, file);
            finding.remedy = Some(said(&advised, &finding.kind));
            trace.findings.push(finding);
        }
    }
}

fn said(advice: &str, kind: &str) -> String {
    let own = match kind {
        "repeated-file" => {
            "In your own, make one context and share it, or load only the certificates that are \
             needed."
        }
        _ => "In your own, load it once and keep what comes of it.",
    };
    format!("It is a bundle of CA certificates, parsed each time that it is loaded. {advice} {own}")
}

/// What can be done without changing the program, or why nothing can.
fn advice(trace: &Trace, file: &FileGrowth) -> String {
    let preload = preload(trace, file);
    match is_nginx(trace, file) {
        true => format!("{NGINX} {preload}"),
        false => preload,
    }
}

fn preload(trace: &Trace, file: &FileGrowth) -> String {
    let by_name = match is_nginx(trace, file) {
        true => Some(true),
        false => loads_by_name(trace),
    };
    match (Tls::of(file.libraries()), by_name) {
        (Tls::Preloaded, _) => {
            "libtrusted_ca_preload.so is loaded and has nothing to share: this program doesn't \
             load the bundle by its name with OpenSSL 1.1 or 3."
        }
        (Tls::OpenSsl, Some(true)) => PRELOAD,
        (Tls::OpenSsl | Tls::Unseen, Some(false)) => {
            "No stack shows a function of OpenSSL that loads it by its name: where the program \
             reads it itself, libtrusted_ca_preload.so has nothing to share."
        }
        (Tls::OpenSsl, None) | (Tls::Unseen, _) => PRELOAD_IF,
        (Tls::None, _) => {
            "The program was seen to load no shared OpenSSL, and libtrusted_ca_preload.so can do \
             nothing for others."
        }
        (Tls::Other(name), _) => {
            return format!(
                "Its TLS library is {name}; libtrusted_ca_preload.so can do nothing for others \
                 than OpenSSL 1.1 and 3."
            );
        }
    }
    .to_owned()
}

/// Whether OpenSSL loads files by their names in this run; `None` if no stacks are known.
fn loads_by_name(trace: &Trace) -> Option<bool> {
    let stacks = &trace.growth.by_stack;
    let mut frames = stacks.iter().flat_map(|stack| &stack.frames);
    let does = |frame: &Arc<str>| LOADS_BY_NAME.iter().any(|name| frame.contains(name));
    (!stacks.is_empty()).then(|| frames.any(does))
}

/// Whether it was nginx that read the file: by its modules; or by what was started or the
/// configuration that was read, where no interpreter's OpenSSL says otherwise.
fn is_nginx(trace: &Trace, file: &FileGrowth) -> bool {
    let has = |is_such: fn(&[u8]) -> bool| file.libraries().map(name).any(is_such);
    if has(|library| library.starts_with(b"ngx_")) {
        return true;
    }
    // Of Python, Perl and Ruby.
    if has(|name| name.starts_with(b"_ssl.") || name == b"SSLeay.so" || name == b"openssl.so") {
        return false;
    }
    let mut words = trace.command.iter().flatten();
    let mut files = trace.growth.by_file.iter();
    words.any(|word| super::is_nginx(word))
        || files.any(|file| name(file.path.as_bytes()) == b"nginx.conf")
}

fn is_bundle(path: &str) -> bool {
    BUNDLES.iter().any(|bundle| name(path.as_bytes()) == bundle.as_bytes())
}

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
