//! What loading a bundle costs, by nginx's version, with the cure and by size: the first 1, the first 10 and all
//! certificates of the machine's bundle. Contexts are made before the time begins and freed after
//! it ends.
//!
//! # Safety
//!
//! `unsafe` is needed for the reader that maps the file.

use std::path::Path;
use std::time::Duration;

use benches::inputs::{self, Bundle};
use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use trusted_ca::{BundleCache, Cycle, Loaded, Nginx, ParsedBundle, Sharing, SslContext};

/// Contexts alive at once: 16 of them with the whole bundle take some 13 MiB.
const CONTEXTS: BatchSize = BatchSize::NumIterations(16);

/// Two seconds, and a little more.
const SETTLED: Duration = Duration::from_millis(2_200);

fn main() {
    let mut criterion =
        Criterion::default().configure_from_args().warm_up_time(Duration::from_secs(1));
    let machines = match trusted_ca::default_bundle() {
        Ok(path) => path,
        Err(reason) => {
            eprintln!("bundle: skipped: {reason}");
            return;
        }
    };
    let place = tempfile::tempdir().expect("a directory for the bundles");
    let sizes =
        inputs::cut_bundles(&machines, place.path()).expect("the machine's bundle can be cut");
    // A file is parsed only once when it is old enough for its times to tell another change.
    std::thread::sleep(SETTLED);
    println!("{}", trusted_ca::openssl_version());

    let mut group = criterion.benchmark_group("bundle");
    for bundle in &sizes {
        group.throughput(Throughput::Elements(bundle.certificates as u64));
        before_1_27_2(&mut group, bundle);
        parsed_once(&mut group, bundle);
        since_1_27_2(&mut group, bundle);
        mapped(&mut group, bundle);
        parsed_before(&mut group, bundle, "private_store", Sharing::Objects);
        parsed_before(&mut group, bundle, "shared_store", Sharing::Store);
    }
    group.finish();
    criterion.final_summary();
}

type Group<'a> = BenchmarkGroup<'a, WallTime>;

fn context() -> SslContext {
    SslContext::new().expect("OpenSSL makes a context")
}

/// Times a way to load a bundle into a context.
fn load(
    group: &mut Group<'_>,
    name: &str,
    bundle: &Bundle,
    mut load: impl FnMut(&mut SslContext, &Path),
) {
    let id = BenchmarkId::new(name, bundle.certificates);
    group.bench_with_input(id, &*bundle.path, |bencher, path: &Path| {
        bencher.iter_batched_ref(context, |context| load(context, path), CONTEXTS);
    });
}

/// `SSL_CTX_load_verify_locations`: every location reads and parses the file.
fn before_1_27_2(group: &mut Group<'_>, bundle: &Bundle) {
    load(group, "before_1.27.2", bundle, |context, path| {
        let loaded = context.load_trusted(path, Nginx::Before1_27_2);
        loaded.expect("loaded");
    });
}

/// What nginx does once per configuration since 1.27.2: the file to a list.
fn parsed_once(group: &mut Group<'_>, bundle: &Bundle) {
    let id = BenchmarkId::new("since_1.27.2_once", bundle.certificates);
    group.bench_with_input(id, &*bundle.path, |bencher, path: &Path| {
        let parse = |()| ParsedBundle::read(path).expect("parsed");
        bencher.iter_batched(|| (), parse, CONTEXTS);
    });
}

/// … and what it does for each location then: the list to the context's store.
fn since_1_27_2(group: &mut Group<'_>, bundle: &Bundle) {
    let mut cycle = Cycle::new();
    cycle.bundle(&bundle.path).expect("parsed");
    load(group, "since_1.27.2", bundle, |context, path| {
        let loaded = context.load_trusted(path, Nginx::Since1_27_2(&mut cycle));
        loaded.expect("loaded");
    });
}

/// The reader that maps the file instead of reading it 4 KiB at a time.
fn mapped(group: &mut Group<'_>, bundle: &Bundle) {
    load(group, "mapped", bundle, |context, path| {
        // SAFETY: the file is in this process's own directory, where nobody else writes.
        unsafe { context.load_trusted_mapped(path) }.expect("loaded");
    });
}

/// The cure: a further context gets what was parsed before, in a store of its own or as a store
/// that all share.
fn parsed_before(group: &mut Group<'_>, bundle: &Bundle, name: &str, sharing: Sharing) {
    let cache = BundleCache::new();
    let cached = |context: &mut SslContext, path: &Path| {
        let loaded = context.load_trusted_cached(path, &cache, sharing);
        loaded.expect("loaded")
    };
    cached(&mut context(), &bundle.path);
    let again = cached(&mut context(), &bundle.path);
    assert_eq!(again, Loaded::Shared, "nothing is parsed");
    load(group, name, bundle, |context, path| {
        cached(context, path);
    });
}
