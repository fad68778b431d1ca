//! What follows from the two arms.

use heap_diagnosis::{Finding, Severity};
use heap_meter::experiment::Results;
use human_text::{Bytes, thousands};

/// Memory is called kept when the blocked arm ends with so many times as much as the free one …
const KEPT_RATIO: f64 = 1.2;

/// … and with at least so much more.
const KEPT_BYTES: f64 = (1 << 20) as f64;

/// What follows from the medians so far.
pub(super) fn of(results: &Results) -> Vec<Finding> {
    let figures = |metric: &str| {
        let mut rows = results.comparison.iter();
        let row = rows.find(|row| row.metric == metric)?;
        Some((row.control, row.other()))
    };
    let mut findings = Vec::new();
    findings.extend(figures("brk_refused").and_then(blocked_anyway));
    if let Some(fallbacks) = figures("fallbacks") {
        findings.extend(unused(fallbacks, figures("brk_refused")));
        findings.extend(fell_back(fallbacks, figures("fallback_bytes")));
    }
    if let (Some(peak), Some(end)) = (figures("peak_rss"), figures("rss_at_end")) {
        findings.extend(kept(peak, end));
    }
    findings
}

/// A word where the command did not succeed: what was compared may not be what was meant.
pub(super) fn failure(results: &Results) -> Option<String> {
    let mut runs = results.arms.iter().flat_map(|arm| &arm.runs);
    let exit = runs.find_map(|run| run.facts.get("exit").filter(|exit| *exit != "code 0"))?;
    Some(format!(
        "the command did not succeed (it ended with {exit}); run it by itself to see what it says"
    ))
}

/// The break is blocked without a hole, so that both arms are the same.
fn blocked_anyway((control, hole): (f64, f64)) -> Option<Finding> {
    if control < 1.0 || control < hole / 2.0 {
        return None;
    }
    let message = format!(
        "This compares blocked with blocked: with the break left free, brk was refused {} as well \
         (with the hole: {}). The command blocks its break itself, or a limit refuses it, and the \
         hole adds nothing.",
        times(control),
        times(hole),
    );
    Some(
        Finding::new("blocked-anyway", Severity::Warning, message)
            .evidence("control_refused_brks", control)
            .evidence("hole_refused_brks", hole)
            .remedy(
                "brkhole trace -- COMMAND names what refuses the break. Compare again without it.",
            ),
    )
}

/// The break does not matter to this command.
fn unused(fallbacks: (f64, f64), refused: Option<(f64, f64)>) -> Option<Finding> {
    let (_, refused) = refused?;
    if refused > 0.0 || fallbacks.1 > 0.0 {
        return None;
    }
    let message = "With the break blocked, no brk was refused: the command takes no memory by the \
                   break, or too little to ask for more.";
    Some(Finding::new("break-unused", Severity::Info, message).evidence("refused_brks", refused))
}

/// malloc took the way out.
fn fell_back(fallbacks: (f64, f64), bytes: Option<(f64, f64)>) -> Option<Finding> {
    let (control, hole) = fallbacks;
    let (_, bytes) = bytes?;
    if hole <= control {
        return None;
    }
    let message = format!(
        "With the break blocked, malloc fell back to mmap {} ({}); with it free, {}.",
        times(hole),
        Bytes(bytes as u64),
        times(control),
    );
    Some(
        Finding::new("fallback", Severity::Info, message)
            .evidence("control", control)
            .evidence("hole", hole)
            .evidence("bytes", bytes),
    )
}

fn times(count: f64) -> String {
    match count as u64 {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        count => format!("{} times", thousands(count)),
    }
}

/// What free could not give back. A command may also end with more because it took more.
fn kept(peak: (f64, f64), end: (f64, f64)) -> Option<Finding> {
    let (control, hole) = end;
    let more = hole - control;
    if hole < KEPT_RATIO * control || more < KEPT_BYTES {
        return None;
    }
    let returned = (peak.0 - control, peak.1 - hole);
    if returned.0 - returned.1 < more / 2.0 {
        return None;
    }
    let message = format!(
        "With the break blocked the command ends with {} resident instead of {}: memory that it \
         had freed could not go back.",
        Bytes(hole as u64),
        Bytes(control as u64),
    );
    Some(
        Finding::new("memory-kept", Severity::Warning, message)
            .evidence("control_rss_bytes", control)
            .evidence("hole_rss_bytes", hole)
            .remedy("Where a break is blocked, have the program call malloc_trim(0)."),
    )
}

#[cfg(test)]
mod tests {
    use super::{blocked_anyway, kept};

    const MIB: f64 = (1 << 20) as f64;

    #[test]
    fn both_arms_blocked_is_said() {
        for (control, hole, wanted) in [
            (20.0, 20.0, true),
            (21.0, 20.0, true),
            (0.0, 20.0, false),
            (0.0, 0.0, false),
            (1.0, 600.0, false),
        ] {
            let found = blocked_anyway((control, hole));
            assert_eq!(found.is_some(), wanted, "{control} {hole}");
        }
    }

    #[test]
    fn only_what_was_there_and_went_in_the_other_arm_was_kept() {
        let is_kept = |peak: (f64, f64), end: (f64, f64)| {
            kept((peak.0 * MIB, peak.1 * MIB), (end.0 * MIB, end.1 * MIB)).is_some()
        };
        assert!(is_kept((260.0, 267.0), (4.0, 267.0)));
        assert!(!is_kept((260.0, 267.0), (4.0, 4.5)), "too little");
        assert!(!is_kept((1900.0, 2400.0), (1900.0, 2400.0)), "it took more");
    }
}
