//! A master that reads its configuration again and again.

use super::master::Master;
use super::site::{BUNDLE, Site, bundle_is_there, empty_locations};
use crate::common::Preload;

const LOCATIONS: u64 = 300;
const RELOADS: u64 = 10;

/// After the first reload, for which the old and the new configuration are alive together, a
/// master doesn't grow any more; and the bundle is parsed no second time.
fn ten_reloads(preload: Preload) {
    if !bundle_is_there() {
        return;
    }
    let Some(site) = Site::new(&empty_locations(LOCATIONS, Some(BUNDLE))) else {
        return;
    };
    let master = Master::start(&site, preload);
    let started = master.rss_bytes();
    let rss: Vec<u64> = (0..RELOADS)
        .map(|_| {
            master.reload();
            master.rss_bytes()
        })
        .collect();
    let pid = master.pid;
    master.stop();

    let kibibytes: Vec<u64> = rss.iter().map(|bytes| bytes / 1024).collect();
    eprintln!(
        "{preload:?}, {LOCATIONS} locations: {} KiB, after each reload {kibibytes:?}",
        started / 1024
    );
    let (first, last) = (rss[0], rss[rss.len() - 1]);
    let margin = (first * 3 / 100).max(1024 * 1024);
    assert!(last <= first + margin, "{preload:?}: {kibibytes:?} KiB");

    let all = site.counts_in_all(pid);
    let loads = (RELOADS + 1) * (LOCATIONS + 1);
    assert_eq!((all.loads, all.parses), (loads, 1), "{all:?}");
}

#[test]
fn ten_reloads_with_private_stores() {
    ten_reloads(Preload::Private);
}

#[test]
fn ten_reloads_with_one_store() {
    ten_reloads(Preload::SharedStore);
}
