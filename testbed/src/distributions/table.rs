//! The table for people.

use super::Report;
use super::library::Library;
use super::nginx::Cost;
use std::fmt::Write;

const HEADING: &str = "\
release   glibc  OpenSSL  nginx   Python  curl      ms a location              KiB a location             checks
                                                     parse  private  shared     parse  private  shared
";

/// What the library needs, a line for each release, and the faults.
pub fn of(libraries: &[Library], reports: &[Report]) -> String {
    let mut text = String::new();
    for library in libraries {
        line(
            &mut text,
            format_args!(
                "the library built on {} needs glibc {}",
                library.release, library.needs_glibc
            ),
        );
    }
    text.push('\n');
    text.push_str(HEADING);
    for report in reports {
        row(&mut text, report);
    }
    for report in reports {
        for check in &report.checks {
            if let Some(fault) = &check.fault {
                let name = &check.name;
                line(
                    &mut text,
                    format_args!("\nFAILED {}: {name}\n    {fault}", report.release),
                );
            }
        }
    }
    text
}

fn row(text: &mut String, report: &Report) {
    let version = |name: &str| {
        let mut versions = report.versions.iter();
        let found = versions.find(|(known, _)| *known == name);
        found.map_or("", |(_, version)| version.as_str())
    };
    let cost = |name: &str, of: fn(Cost) -> f64| {
        let mut arms = report.arms.iter();
        let found = arms.find(|arm| arm.name == name).and_then(|arm| arm.cost);
        found.map_or(f64::NAN, of)
    };
    let ms = |name| cost(name, |cost| cost.cpu_seconds * 1e3);
    let kib = |name| cost(name, |cost| cost.rss_bytes / 1024.0);
    let failed = report.checks.iter().filter(|check| !check.is_ok()).count();
    let checks = match failed {
        0 => format!("{} ok", report.checks.len()),
        _ => format!("{failed} of {} FAILED", report.checks.len()),
    };
    line(
        text,
        format_args!(
            "{:<9} {:<6} {:<8} {:<7} {:<7} {:<8} {:>6.2} {:>8.3} {:>7.3}    {:>6.0} {:>8.1} {:>7.1}     {checks}",
            report.release,
            version("glibc"),
            version("openssl"),
            version("nginx"),
            version("python"),
            version("curl"),
            ms("parse"),
            ms("private"),
            ms("shared-store"),
            kib("parse"),
            kib("private"),
            kib("shared-store"),
        ),
    );
}

fn line(text: &mut String, line: std::fmt::Arguments) {
    // A string takes whatever is written.
    let _ = writeln!(text, "{line}");
}
