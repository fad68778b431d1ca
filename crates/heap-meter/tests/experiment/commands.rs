//! Experiments with commands that know nothing of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use heap_meter::environment::Environment;
use heap_meter::experiment::{
    Arm, Condition, Experiment, ExperimentError, Results, Run, StopFlag, metrics,
};
use memory_trace::{Stopped, Stream, Target};

const HELD_BYTES: u64 = 64 << 20;

/// A program that holds as many bytes, and ends as it is told.
fn held() -> std::path::PathBuf {
    let source = "../../memory-trace/tests/programs/held.c";
    crate::compiled(source, "experiment-held", &["-O1"])
}

/// A target whose behaviour depends on nothing around it.
fn target(program: impl Into<std::ffi::OsString>) -> Target {
    let target = Target::new(program).env("LC_ALL", "C");
    let variables = [
        "GLIBC_TUNABLES",
        "MALLOC_ARENA_MAX",
        "MALLOC_MMAP_THRESHOLD_",
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
    ];
    let target = variables.into_iter().fold(target, Target::env_remove);
    target.stdin(Stream::Null).stdout(Stream::Null)
}

fn shell(script: &str) -> Target {
    target("sh").args(["-c", script]).arg(held())
}

/// Two arms, the second with a condition.
fn experiment(control: Target, hole: Target, repeats: u32) -> Experiment {
    let arms = vec![Arm::new("control", control), Arm::new("hole", hole)];
    let mut experiment = Experiment::new("commands", arms, Environment::here());
    experiment.repeats = repeats;
    experiment.metrics = metrics::of_commands();
    experiment
}

fn run(
    experiment: &Experiment,
    condition: impl Fn(Stopped) -> Result<(), String> + Send + Sync + 'static,
) -> Result<Results, ExperimentError> {
    let condition: Condition = Arc::new(condition);
    let conditions = BTreeMap::from([("hole".to_owned(), condition)]);
    experiment.run_commands(&conditions, &StopFlag::new(), &mut |_| (), &mut |_| ())
}

/// The notes that an ordinary user's experiments don't all have.
fn notes(results: &Results) -> Vec<&str> {
    let notes = results.notes.iter().map(String::as_str);
    notes
        .filter(|note| nix::unistd::geteuid().is_root() || !note.contains("no_new_privs"))
        .collect()
}

fn run_of<'a>(results: &'a Results, arm: &str) -> &'a Run {
    &results.arm(arm).unwrap().runs[0]
}

#[test]
fn a_command_is_weighed_as_it_ends_and_its_calls_are_counted() {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let held = target(held()).arg("returns");
    let results = run(&experiment(held.clone(), held, 3), |_| {
        CALLS.fetch_add(1, Ordering::Relaxed);
        Ok(())
    })
    .unwrap();
    assert_eq!(CALLS.load(Ordering::Relaxed), 6, "3 runs in two halves");
    for run in results.arms.iter().flat_map(|arm| &arm.runs) {
        let [end] = run.checkpoints.as_slice() else {
            panic!("{run:?}");
        };
        assert_eq!(end.label, "end");
        let rss_bytes = end.snapshot.rss_bytes;
        assert!((HELD_BYTES..HELD_BYTES + (4 << 20)).contains(&rss_bytes));
        assert_eq!(run.facts["exit"], "code 5");
        assert_eq!(run.facts["processes"], "1");
        assert!(run.wall_seconds > 0.0 && run.weighing_seconds > 0.0);
        assert!(run.syscall("mmap").unwrap().calls > 0);
        assert!(run.fallback.is_some() && run.traced.unwrap().stops > 10);
    }
    assert_eq!(run_of(&results, "hole").facts["condition_made"], "1");
    assert!(!run_of(&results, "control").facts.contains_key("condition_made"));
    assert_eq!(notes(&results), [""; 0]);

    let names: Vec<_> = results.comparison.iter().map(|row| &*row.metric).collect();
    assert_eq!(
        names,
        [
            "wall_seconds",
            "peak_rss",
            "greatest_peak_rss",
            "rss_at_end",
            "brk_calls",
            "brk_to_grow",
            "brk_to_shrink",
            "brk_refused",
            "fallbacks",
            "fallback_bytes"
        ]
    );
    let peak = &results.comparison[1];
    assert!((0.95..1.05).contains(&peak.ratio.unwrap()), "{peak:?}");
}

#[test]
fn the_greatest_process_of_a_tree_is_found() {
    let script = "\"$0\" returns; \"$0\" exec; true";
    let results = run(&experiment(shell(script), shell(script), 1), |_| Ok(())).unwrap();
    let run = run_of(&results, "hole");
    let greatest: u64 = run.facts["greatest_peak_rss_bytes"].parse().unwrap();
    assert!((HELD_BYTES..HELD_BYTES + (4 << 20)).contains(&greatest));
    let shell = run.checkpoint("end").unwrap().snapshot;
    assert!(shell.peak_rss_bytes < HELD_BYTES / 4, "the launched one");
    assert_eq!(run.facts["processes"], "3");
    assert_eq!(run.facts["condition_made"], "4", "sh, held twice, true");
    assert_eq!(run.facts["exit"], "code 0");
}

#[test]
fn a_condition_that_is_made_nowhere_voids_the_run() {
    let sleep = target("true");
    let error = run(&experiment(sleep.clone(), sleep, 1), |_| Err("the moon is full".to_owned()))
        .unwrap_err();
    let ExperimentError::Void { arm, reason, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!((&**arm, &**reason), ("hole", "the moon is full"));
}

#[test]
fn a_condition_that_is_made_in_some_programs_is_noted() {
    let experiment = experiment(shell("cat /dev/null; true"), shell("cat /dev/null; true"), 1);
    let results = run(&experiment, |stopped| {
        let name = std::fs::read_to_string(format!("/proc/{}/comm", stopped.pid)).unwrap();
        match name.trim() {
            "cat" => Err("no cats".to_owned()),
            _ => Ok(()),
        }
    })
    .unwrap();
    let failed = "1 of 2 programs, the first: no cats";
    assert_eq!(run_of(&results, "hole").facts["condition_failed"], failed);
    let [note] = notes(&results)[..] else {
        panic!("{:?}", results.notes);
    };
    assert!(note.ends_with(&format!("hole: {failed}")), "{note}");
}

#[test]
fn different_ends_are_noted_and_count() {
    let experiment = experiment(shell("exit 1"), shell("kill -9 $$"), 2);
    let results = run(&experiment, |_| Ok(())).unwrap();
    let [note] = notes(&results)[..] else {
        panic!("{:?}", results.notes);
    };
    assert!(note.ends_with("control with code 1, hole with signal 9"), "{note}");
    assert_eq!(results.arm("hole").unwrap().runs.len(), 2);
}

#[test]
fn a_wish_to_stop_ends_the_command() {
    let stop = StopFlag::new();
    let sleeps = target("sleep").arg("300");
    let wish = stop.clone();
    let conditions = BTreeMap::new();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            wish.request();
        });
        let error = experiment(sleeps.clone(), sleeps, 1)
            .run_commands(&conditions, &stop, &mut |_| (), &mut |_| ())
            .unwrap_err();
        assert_eq!(error.to_string(), "interrupted after 0 of 2 runs");
    });
}
