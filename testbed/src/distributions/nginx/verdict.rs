//! Whether nginx's arms came out as they should.

use super::Arm;
use crate::distributions::checks::Check;
use crate::distributions::log_line::LogLine;

/// Judges all arms; the first is without the line, the second with it and without the library.
pub fn on(arms: &[Arm], locations: u64, bundle_bytes: u64) -> Vec<Check> {
    let (plain, parse) = (&arms[0], &arms[1]);
    let mut checks = vec![
        Check::equal("nginx without the line: opens", 0, plain.opens as u64),
        // That the line costs a load each is what the rest is compared with.
        Check::of(
            "nginx with it: a load for each location",
            parse.opens as u64 >= locations,
            || format!("{} opens", parse.opens),
        ),
    ];
    let loads = parse.opens as u64;
    for arm in &arms[2..] {
        let name = format!("nginx, {}", arm.name);
        if !arm.mode.is_acting() {
            let name = format!("{name}: opens");
            checks.push(Check::equal(&name, loads, arm.opens as u64));
            continue;
        }
        let expected = LogLine {
            program: "nginx".to_owned(),
            loads,
            parses: 1,
            shared: loads - 1,
            bytes_spared: (loads - 1) * bundle_bytes,
            passed_on: 0,
        };
        let is_so = arm.log == [expected];
        checks.push(Check::of(
            &format!("{name}: one parse, logged"),
            is_so,
            || {
                format!(
                    "{loads} loads of {bundle_bytes} bytes, logged: {:?}",
                    arm.log
                )
            },
        ));
        let (Some(cost), Some(of_parse)) = (arm.cost, parse.cost) else {
            continue;
        };
        // Wide margins: the one is noise, the other depends on the bundle.
        let is_cheap = cost.rss_bytes < of_parse.rss_bytes / 20.0
            && cost.cpu_seconds < of_parse.cpu_seconds / 2.0;
        checks.push(Check::of(
            &format!("{name}: cheaper than parsing"),
            is_cheap,
            || format!("{cost:?} a location; parsing: {of_parse:?}"),
        ));
    }
    checks
}
