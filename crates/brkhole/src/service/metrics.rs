//! What the service has done, as metrics beside those of what it sees.

use human_text::{Bytes, Seconds, counted};

use crate::inspect::openmetrics::Exposition;
use crate::trim::{RefusalKind, TrimOutcome, TrimReport};

/// Since it began. How many series there are depends on nothing.
#[derive(Debug, Default)]
pub(super) struct ServiceTotals {
    trims: u64,
    returned_bytes: u64,
    held_seconds: f64,
    longest_held_seconds: f64,
    refused: [u64; RefusalKind::ALL.len()],
}

impl ServiceTotals {
    pub(super) fn add(&mut self, report: &TrimReport) {
        self.held_seconds += report.held_seconds;
        self.longest_held_seconds = self.longest_held_seconds.max(report.longest_held_seconds);
        match report.outcome {
            TrimOutcome::Trimmed => {
                self.trims += 1;
                self.returned_bytes += report.returned_bytes.unwrap_or(0);
            }
            _ => self.refused[report.refusal.unwrap_or_default() as usize] += 1,
        }
    }

    /// For people.
    pub(super) fn told(&self, in_vain: u64) -> String {
        format!(
            "{} gave back {} in all, {} of no use (little came, or it came back); they stood still for \
             {} in all, {} at most; {} refused",
            counted(self.trims, "trim", "trims"),
            Bytes(self.returned_bytes),
            in_vain,
            Seconds(self.held_seconds),
            Seconds(self.longest_held_seconds),
            self.refused.iter().sum::<u64>(),
        )
    }

    /// They only grow, but are gauges: of a counter the two formats that the file is both of ask for
    /// different words. `rate()` and `increase()` take them all the same.
    pub(super) fn write(&self, in_vain: u64, backed_off: usize, text: &mut Exposition) {
        text.gauge("brkhole_trim_calls", "Trims since the service began.").sample(&[], self.trims);
        text.gauge("brkhole_trim_returned_bytes", "What rss has shrunk by in these.")
            .sample(&[], self.returned_bytes);
        text.gauge("brkhole_trim_held_seconds", "How long processes stood still, all together.")
            .sample(&[], format_args!("{:.6}", self.held_seconds));
        text.gauge("brkhole_trim_longest_held_seconds", "How long one stood still at most.")
            .sample(&[], format_args!("{:.6}", self.longest_held_seconds));
        text.gauge(
            "brkhole_trim_in_vain",
            "Trims that gave little, or of which half was resident again at the next look.",
        )
        .sample(&[], in_vain);
        text.gauge(
            "brkhole_trim_backed_off_processes",
            "Processes that are left alone for longer than an interval now.",
        )
        .sample(&[], backed_off);
        let mut gauge = text.gauge(
            "brkhole_trim_refused",
            "Processes that were due and not trimmed, by reason, since the service began.",
        );
        for kind in RefusalKind::ALL {
            gauge.sample(&[("reason", kind.name())], self.refused[kind as usize]);
        }
    }
}
