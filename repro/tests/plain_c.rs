//! The memory of a location is that of a plain C program which makes the same calls.

use crate::common::{bundle, compared, json};
use benches::plain_c;

/// Enough that a page here or there counts for nothing.
const LOCATIONS: u64 = 40;

/// How far the two may be apart.
const WITHIN: f64 = 0.02;

#[test]
fn memory_per_location_is_that_of_plain_c() {
    let Some(bundle) = bundle() else { return };
    let place = tempfile::tempdir().unwrap();
    let plain = plain_c::run(&plain_c::compile(place.path()), LOCATIONS, &bundle);
    let results = json(
        env!("CARGO_BIN_EXE_locations"),
        &[
            "--locations",
            &LOCATIONS.to_string(),
            "--repeats",
            "1",
            "--bundle",
            bundle.to_str().expect("a bundle whose path is text"),
        ],
    );
    // The same OpenSSL, or nothing is compared.
    assert_eq!(results["environment"]["openssl"].as_str(), Some(plain.text("openssl")));
    assert_eq!(plain.number("locations"), LOCATIONS as f64);

    let grown = plain.number("loaded_rss_bytes") - plain.number("start_rss_bytes");
    let theirs = grown / LOCATIONS as f64;
    let ours = compared(&results, "memory_per_location", "control");
    let ratio = ours / theirs;
    eprintln!("bytes per location: ours {ours}, plain C {theirs}, ratio {ratio:.4}");
    assert!(
        (1.0 - WITHIN..=1.0 + WITHIN).contains(&ratio),
        "ours {ours} bytes per location, plain C {theirs}: ratio {ratio:.4}"
    );
}
