//! What came of the reloads: the raw results, what isn't as it should be, and the table.

use crate::campaign::Measurements;
use crate::testbed::Versions;
use anyhow::Context;
use heap_meter::statistics::median;
use human_text::{Bytes, Seconds, thousands};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the watched one may have between two reloads, over what one configuration takes.
const MOST_RATIO: f64 = 1.15;

#[derive(Debug, Serialize, Deserialize)]
pub struct Reloads {
    pub parameters: Value,
    pub versions: Versions,
    /// Left alone, and watched.
    pub arms: [ReloadArm; 2],
    faults: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct ReloadArm {
    /// The master's rss after its start.
    pub one_configuration_bytes: u64,
    /// The master's, in the midst of a reload.
    pub peak_rss_bytes: u64,
    pub reloads: Vec<Reload>,
    /// Of the master's rss between reloads, over one configuration.
    pub median_ratio: f64,
    pub largest_ratio: f64,
    pub requests: u64,
    pub failed_requests: u64,
    /// None if it was left alone.
    pub service: Option<ServiceTotals>,
}

/// One reload, and what there was a moment after it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reload {
    pub reload_seconds: f64,
    pub master_rss_bytes: u64,
    pub master_returnable_bytes: Option<u64>,
    pub worker_rss_bytes: u64,
}

/// What the service says it has done.
#[derive(Debug, Serialize, Deserialize)]
pub struct ServiceTotals {
    pub trims: u64,
    pub returned_bytes: u64,
    pub held_seconds: f64,
    pub longest_held_seconds: f64,
    pub in_vain: u64,
    pub refused: u64,
}

impl ServiceTotals {
    /// From its metrics.
    pub fn of(text: &str) -> anyhow::Result<Self> {
        let sum = |name: &str| -> anyhow::Result<f64> {
            let of_it = text.lines().filter(|line| {
                line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']))
            });
            let values = of_it.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
            let values: Vec<_> = values.collect();
            anyhow::ensure!(!values.is_empty(), "{name} isn't among its metrics");
            Ok(values.iter().sum())
        };
        Ok(Self {
            trims: sum("brkhole_trim_calls")? as u64,
            returned_bytes: sum("brkhole_trim_returned_bytes")? as u64,
            held_seconds: sum("brkhole_trim_held_seconds")?,
            longest_held_seconds: sum("brkhole_trim_longest_held_seconds")?,
            in_vain: sum("brkhole_trim_in_vain")? as u64,
            refused: sum("brkhole_trim_refused")? as u64,
        })
    }
}

impl ReloadArm {
    pub fn of(
        one_configuration_bytes: u64,
        peak_rss_bytes: u64,
        reloads: Vec<Reload>,
        [requests, failed_requests]: [u64; 2],
        service: Option<ServiceTotals>,
    ) -> anyhow::Result<Self> {
        let ratio =
            |reload: &Reload| reload.master_rss_bytes as f64 / one_configuration_bytes as f64;
        let ratios: Vec<_> = reloads.iter().map(ratio).collect();
        Ok(Self {
            median_ratio: median(&ratios).context("it was never reloaded")?,
            largest_ratio: ratios.into_iter().fold(0.0, f64::max),
            one_configuration_bytes,
            peak_rss_bytes,
            reloads,
            requests,
            failed_requests,
            service,
        })
    }

    fn figures(&self, figure: fn(&Reload) -> f64) -> f64 {
        let figures: Vec<_> = self.reloads.iter().map(figure).collect();
        median(&figures).unwrap_or(f64::NAN)
    }
}

impl Reloads {
    pub fn of(parameters: Value, versions: Versions, arms: [ReloadArm; 2]) -> Self {
        let mut faults = Vec::new();
        for (name, arm) in ["left alone", "watched"].iter().zip(&arms) {
            if arm.failed_requests > 0 {
                faults.push(format!("{name}: {} requests failed", arm.failed_requests));
            }
        }
        let ratio = arms[1].largest_ratio;
        if ratio > MOST_RATIO {
            faults.push(format!(
                "watched: between reloads it had {ratio:.2} times one configuration; {MOST_RATIO} is \
                 the most"
            ));
        }
        Self { parameters, versions, arms, faults }
    }
}

impl Measurements for Reloads {
    const NAME: &'static str = "reloads";

