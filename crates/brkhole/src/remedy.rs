//! What to do about files of which this command knows what they are.

use heap_meter::finding::Finding;

/// Names under which distributions keep their bundle of CA certificates.
const BUNDLES: [&str; 6] = [
    "ca-certificates.crt",
    "ca-bundle.crt",
    "ca-bundle.pem",
    "tls-ca-bundle.pem",
    "cacert.pem",
    "cert.pem",
];

/// Who has a bundle of certificates parsed once.
pub(crate) const PARSED_ONCE: &str = "nginx does it once since 1.27.2, lua-nginx-module once for \
    all locations that redefine nothing since 0.10.26. For a program that can't be changed, preload \
    libtrusted_ca_preload.so: it has the bundle parsed once.";

/// Adds to the findings what is known of the files that they name.
pub(crate) fn add_to(findings: &mut [Finding]) {
    for finding in findings
        .iter_mut()
        .filter(|found| found.kind == "repeated-file")
    {
        let path = finding.evidence.get("path").and_then(|path| path.as_str());
        if path.is_some_and(is_bundle) {
            finding.remedy = Some(format!(
                "It is a bundle of CA certificates, parsed for every SSL context. {PARSED_ONCE} In \
                 your own, make one context and share it, or load only the certificates that are \
                 needed."
            ));
        }
    }
}

/// Says that the blocker is the one that the user asked for.
pub(crate) fn own_hole(findings: &mut [Finding]) {
    for finding in findings
        .iter_mut()
        .filter(|found| found.kind == "break-blocked")
    {
        finding.remedy = Some("It is the hole that --hole asked for.".to_owned());
    }
}

fn is_bundle(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    BUNDLES.contains(&name)
}
