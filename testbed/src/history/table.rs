//! The table for people.

use super::figures::{ArmFigures, History, ReleaseFigures, StepFigures};
use super::workload::NAMES;
use crate::campaign::{Measurements, fault_lines};
use heap_growth::Fallback;
use human_text::thousands;

/// Its first line would lose its spaces to a backslash before it.
const HEADING: [&str; 2] = [
    "                                              resident, MiB            a context",
    "work    release   glibc  OpenSSL  break      held   freed trimmed     ms     KiB   fallbacks",
];

impl Measurements for History {
    const NAME: &'static str = "history";

    /// Two lines for each workload and release, and what is wrong.
    fn table(&self) -> String {
        let mut text = HEADING.join("\n") + "\n";
        for name in NAMES {
            text.push('\n');
            for release in &self.releases {
                if let Some(workload) = release.workloads.get(name) {
                    text += &row(name, release, &workload.control, "free");
                    text += &row(name, release, &workload.hole, "blocked");
                }
            }
        }
        let faults = self.releases.iter().flat_map(|release| {
            let faults = release.faults.iter();
            faults.map(|fault| (release.name.as_str(), fault.clone()))
        });
        text + &fault_lines("FAILED", faults)
    }

    fn verdict(&self) -> Option<String> {
        let faults: usize = self.releases.iter().map(|of| of.faults.len()).sum();
        (faults > 0).then(|| format!("{faults} figures aren't what they are called: see above"))
    }
}

fn row(name: &str, release: &ReleaseFigures, arm: &ArmFigures, title: &str) -> String {
    let mib = |step: &Option<StepFigures>| {
        let bytes = step.as_ref().and_then(|step| step.rss_bytes);
        number(bytes.map(|bytes| bytes / 1_048_576.0), 1)
    };
    // Only with contexts there is a step of one.
    let openssl = arm.one.as_ref().map(|_| &release.versions["openssl"]);
    let held = arm.held.as_ref();
    let fallback = held.and_then(|held| held.fallback.as_ref());
    let row = format!(
        "{name:<7} {:<9} {:<6} {:<8} {title:<7} {:>7} {:>7} {:>7} {:>6} {:>7}   {}",
        release.name,
        release.versions["glibc"],
        openssl.map_or("", String::as_str),
        mib(&arm.held),
        mib(&arm.freed),
        mib(&arm.trimmed),
        number(arm.seconds_per_context.map(|seconds| seconds * 1e3), 1),
        number(arm.rss_bytes_per_context.map(|bytes| bytes / 1024.0), 0),
        fallback.map_or("not counted".to_owned(), sizes),
    );
    row.trim_end().to_owned() + "\n"
}

/// Counts and sizes, the largest first, as glibc makes them.
fn sizes(fallback: &Fallback) -> String {
    let sizes = fallback.sizes().iter().rev();
    let each = sizes.map(|(bytes, count)| format!("{} × {}", thousands(*count), size(*bytes)));
    let all: Vec<String> = each.collect();
    match all.is_empty() {
        true => "none".to_owned(),
        false => all.join(", "),
    }
}

fn size(bytes: u64) -> String {
    match bytes % (1 << 20) {
        0 => format!("{} MiB", bytes >> 20),
        _ => format!("{} B", thousands(bytes)),
    }
}

fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or(String::new(), |value| format!("{value:.decimals$}"))
}
