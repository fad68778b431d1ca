//! `nginx -t` with a thousand locations: what the line costs without the library, and with it.

use std::path::Path;

use suite::nginx::{BUNDLE, Parts};

use super::cost::Cost;
use super::site::Site;
use crate::common::Preload;

/// Locations of the cured site; the server has a context of its own beside theirs.
const LOCATIONS: u64 = 1_000;
/// Locations of the site that shows the disease. A location costs the same however many there are,
/// so that a thousand, which would take twenty times as long, needn't be tried.
const SICK_LOCATIONS: u64 = 50;
const RUNS: usize = 3;

fn median<T: Copy + PartialOrd>(costs: &[Cost], of: impl Fn(&Cost) -> T) -> T {
    let mut values: Vec<T> = costs.iter().map(of).collect();
    values.sort_by(|one, other| one.partial_cmp(other).expect("numbers"));
    values[values.len() / 2]
}

/// The library's own count of one run.
fn assert_parsed_once(site: &Site, runs: usize) {
    let counts = site.counts();
    assert_eq!(counts.len(), runs, "a line for each run");
    let contexts = LOCATIONS + 1;
    let bytes = Path::new(BUNDLE).metadata().expect("it is there").len();
    for line in counts {
        assert_eq!(line.program, "nginx");
        assert_eq!((line.loads, line.parses), (contexts, 1), "{line:?}");
        assert_eq!((line.shared, line.passed_on), (LOCATIONS, 0), "{line:?}");
        assert_eq!(line.bytes_spared, LOCATIONS * bytes, "{line:?}");
    }
}

#[test]
fn a_thousand_locations_cost_one_parse() {
    let numbers = [SICK_LOCATIONS, LOCATIONS, LOCATIONS];
    let [Some(sick), Some(private), Some(shared_store)] = numbers.map(Site::with_the_line) else {
        return;
    };
    let healthy = Site::new(&Parts::empty_locations(LOCATIONS, None)).expect("as those");

    let arms = [
        (&healthy, Preload::Without),
        (&sick, Preload::Without),
        (&private, Preload::Private),
        (&shared_store, Preload::SharedStore),
    ];
    let mut costs = [const { Vec::new() }; 4];
    for _ in 0..RUNS {
        for ((site, preload), costs) in arms.iter().zip(&mut costs) {
            costs.push(Cost::of(site.nginx(*preload).arg("-t")));
        }
    }
    let cpu = costs.each_ref().map(|arm| median(arm, |c| c.cpu_seconds));
    let peak = costs.each_ref().map(|arm| median(arm, |c| c.peak_rss_bytes));

    let contexts = (LOCATIONS + 1) as f64;
    let without_line = cpu[0] * SICK_LOCATIONS as f64 / LOCATIONS as f64;
    let per_context = (cpu[1] - without_line) / (SICK_LOCATIONS + 1) as f64;
    let disease = cpu[0] + per_context * contexts;
    let faster = [disease / cpu[2], disease / cpu[3]];
    let peak_without = peak[0];
    let grown = [peak[2], peak[3]].map(|peak| peak.saturating_sub(peak_without));
    eprintln!(
        "nginx -t, {LOCATIONS} locations: {:.3} s of CPU, peak {} KiB without the line; with it \
         {disease:.1} s (from {SICK_LOCATIONS} locations: {:.2} s, {} KiB)",
        cpu[0],
        peak[0] / 1024,
        cpu[1],
        peak[1] / 1024
    );
    for (number, (_, preload)) in arms[2..].iter().enumerate() {
        eprintln!(
            "{preload:?}: {:.3} s, {:.0} times faster; {} KiB more than without the line",
            cpu[number + 2],
            faster[number],
            grown[number] / 1024
        );
    }

    assert!(faster[0] >= 10.0, "private stores: {faster:?} times");
    assert!(faster[1] >= 20.0, "one store: {faster:?} times");
    assert!(grown[0] <= LOCATIONS * 12 * 1024, "private stores: {grown:?}");
    assert!(grown[1] <= 2 * 1024 * 1024, "one store: {grown:?}");
    assert_parsed_once(&private, RUNS);
    assert_parsed_once(&shared_store, RUNS);
}