    fn table(&self) -> String {
        let row = |name: &str, cell: &dyn Fn(&ReloadArm) -> String| {
            let [alone, watched] = self.arms.each_ref().map(cell);
            format!("{name:<44}{alone:>12}{watched:>12}\n")
        };
        let bytes = |bytes: f64| Bytes(bytes as u64).to_string();
        let service = |figure: fn(&ServiceTotals) -> String| {
            move |arm: &ReloadArm| arm.service.as_ref().map_or_else(String::new, figure)
        };
        let text = [
            format!(
                "{:<44}{:>12}{:>12}\n",
                "nginx, its break blocked, reloaded", "left alone", "watched"
            ),
            row("reloads", &|arm| arm.reloads.len().to_string()),
            row("one reload takes (median)", &|arm| {
                Seconds(arm.figures(|of| of.reload_seconds)).to_string()
            }),
            row("master, started", &|arm| Bytes(arm.one_configuration_bytes).to_string()),
            row("master, between reloads (median)", &|arm| {
                bytes(arm.figures(|of| of.master_rss_bytes as f64))
            }),
            row("  over what it had when started", &|arm| format!("{:.2}", arm.median_ratio)),
            row("  the largest", &|arm| format!("{:.2}", arm.largest_ratio)),
            row("  could give back (median)", &|arm| {
                bytes(arm.figures(|of| of.master_returnable_bytes.unwrap_or(0) as f64))
            }),
            row("worker, between reloads (median)", &|arm| {
                bytes(arm.figures(|of| of.worker_rss_bytes as f64))
            }),
            row("master, in the midst of a reload (peak)", &|arm| {
                Bytes(arm.peak_rss_bytes).to_string()
            }),
            row("requests", &|arm| thousands(arm.requests)),
            row("  failed", &|arm| thousands(arm.failed_requests)),
            row("trims", &service(|of| of.trims.to_string())),
            row("  in vain", &service(|of| of.in_vain.to_string())),
            row("  refused", &service(|of| of.refused.to_string())),
            row("stood still, all together", &service(|of| Seconds(of.held_seconds).to_string())),
            row("  the longest", &service(|of| Seconds(of.longest_held_seconds).to_string())),
        ];
        let faults = self.faults.iter().map(|fault| format!("\nFAILED {fault}\n"));
        text.into_iter().chain(faults).collect()
    }

    fn verdict(&self) -> Option<String> {
        let faults = self.faults.join("; ");
        (!faults.is_empty()).then_some(faults)
    }

    fn other_files(&self) -> Vec<(&'static str, String)> {
        vec![("txt", self.table())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: &str = "# TYPE brkhole_trim_calls gauge\nbrkhole_trim_calls 3\n\
        brkhole_trim_returned_bytes 4096\nbrkhole_trim_held_seconds 0.5\n\
        brkhole_trim_longest_held_seconds 0.25\nbrkhole_trim_in_vain 1\n\
        brkhole_trim_refused{reason=\"traced\"} 1\nbrkhole_trim_refused{reason=\"other\"} 2\n";

    fn arm(master_rss_bytes: u64, failed_requests: u64) -> ReloadArm {
        let reload = Reload {
            reload_seconds: 1.0,
            master_rss_bytes,
            master_returnable_bytes: None,
            worker_rss_bytes: 1,
        };
        let service = ServiceTotals::of(METRICS).unwrap();
        ReloadArm::of(100, 200, vec![reload], [9, failed_requests], Some(service)).unwrap()
    }

    #[test]
    fn what_the_service_says_is_read() {
        let totals = ServiceTotals::of(METRICS).unwrap();
        assert_eq!((totals.trims, totals.returned_bytes, totals.in_vain), (3, 4096, 1));
        assert_eq!((totals.refused, totals.longest_held_seconds), (3, 0.25));
        assert!(ServiceTotals::of("brkhole_trim_calls 3\n").is_err());
    }

    #[test]
    fn too_much_and_failed_requests_are_faults() {
        let verdict =
            |alone, watched| Reloads::of(Value::Null, Versions::new(), [alone, watched]).verdict();
        assert_eq!(verdict(arm(190, 0), arm(115, 0)), None);
        assert!(verdict(arm(190, 0), arm(116, 0)).unwrap().contains("1.16 times"));
        assert!(verdict(arm(190, 2), arm(110, 0)).unwrap().contains("left alone: 2 requests"));
    }
}
