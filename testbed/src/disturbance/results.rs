//! Looking into a process again and again: the raw results, as they are kept, what doesn't hold of them,
//! and the table.

use crate::campaign::Measurements;
use heap_meter::statistics::{RatioOfMedians, median, quantile};
use human_text::{Seconds, thousands};
use proc_memory::Process;
use ptmalloc::{Examiner, HeapState};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often the inspected runs together are looked into, at least.
pub const INSPECTIONS: u64 = 1000;

/// It may do so much less for each second of its processor time.
const LEAST_RATIO: f64 = 0.98;

const HEADING: &str = "\
malloc and free, 8 threads              alone   inspected   ratio    95 %
";

#[derive(Debug, Serialize, Deserialize)]
pub struct Disturbance {
    pub parameters: Value,
    /// Alone, and inspected.
    pub arms: [ChurnArm; 2],
    operations_per_cpu_second: ThroughputRatio,
    operations_per_wall_second: ThroughputRatio,
    faults: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct ChurnArm {
    name: String,
    pub runs: Vec<ChurnRun>,
}

/// What the program said, and what looking into it came to.
#[derive(Debug, Serialize, Deserialize)]
pub struct ChurnRun {
    /// Calls of malloc and free.
    pub operations: f64,
    /// Its own processor time, all threads together.
    pub cpu_seconds: f64,
    pub wall_seconds: f64,
    /// None if it ran alone.
    pub inspections: Option<Inspections>,
}

/// Inspected, over alone.
#[derive(Debug, Serialize, Deserialize)]
struct ThroughputRatio {
    ratio: Option<f64>,
    ratio_ci95: Option<[f64; 2]>,
}

impl ChurnRun {
    fn per_cpu_second(&self) -> f64 {
        self.operations / self.cpu_seconds
    }

    fn per_wall_second(&self) -> f64 {
        self.operations / self.wall_seconds
    }
}

impl ChurnArm {
    fn of(name: &str, runs: Vec<ChurnRun>) -> Self {
        let name = name.to_owned();
        Self { name, runs }
    }

    fn figures(&self, figure: fn(&ChurnRun) -> f64) -> Vec<f64> {
        self.runs.iter().map(figure).collect()
    }
}

impl Disturbance {
    pub fn of(parameters: Value, alone: Vec<ChurnRun>, inspected: Vec<ChurnRun>) -> Self {
        let alone = ChurnArm::of("alone", alone);
        let inspected = ChurnArm::of("inspected", inspected);
        let ratio = |figure| {
            let ratio = RatioOfMedians::of(&alone.figures(figure), &inspected.figures(figure));
            ThroughputRatio { ratio: ratio.ratio, ratio_ci95: ratio.interval.bounds() }
        };
        let mut disturbance = Self {
            parameters,
            operations_per_cpu_second: ratio(ChurnRun::per_cpu_second),
            operations_per_wall_second: ratio(ChurnRun::per_wall_second),
            arms: [alone, inspected],
            faults: Vec::new(),
        };
        disturbance.faults = disturbance.found_faults();
        disturbance
    }

    fn found_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        match self.operations_per_cpu_second.ratio {
            Some(ratio) if ratio >= LEAST_RATIO => {}
            Some(ratio) => faults.push(format!(
                "it did {ratio:.3} of what it does alone; {LEAST_RATIO} is the least"
            )),
            None => faults.push("it did nothing alone".to_owned()),
        }
        let count = self.sum(|of| of.count);
        if count < INSPECTIONS {
            faults.push(format!(
                "only {count} inspections of {INSPECTIONS}: give it more --cpu-seconds or --repeats"
            ));
        }
        let impossible = self.sum(|of| of.impossible);
        if impossible > 0 {
            faults.push(format!("{impossible} impossible figures"));
        }
        faults
    }

    fn inspections(&self) -> impl Iterator<Item = &Inspections> {
        let runs = self.arms[1].runs.iter();
        runs.filter_map(|run| run.inspections.as_ref())
    }

