//! The table for people.

use super::Report;
use super::measured::{CONTROL, HOLE, Measured, rss_bytes};
use super::work::{FREED, HELD, TRIMMED};
use heap_meter::story::fallback::Fallback;
use heap_meter::units::thousands;
use std::fmt::Write;

/// Its first line would lose its spaces to a backslash before it.
const HEADING: [&str; 2] = [
    "                                              resident, MiB            a context",
    "work    release   glibc  OpenSSL  break      held   freed trimmed     ms     KiB   fallbacks",
];

/// Two lines for each work and release, and what is wrong.
pub fn of(reports: &[Report]) -> String {
    let mut text = HEADING.join("\n") + "\n";
    let works = reports.iter().map(|report| report.works.len()).max();
    for number in 0..works.unwrap_or(0) {
        text.push('\n');
        for report in reports {
            if let Some(measured) = report.works.get(number) {
                row(&mut text, report, measured, CONTROL, "free");
                row(&mut text, report, measured, HOLE, "blocked");
            }
        }
    }
    for report in reports {
        for fault in &report.faults {
            line(
                &mut text,
                format_args!("\nFAILED {}: {fault}", report.release),
            );
        }
    }
    text
}

fn row(text: &mut String, report: &Report, measured: &Measured, arm: &str, title: &str) {
    let mib = |step| {
        let bytes = measured.median(step, arm, rss_bytes);
        number(bytes.map(|bytes| bytes / 1_048_576.0), 1)
    };
    let cost = measured.cost(arm);
    let openssl = match measured.work.contexts {
        Some(_) => report.version("openssl"),
        None => "",
    };
    let typical = measured.typical(HELD, arm);
    let fallback = typical.and_then(|run| run.fallback.as_ref());
    line(
        text,
        format_args!(
            "{:<7} {:<9} {:<6} {openssl:<8} {title:<7} {:>7} {:>7} {:>7} {:>6} {:>7}   {}",
            measured.work.name,
            report.release,
            report.version("glibc"),
            mib(HELD),
            mib(FREED),
            mib(TRIMMED),
            number(cost.map(|cost| cost.seconds * 1e3), 1),
            number(cost.map(|cost| cost.rss_bytes / 1024.0), 0),
            fallback.map_or("not counted".to_owned(), sizes),
        ),
    );
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

fn line(text: &mut String, line: std::fmt::Arguments) {
    // A string takes whatever is written.
    let _ = writeln!(text, "{}", line.to_string().trim_end());
}

#[cfg(test)]
mod tests {
    use super::super::samples::measured;
    use super::super::verdict;
    use super::*;
    use crate::root::Release;

    #[test]
    fn works_stand_together_and_what_is_not_there_is_blank() {
        let report = |release, glibc: &str, sizes: &[(u64, u64)]| {
            let works = vec![measured("burst", sizes), measured("nginx", sizes)];
            let faults = works.iter().flat_map(|of| verdict::on(of, glibc, 1, 1));
            Report {
                release,
                versions: vec![("glibc", glibc.to_owned()), ("openssl", "3".to_owned())],
                faults: faults.collect(),
                works,
            }
        };
        let whole = [(1 << 20, 1815)];
        let first = [(1 << 20, 1), (151_552, 1814)];
        let text = of(&[
            report(Release::Bullseye, "2.31", &whole),
            report(Release::Bookworm, "2.36", &first),
            report(Release::Trixie, "2.41", &first),
        ]);
        let rows: Vec<&str> = text.lines().filter(|line| line.contains("free ")).collect();
        let work = |row: &&str| row.split_whitespace().next().map(str::to_owned);
        let works: Vec<String> = rows.iter().filter_map(work).collect();
        assert_eq!(
            works,
            ["burst", "burst", "burst", "nginx", "nginx", "nginx"]
        );
        let row = |of: &str| text.lines().find(|line| line.starts_with(of)).unwrap();
        let words = |row: &str| row.split_whitespace().collect::<Vec<_>>().join(" ");
        let burst = words(row("burst   bookworm  2.36            blocked"));
        let end = "28.0 28.0 12.0 1 × 1 MiB, 1,814 × 151,552 B";
        assert_eq!(burst, format!("burst bookworm 2.36 blocked {end}"));
        let nginx = words(row("nginx   bullseye  2.31   3        free"));
        assert_eq!(nginx, "nginx bullseye 2.31 3 free 18.0 100.0 1024 none");
        assert!(text.contains("FAILED trixie: burst, held: "), "{text}");
    }
}
