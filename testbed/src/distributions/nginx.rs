//! A release's nginx, testing a configuration in which each location names the bundle.
//!
//! Two sizes are run in each arm, so that what a further location costs isn't mixed with what nginx
//! costs, or the first parse.

use super::library::{BUNDLE, LogLine, PreloadMode, ProgramOutput, SCRIPTS};
use super::probes::Check;
use crate::testbed::{FILES, Testbed, nginx_configuration};
use anyhow::Context;
use heap_meter::statistics::median;
use serde::{Deserialize, Serialize};
use std::fs;

/// The ways in which nginx is run: name, library, and whether the configuration has the line. The
/// first is without the line, the second with it and without the library.
const ARMS: [(&str, PreloadMode, bool); 5] = [
    ("without", PreloadMode::Without, false),
    ("parse", PreloadMode::Without, true),
    ("off", PreloadMode::Off, true),
    ("private", PreloadMode::Private, true),
    ("shared-store", PreloadMode::SharedStore, true),
];

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct NginxArm {
    pub name: String,
    pub runs: Vec<NginxRun>,
    /// How often the bundle was opened, with the most locations.
    opens: usize,
    /// What the library logged then.
    log: Vec<LogLine>,
    /// What a further location costs because of the line.
    #[serde(flatten)]
    pub cost: Option<LocationCost>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct NginxRun {
    locations: u32,
    #[serde(flatten)]
    weight: NginxWeight,
}

/// What weigh.py says of it.
#[derive(Debug, Serialize, Deserialize)]
struct NginxWeight {
    cpu_seconds: f64,
    peak_rss_bytes: u64,
}

/// What a further location costs.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct LocationCost {
    pub cpu_seconds_per_location: f64,
    /// Peak of resident memory.
    pub rss_bytes_per_location: f64,
}

/// Runs every arm with one location and with so many, in turns. Fails when nginx refuses a
/// configuration.
pub fn measured(place: &Testbed, locations: u32, repeats: u32) -> anyhow::Result<Vec<NginxArm>> {
    for has_line in [false, true] {
        for count in [1, locations] {
            place.configure_nginx(has_line, count)?;
        }
    }
    let mut arms = ARMS.map(|(name, ..)| NginxArm { name: name.to_owned(), ..NginxArm::default() });
    for _ in 0..repeats {
        for (arm, (_, mode, has_line)) in arms.iter_mut().zip(ARMS) {
            // That a library which keeps out costs nothing is seen from its opens.
            if mode == PreloadMode::Off {
                continue;
            }
            for locations in [1, locations] {
                let script = format!("{SCRIPTS}/weigh.py");
                let before = ["python3", &script];
                let said = run(place, &before, mode, has_line, locations)?;
                let weight = serde_json::from_str(&said.out).context("what weigh.py says")?;
                arm.runs.push(NginxRun { locations, weight });
            }
        }
    }
    for (arm, (_, mode, has_line)) in arms.iter_mut().zip(ARMS) {
        let opens = format!("{FILES}/opens");
        let strace = ["strace", "-f", "-e", "trace=open,openat", "-o", &opens];
        arm.log = run(place, &strace, mode, has_line, locations)?.log;
        let calls = fs::read_to_string(place.here("opens"))?;
        arm.opens = calls.lines().filter(|call| call.contains(BUNDLE)).count();
    }
    let base = arms[0].growth(locations).context("no run was made")?;
    for arm in &mut arms[1..] {
        arm.cost = arm.growth(locations).map(|growth| LocationCost {
            cpu_seconds_per_location: growth.cpu_seconds_per_location
                - base.cpu_seconds_per_location,
            rss_bytes_per_location: growth.rss_bytes_per_location - base.rss_bytes_per_location,
        });
    }
    Ok(arms.into())
}

/// Runs `before`, then nginx in this way.
fn run(
    place: &Testbed,
    before: &[&str],
    mode: PreloadMode,
    has_line: bool,
    locations: u32,
) -> anyhow::Result<ProgramOutput> {
    let configuration = format!("{FILES}/{}", nginx_configuration(has_line, locations));
    let variables = mode.variables();
    let mut words = [before, &["env"]].concat();
    words.extend(variables.iter().map(String::as_str));
    words.extend(["nginx", "-t", "-q", "-c", &configuration]);
    ProgramOutput::of(place, &words)
}

impl NginxArm {
    /// What each location more than one costs, whatever for; none if it wasn't weighed.
    fn growth(&self, locations: u32) -> Option<LocationCost> {
        let grown = |of: fn(&NginxWeight) -> f64| {
            let at = |count| {
                let runs = self.runs.iter().filter(|run| run.locations == count);
                median(&runs.map(|run| of(&run.weight)).collect::<Vec<_>>())
            };
            Some((at(locations)? - at(1)?) / f64::from(locations - 1))
        };
        Some(LocationCost {
            cpu_seconds_per_location: grown(|weight| weight.cpu_seconds)?,
            rss_bytes_per_location: grown(|weight| weight.peak_rss_bytes as f64)?,
        })
    }
}

/// Whether nginx's arms came out as they should.
pub fn checked(arms: &[NginxArm], locations: u32, bundle_bytes: usize) -> Vec<Check> {
    let (plain, parse) = (&arms[0], &arms[1]);
    let loads = parse.opens as u64;
    let mut checks = vec![
        Check::equal("nginx without the line: opens", 0, plain.opens),
        // That the line costs a load each is what the rest is compared with.
        Check::of("nginx with it: a load for each location", loads >= u64::from(locations), || {
            format!("{loads} opens")
        }),
    ];
    for (arm, (name, mode, _)) in arms.iter().zip(ARMS).skip(2) {
        if !mode.is_acting() {
            let name = format!("nginx, {name}: opens");
            checks.push(Check::equal(name, parse.opens, arm.opens));
            continue;
        }
        let expected = LogLine {
            program: "nginx".to_owned(),
            loads,
            parses: 1,
            shared: loads - 1,
            bytes_spared: (loads - 1) * bundle_bytes as u64,
            passed_on: 0,
        };
        let is_so = arm.log == [expected];
        let parsed_once = format!("nginx, {name}: one parse, logged");
        checks.push(Check::of(parsed_once, is_so, || {
            let log = &arm.log;
            format!("{loads} loads of {bundle_bytes} bytes, logged: {log:?}")
        }));
        let (Some(cost), Some(of_parse)) = (arm.cost, parse.cost) else {
            continue;
        };
        // Wide margins: the one is noise, the other depends on the bundle.
        let is_cheap = cost.rss_bytes_per_location < of_parse.rss_bytes_per_location / 20.0
            && cost.cpu_seconds_per_location < of_parse.cpu_seconds_per_location / 2.0;
        let cheaper = format!("nginx, {name}: cheaper than parsing");
        checks.push(Check::of(cheaper, is_cheap, || {
            format!("{cost:?} a location; parsing: {of_parse:?}")
        }));
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::{NginxArm, NginxRun, NginxWeight};

    #[test]
    fn growth_is_per_further_location() {
        let mut arm = NginxArm::default();
        for (locations, cpu_seconds, peak_rss_bytes) in
            [(1, 1.0, 100), (11, 3.0, 600), (1, 1.0, 100), (11, 3.0, 600)]
        {
            arm.runs
                .push(NginxRun { locations, weight: NginxWeight { cpu_seconds, peak_rss_bytes } });
        }
        let growth = arm.growth(11).unwrap();
        assert_eq!(growth.cpu_seconds_per_location, 0.2);
        assert_eq!(growth.rss_bytes_per_location, 50.0);
        assert!(arm.growth(5).is_none());
    }
}