    fn sum(&self, of: fn(&Inspections) -> u64) -> u64 {
        self.inspections().map(of).sum()
    }

    fn row(
        &self,
        name: &str,
        figure: fn(&ChurnRun) -> f64,
        ThroughputRatio { ratio, ratio_ci95 }: &ThroughputRatio,
    ) -> String {
        let [alone, inspected] = self.arms.each_ref().map(|arm| {
            let middle = median(&arm.figures(figure));
            middle.map_or_else(String::new, |value| thousands(value as u64))
        });
        let ratio = ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.3}"));
        let interval = match ratio_ci95 {
            Some([low, high]) => format!("{low:.3}–{high:.3}"),
            None => "–".to_owned(),
        };
        format!("{name:<30} {alone:>14} {inspected:>11}   {ratio:<7}  {interval}\n")
    }
}

impl Measurements for Disturbance {
    const NAME: &'static str = "disturbance";

    /// Throughput alone and inspected, and what the looks came to.
    fn table(&self) -> String {
        let seconds: Vec<f64> =
            self.inspections().flat_map(|of| of.seconds.iter().copied()).collect();
        let count = self.sum(|of| of.count);
        let known = self.sum(|of| of.known);
        let mut text = HEADING.to_owned();
        text += &self.row(
            "in a second of processor time",
            ChurnRun::per_cpu_second,
            &self.operations_per_cpu_second,
        );
        text += &self.row(
            "in a second on the clock",
            ChurnRun::per_wall_second,
            &self.operations_per_wall_second,
        );
        text += &format!(
            "\n{} inspections in {} runs: {} told everything, {} did not\n",
            thousands(count),
            self.arms[1].runs.len(),
            thousands(known),
            thousands(count - known),
        );
        if let (Some(middle), Some(most)) = (median(&seconds), quantile(&seconds, 1.0)) {
            let (middle, most) = (Seconds(middle), Seconds(most));
            text += &format!("one took {middle} (median), {most} at most\n");
        }
        let cpu_seconds = self.inspections().map(|of| of.cpu_seconds);
        if let (Some(cpu_seconds), 1..) = (cpu_seconds.sum::<Option<f64>>(), count) {
            let (mean, all) = (Seconds(cpu_seconds / count as f64), Seconds(cpu_seconds));
            text += &format!(
                "and {mean} of processor time (mean), {all} for all; the rest of it is waiting\n"
            );
        }
        text
    }

    fn verdict(&self) -> Option<String> {
        (!self.faults.is_empty()).then(|| self.faults.join("; "))
    }

    fn other_files(&self) -> Vec<(&'static str, String)> {
        vec![("txt", self.table())]
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Inspections {
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
/// `Documentation/scheduler/sched-stats.rst`: the first field of `schedstat`, in nanoseconds.
fn own_cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds: f64 = stat.split_ascii_whitespace().next()?.parse().ok()?;
    Some(nanoseconds * 1e-9)
}

#[cfg(test)]
mod tests {
    use super::{ChurnRun, Disturbance, INSPECTIONS, Inspections};
    use serde_json::Value;

    fn run(operations: f64, looks: Option<u64>) -> ChurnRun {
        ChurnRun {
            operations,
            cpu_seconds: 1.0,
            wall_seconds: 1.0,
            inspections: looks.map(|count| Inspections { count, ..Inspections::default() }),
        }
    }

    fn faults(operations: f64, looks: u64) -> usize {
        let (alone, inspected) = (run(100.0, None), run(operations, Some(looks)));
        let results = Disturbance::of(Value::Null, vec![alone], vec![inspected]);
        results.faults.len()
    }

    #[test]
    fn two_percent_less_are_allowed_and_a_thousand_looks_wanted() {
        assert_eq!(faults(98.0, INSPECTIONS), 0);
        assert_eq!(faults(97.9, INSPECTIONS), 1);
        assert_eq!(faults(98.0, INSPECTIONS - 1), 1);
    }

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
