//! A master that reads its configuration again and again.

use suite::nginx::Master;

use super::site::Site;
use crate::common::Preload;

const LOCATIONS: u64 = 300;
const RELOADS: u64 = 10;

/// After the first reload, for which the old and the new configuration are alive together, a
/// master doesn't grow any more; and the bundle is parsed no second time.
fn ten_reloads(preload: Preload) {
    let Some(site) = Site::with_the_line(LOCATIONS) else {
        return;
    };
    let master = Master::start(&site, site.nginx(preload));
    let started = rss_bytes(master.pid);
    let rss: Vec<u64> = (0..RELOADS)
        .map(|_| {
            master.reload();
            rss_bytes(master.pid)
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

/// Memory that a process holds.
fn rss_bytes(pid: i32) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"));
    let rollup = rollup.expect("the master lives");
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kibibytes = kibibytes.and_then(|number| number.trim().parse::<u64>().ok());
    kibibytes.expect("a number of kB") * 1024
}

#[test]
fn ten_reloads_with_private_stores() {
    ten_reloads(Preload::Private);
}

#[test]
fn ten_reloads_with_one_store() {
    ten_reloads(Preload::SharedStore);
}
