//! Looking into a process again and again.

use heap_meter::statistics::{median, quantile};
use proc_memory::Process;
use ptmalloc::{Examiner, HeapState};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Inspections {
    /// All looks.
    pub count: u64,
    /// Those that told everything.
    pub known: u64,
    /// Those that didn't, by their reasons.
    pub unknown: BTreeMap<String, u64>,
    /// Figures that can't be: more free than there is, more returnable than free.
    pub impossible: u64,
    /// How long the looks took; all of it isn't kept.
    #[serde(skip)]
    pub seconds: Vec<f64>,
    pub median_seconds: Option<f64>,
    pub greatest_seconds: Option<f64>,
    /// Processor time of the looking thread; none if the kernel doesn't tell.
    pub cpu_seconds: Option<f64>,
}

impl Inspections {
    /// Looks into the process at this pace until it is over.
    pub fn until(
        process: &Process,
        pace: Duration,
        is_over: &mut dyn FnMut() -> anyhow::Result<bool>,
    ) -> anyhow::Result<Self> {
        let mut all = Self::default();
        let mut examiner = Examiner::new();
        let (begun, cpu_before) = (Instant::now(), own_cpu_seconds());
        while !is_over()? {
            let since = Instant::now();
            let found = examiner.examine(process).state;
            let seconds = since.elapsed().as_secs_f64();
            if !process.is_alive() {
                // What is read of a process that is ending says nothing.
                continue;
            }
            all.count += 1;
            all.seconds.push(seconds);
            match found {
                Ok(state) => all.take(&state),
                Err(unknown) => all.not_known(unknown.to_string()),
            }
            let next = pace * u32::try_from(all.count).unwrap_or(u32::MAX);
            sleep(next.saturating_sub(begun.elapsed()));
        }
        all.median_seconds = median(&all.seconds);
        all.greatest_seconds = quantile(&all.seconds, 1.0);
        all.cpu_seconds = cpu_before.and_then(|before| Some(own_cpu_seconds()? - before));
        Ok(all)
    }

    fn take(&mut self, state: &HeapState) {
        let (Some(free), Some(returnable)) = (state.free_bytes, state.returnable_bytes) else {
            let mut arenas = state.arenas.iter();
            let reason = arenas.find_map(|arena| arena.unknown.clone());
            return self.not_known(reason.unwrap_or_default());
        };
        self.known += 1;
        if free > state.system_bytes || returnable > free {
            self.impossible += 1;
        }
    }

    fn not_known(&mut self, reason: String) {
        // Addresses differ from look to look; the reasons are few.
        let words = reason.split(' ').filter(|word| !word.starts_with("0x"));
        let reason = words.collect::<Vec<_>>().join(" ");
        *self.unknown.entry(reason).or_default() += 1;
    }
}

/// Processor time of this thread.
///
/// # References
///
/// `Documentation/scheduler/sched-stats.rst`: the first field of `schedstat`, in nanoseconds.
fn own_cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds: f64 = stat.split_ascii_whitespace().next()?.parse().ok()?;
    Some(nanoseconds * 1e-9)
}

#[cfg(test)]
mod tests {
    use super::Inspections;

    #[test]
    fn reasons_are_counted_without_their_addresses() {
        let mut looks = Inspections::default();
        for reason in ["a bin at 0x10 changed", "a bin at 0x20 changed", "gone"] {
            looks.not_known(reason.to_owned());
        }
        let counted: Vec<_> = looks.unknown.into_iter().collect();
        let wanted = [("a bin at changed".to_owned(), 2), ("gone".to_owned(), 1)];
        assert_eq!(counted, wanted);
    }
}
