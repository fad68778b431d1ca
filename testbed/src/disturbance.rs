//! What being looked into costs a process: a program whose threads do nothing but malloc and free
//! runs alone and while its malloc is read from outside, by turns; it is read a thousand times.
//!
//! Its threads keep every processor busy, so whoever looks takes processor time that they would
//! have had. That is the price of running beside them, whatever one does; what the looking itself
//! disturbs shows in the operations for each second of the program's own processor time. Both are
//! told.

mod flags;
mod inspected;
mod raw;
mod run;
mod table;

use crate::repository::{self, output};
use anyhow::Context;
pub use flags::Flags;
use heap_meter::environment::Environment;
use heap_meter::statistics::RatioOfMedians;
use inspected::Looks;
use run::Run;
use std::fs;

/// How it is run.
const COMMAND: &str = "cargo testbed disturbance";

/// How often the inspected runs together are looked into, at least.
const INSPECTIONS: u64 = 1000;

/// The program's threads.
const THREADS: u32 = 8;

/// It may do so much less for each second of its processor time.
const LEAST_RATIO: f64 = 0.98;

/// The runs so far, and how they relate.
#[derive(Debug, Default)]
struct Results {
    alone: Vec<Run>,
    inspected: Vec<Run>,
}

impl Results {
    fn ratio(&self, of: fn(&Run) -> f64) -> RatioOfMedians {
        let values = |runs: &[Run]| runs.iter().map(of).collect::<Vec<_>>();
        RatioOfMedians::of(&values(&self.alone), &values(&self.inspected))
    }

    /// What doesn't hold.
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        match self.ratio(Run::per_cpu_second).ratio {
            Some(ratio) if ratio >= LEAST_RATIO => {}
            Some(ratio) => faults.push(format!(
                "it did {ratio:.3} of what it does alone; {LEAST_RATIO} is the least"
            )),
            None => faults.push("it did nothing alone".to_owned()),
        }
        let looks = || self.inspected.iter().filter_map(|run| run.looks.as_ref());
        let count: u64 = looks().map(Looks::count).sum();
        if count < INSPECTIONS {
            faults.push(format!(
                "only {count} inspections of {INSPECTIONS}: give it more --cpu-seconds or --repeats"
            ));
        }
        let impossible: u64 = looks().map(|looks| looks.impossible).sum();
        if impossible > 0 {
            faults.push(format!("{impossible} impossible figures"));
        }
        faults
    }
}

/// Runs the program by turns and prints the table. Do it on a machine that does nothing else.
///
/// # Errors
///
/// When the program can't be built or fails, it is disturbed by more than it may
/// be, or it couldn't be looked into often enough.
pub fn run(flags: &Flags) -> anyhow::Result<()> {
    anyhow::ensure!(
        !cfg!(debug_assertions),
        "the look is to take as long as it takes users: {COMMAND}"
    );
    let place = tempfile::tempdir().context("can't make a directory for the program")?;
    let program = place.path().join("churn");
    let source = repository::root().join("testbed/programs/churn.c");
    let gcc = ["-O2", "-Wall", "-Wextra", "-pthread", "-o"];
    let (built, source) = (program.display().to_string(), source.display().to_string());
    output("gcc", [&gcc[..], &[&built, &source]].concat())?;

    let environment = Environment::here();
    let mut results = Results::default();
    for repeat in 0..flags.repeats {
        eprintln!("{} of {}", repeat + 1, flags.repeats);
        // The order turns, so that a machine that grows warmer meets both alike.
        for is_inspected in [repeat % 2 == 1, repeat % 2 == 0] {
            let done = Run::of(&program, flags, &environment, is_inspected)?;
            match is_inspected {
                true => results.inspected.push(done),
                false => results.alone.push(done),
            }
        }
    }
    let table = table::of(&results);
    if let Some(out) = &flags.out {
        let directory = repository::root().join(out);
        fs::create_dir_all(&directory)?;
        fs::write(directory.join("disturbance.txt"), &table)?;
        let json = raw::of(&results, flags, &environment)?;
        fs::write(directory.join("disturbance.json"), json)?;
    }
    print!("{table}");
    let faults = results.faults();
    anyhow::ensure!(faults.is_empty(), "{}", faults.join("; "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{INSPECTIONS, Looks, Results, Run};

    fn run(operations: f64, looks: Option<u64>) -> Run {
        let looks = looks.map(|count| Looks {
            seconds: vec![0.001; count as usize],
            ..Looks::default()
        });
        Run {
            operations,
            cpu_seconds: 1.0,
            wall_seconds: 1.0,
            looks,
        }
    }

    fn faults(operations: f64, looks: u64) -> usize {
        let results = Results {
            alone: vec![run(100.0, None)],
            inspected: vec![run(operations, Some(looks))],
        };
        results.faults().len()
    }

    #[test]
    fn two_percent_less_are_allowed_and_a_thousand_looks_wanted() {
        assert_eq!(faults(98.0, INSPECTIONS), 0);
        assert_eq!(faults(97.9, INSPECTIONS), 1);
        assert_eq!(faults(98.0, INSPECTIONS - 1), 1);
    }
}
