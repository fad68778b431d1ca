//! A release's nginx, testing a configuration in which each location names the bundle.
//!
//! Two sizes are run in each arm, so that what a further location costs isn't mixed with what nginx
//! costs, or the first parse.

mod verdict;

use super::checks::Check;
use super::log_line::LogLine;
use super::mode::Mode;
use super::site::{BUNDLE, SCRIPTS, Said, Site};
use crate::nginx_configuration as configuration;
use anyhow::Context;
use serde_json::{Value, json};
use std::fs;

/// One way in which nginx is run.
#[derive(Debug)]
pub struct Arm {
    /// Its name in reports.
    pub name: &'static str,
    mode: Mode,
    has_line: bool,
    runs: Vec<Run>,
    /// How often the bundle was opened, with the most locations.
    opens: usize,
    /// What the library logged then.
    log: Vec<LogLine>,
    /// What a further location costs because of the line.
    pub cost: Option<Cost>,
}

/// One run of `nginx -t`.
#[derive(Debug)]
struct Run {
    locations: u32,
    cpu_seconds: f64,
    peak_rss_bytes: u64,
}

/// What a further location costs.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Processor time.
    pub cpu_seconds: f64,
    /// Peak of resident memory.
    pub rss_bytes: f64,
}

/// What came out.
#[derive(Debug)]
pub struct Measured {
    /// The first is without the line, the second with it and without the library.
    pub arms: Vec<Arm>,
    /// Whether counts and costs are as they should be.
    pub checks: Vec<Check>,
}

/// Runs every arm with one location and with so many, in turns.
///
/// # Errors
///
/// When nginx refuses a configuration.
pub fn measure(site: &Site, locations: u32, repeats: u32) -> anyhow::Result<Measured> {
    let mut arms = vec![
        Arm::new("without", Mode::Without, false),
        Arm::new("parse", Mode::Without, true),
        Arm::new("off", Mode::Off, true),
        Arm::new("private", Mode::Private, true),
        Arm::new("shared-store", Mode::SharedStore, true),
    ];
    for has_line in [false, true] {
        for count in [1, locations] {
            let path = site.path(&configuration::name(has_line, count));
            fs::write(path, configuration::text("/check", has_line, count))?;
        }
    }
    for _ in 0..repeats {
        // That a library which keeps out costs nothing is seen from its opens.
        for arm in arms.iter_mut().filter(|arm| arm.mode != Mode::Off) {
            for count in [1, locations] {
                arm.runs.push(weigh(site, arm, count)?);
            }
        }
    }
    for arm in &mut arms {
        (arm.opens, arm.log) = watch(site, arm, locations)?;
    }
    let base = arms[0].growth(locations).context("no run was made")?;
    for arm in &mut arms[1..] {
        arm.cost = arm.growth(locations).map(|growth| Cost {
            cpu_seconds: growth.cpu_seconds - base.cpu_seconds,
            rss_bytes: growth.rss_bytes - base.rss_bytes,
        });
    }
    let bundle_bytes = fs::metadata(site.path("bundle.pem"))?.len();
    let checks = verdict::on(&arms, u64::from(locations), bundle_bytes);
    Ok(Measured { arms, checks })
}

/// The words for `env`: `before`, then nginx in this arm.
fn words(before: &[&str], arm: &Arm, locations: u32) -> Vec<String> {
    let configuration = format!("/check/{}", configuration::name(arm.has_line, locations));
    let nginx = ["nginx", "-t", "-q", "-c", &configuration].map(str::to_owned);
    let before = before.iter().map(|word| (*word).to_owned());
    before
        .chain(["env".to_owned()])
        .chain(arm.mode.variables())
        .chain(nginx)
        .collect()
}

fn run(site: &Site, before: &[&str], arm: &Arm, locations: u32) -> anyhow::Result<Said> {
    let words = words(before, arm, locations);
    site.env(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

fn weigh(site: &Site, arm: &Arm, locations: u32) -> anyhow::Result<Run> {
    let script = format!("{SCRIPTS}/weigh.py");
    let said = run(site, &["python3", &script], arm, locations)?;
    let weight: Value = serde_json::from_str(&said.out).context("what weigh.py says")?;
    let (cpu_seconds, peak_rss_bytes) = (&weight["cpu_seconds"], &weight["peak_rss_bytes"]);
    Ok(Run {
        locations,
        cpu_seconds: cpu_seconds.as_f64().context("no cpu_seconds")?,
        peak_rss_bytes: peak_rss_bytes.as_u64().context("no peak_rss_bytes")?,
    })
}

/// How often nginx opens the bundle, and what the library logs.
fn watch(site: &Site, arm: &Arm, locations: u32) -> anyhow::Result<(usize, Vec<LogLine>)> {
    let calls = "trace=open,openat";
    let strace = ["strace", "-f", "-e", calls, "-o", "/check/opens"];
    let said = run(site, &strace, arm, locations)?;
    let calls = fs::read_to_string(site.path("opens"))?;
    let opens = calls.lines().filter(|call| call.contains(BUNDLE)).count();
    Ok((opens, said.log))
}

impl Arm {
    fn new(name: &'static str, mode: Mode, has_line: bool) -> Self {
        Self {
            name,
            mode,
            has_line,
            runs: Vec::new(),
            opens: 0,
            log: Vec::new(),
            cost: None,
        }
    }

    /// What each location more than one costs, whatever for; none if it wasn't weighed.
    fn growth(&self, locations: u32) -> Option<Cost> {
        let further = f64::from(locations - 1);
        let grown = |of: fn(&Run) -> f64| {
            let at = |count| {
                let runs = self.runs.iter().filter(|run| run.locations == count);
                median(runs.map(of).collect())
            };
            Some((at(locations)? - at(1)?) / further)
        };
        Some(Cost {
            cpu_seconds: grown(|run| run.cpu_seconds)?,
            rss_bytes: grown(|run| run.peak_rss_bytes as f64)?,
        })
    }

    /// For the raw data.
    pub fn to_json(&self) -> Value {
        let runs = self.runs.iter().map(|run| {
            json!({
                "locations": run.locations,
                "cpu_seconds": run.cpu_seconds,
                "peak_rss_bytes": run.peak_rss_bytes,
            })
        });
        let mut json = json!({
            "name": self.name,
            "runs": runs.collect::<Vec<_>>(),
            "opens": self.opens,
            "log": self.log.iter().map(LogLine::to_json).collect::<Vec<_>>(),
        });
        if let Some(cost) = self.cost {
            json["cpu_seconds_per_location"] = json!(cost.cpu_seconds);
            json["rss_bytes_per_location"] = json!(cost.rss_bytes);
        }
        json
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        0 => Some((values.get(middle.checked_sub(1)?)? + values.get(middle)?) / 2.0),
        _ => values.get(middle).copied(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Arm, Mode, Run, median};

    #[test]
    fn growth_is_per_further_location() {
        let mut arm = Arm::new("parse", Mode::Without, true);
        for (locations, cpu_seconds, peak_rss_bytes) in
            [(1, 1.0, 100), (11, 3.0, 600), (1, 1.0, 100), (11, 3.0, 600)]
        {
            arm.runs.push(Run {
                locations,
                cpu_seconds,
                peak_rss_bytes,
            });
        }
        let growth = arm.growth(11).unwrap();
        assert_eq!((growth.cpu_seconds, growth.rss_bytes), (0.2, 50.0));
        assert!(arm.growth(5).is_none());
    }

    #[test]
    fn the_median_of_an_even_number_is_between() {
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(vec![4.0, 1.0, 3.0]), Some(3.0));
        assert_eq!(median(Vec::new()), None);
    }
}
