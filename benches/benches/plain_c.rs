//! Is our loader as fast as a plain C program that makes the same calls, linked against the same
//! OpenSSL? Required: the time per location within 3 %.
//!
//! Both run as fresh processes that take turns, and each times its own loading, so that starting a
//! program isn't in the figure.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::Context;
use benches::{Bench, Contest, RatioLimits, plain_c, program};
use trusted_ca::{BundleInfo, Nginx, SslContext};

const ROLE: &str = "locations";

fn main() -> ExitCode {
    benches::main_with_roles("plain_c", env!("CARGO_TARGET_TMPDIR"), load, bench)
}

fn bench(bench: &mut Bench, place: &Path) -> anyhow::Result<()> {
    let (rounds, locations) = bench.by_mode((121, 10), (31, 10), (1, 2));
    let name = "plain_c/locations";
    if !bench.wants(name) {
        return Ok(());
    }
    let bundle = match trusted_ca::default_bundle() {
        Ok(path) => path,
        Err(reason) => {
            bench.skip(name, reason);
            return Ok(());
        }
    };
    bench.environment("bundle", described(&bundle)?);

    let program = plain_c::compile(place);
    let theirs = plain_c::run(&program, 1, &bundle);
    anyhow::ensure!(
        theirs.text("openssl") == trusted_ca::openssl_version(),
        "plain.c was linked against {}, this against {}: nothing can be compared",
        theirs.text("openssl"),
        trusted_ca::openssl_version()
    );

    let contest = Contest::new(name)
        .parameter("locations", locations)
        .per("location", locations as f64, None)
        .arm("plain C", || Ok(plain_c::run(&program, locations, &bundle).number("load_seconds")))
        .arm("trusted-ca", || ours(locations, &bundle))
        .require("plain C", "trusted-ca", RatioLimits::within(0.03));
    bench.run(contest, rounds)
}

fn described(bundle: &Path) -> anyhow::Result<serde_json::Value> {
    let info = BundleInfo::read(bundle)?;
    Ok(serde_json::json!({
        "path": info.path.to_string_lossy(),
        "bytes": info.bytes,
        "certificates": info.certificates,
    }))
}

/// Seconds that a fresh process of ours says it took.
fn ours(locations: u64, bundle: &Path) -> anyhow::Result<f64> {
    let mut command: Command = program::in_role(ROLE)?;
    command.arg(locations.to_string()).arg(bundle);
    let output = command.stderr(Stdio::inherit()).output()?;
    anyhow::ensure!(output.status.success(), "our loader: {}", output.status);
    let text = String::from_utf8(output.stdout)?;
    text.trim().parse().with_context(|| format!("our loader said {text:?}"))
}

/// In the fresh process: what `locations` does, and `plain.c`, and how long it takes.
fn load(_role: &str, arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let [locations, bundle] = arguments else {
        anyhow::bail!("expected the number of locations and the bundle");
    };
    let locations = locations.to_str().and_then(|text| text.parse().ok());
    let locations: usize = locations.context("expected a number of locations")?;
    let mut contexts = Vec::with_capacity(locations);
    // What OpenSSL sets up once per process is no location's cost.
    drop(SslContext::new()?);
    let began = Instant::now();
    for _ in 0..locations {
        let mut context = SslContext::new()?;
        context.load_trusted(Path::new(bundle), Nginx::Before1_27_2)?;
        contexts.push(context);
    }
    println!("{:.9}", began.elapsed().as_secs_f64());
    Ok(ExitCode::SUCCESS)
}
