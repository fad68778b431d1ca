//! The preload library with the glibc, the OpenSSL and the programs of several Debian releases.
//!
//! It is built in the oldest release's root, and then preloaded into every release's own nginx,
//! Python, curl and openssl. What they do must not depend on it; what they take must.

mod library;
mod nginx;
mod probes;
mod results;

use crate::campaign::{Recorder, ReleaseOptions, bundle_size, judge};
use crate::testbed::Testbed;
use library::PreloadLibrary;
pub use results::{Distributions, ReleaseChecks};
use roots::{BindMount, Root};
use serde_json::json;

/// Makes the roots, builds the library, checks and measures; prints the table. Fails when a root can't
/// be made, the library can't be built, or a check failed; the other checks are made all the same.
pub fn run(options: &ReleaseOptions) -> anyhow::Result<()> {
    let recorder = Recorder::open(options.out.as_deref())?;
    let roots = Root::all()?;
    let mut libraries = Vec::new();
    for root in &roots {
        eprintln!("{}: the library is built", root.release);
        libraries.push(PreloadLibrary::build(root)?);
    }
    let bundle = roots[1].bundle()?;
    let oldest = BindMount::read_only(&libraries[0].directory, library::INSIDE);
    let mut distributions = Distributions {
        parameters: json!({
            "locations": options.locations,
            "repeats": options.repeats,
            "bundle": bundle_size(&bundle),
        }),
        libraries,
        releases: Vec::new(),
    };
    for root in &roots {
        let release = root.release;
        let place = Testbed::new(Some(root), Some(oldest.clone()))?;
        library::prepare(&place, &bundle)?;
        eprintln!("{release}: contents and connections");
        let mut checks = probes::checked(&place)?;
        eprintln!("{release}: nginx");
        let arms = nginx::measured(&place, options.locations, options.repeats)?;
        checks.extend(nginx::checked(&arms, options.locations, bundle.len()));
        let known = "glibc openssl nginx lua_nginx_module python curl";
        distributions.releases.push(ReleaseChecks {
            name: release.name().to_owned(),
            arms,
            checks,
            versions: place.versions(known)?,
        });
        recorder.keep(&distributions)?;
    }
    judge(&distributions)
}
