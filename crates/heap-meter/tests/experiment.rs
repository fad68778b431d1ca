//! Experiments on real processes: this test binary again, told by its environment what to do.

use suite as _;

#[path = "experiment/commands.rs"]
mod commands;

use heap_meter::environment::Environment;
use heap_meter::experiment::{
    Arm, Checkpoints, Experiment, ExperimentError, Metric, Results, RunError, StopFlag, Unit,
    observe_untraced,
};
use memory_trace::{Stream, Target};
use std::time::{Duration, Instant};

suite::compiling!();

const ROLE: &str = "HEAP_METER_TEST_ROLE";

/// The other side of an experiment.
#[test]
#[ignore = "a role, played by other tests"]
fn child() {
    let role = std::env::var(ROLE).expect("started by another test");
    let checkpoints = Checkpoints::from_environment();
    assert!(checkpoints.is_watched());
    match role.as_str() {
        "grows" => {
            checkpoints.reach("small").unwrap();
            let block = vec![1_u8; 32 << 20];
            checkpoints.progress(1, 2).unwrap();
            std::thread::sleep(Duration::from_millis(50));
            checkpoints.tell("grown", format_args!("{}", block.len())).unwrap();
            checkpoints.reach("large").unwrap();
        }
        "forks" => {
            checkpoints.reach("small").unwrap();
            goes_on_in_a_fork(|| {
                let block = vec![1_u8; 32 << 20];
                checkpoints.tell("goes_on_in", format_args!("{}", std::process::id())).unwrap();
                checkpoints.reach("large").unwrap();
                drop(block);
            });
            checkpoints.tell("began_in", format_args!("{}", std::process::id())).unwrap();
            checkpoints.reach("small again").unwrap();
        }
        "void" => checkpoints.void(format_args!("the moon is full")).unwrap(),
        "sleeps" => {
            checkpoints.reach("asleep").unwrap();
            std::thread::sleep(Duration::from_secs(600));
        }
        "fails" => std::process::exit(3),
        other => panic!("{other}"),
    }
}

/// Forks, does the work there, and waits for its end.
fn goes_on_in_a_fork(work: impl FnOnce()) {
    // SAFETY: glibc makes malloc usable in the child, and the work takes no other lock.
    match unsafe { libc::fork() } {
        0 => {
            work();
            // SAFETY: ends the process at once; the harness's threads are not in it.
            unsafe { libc::_exit(0) }
        }
        child => {
            let mut status = -1;
            // SAFETY: `status` is a c_int to write to.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            assert_eq!(status, 0);
        }
    }
}

fn target(role: &str) -> Target {
    Target::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env(ROLE, role)
        .stdout(Stream::Null)
}

fn experiment(roles: &[(&str, &str)], repeats: u32) -> Experiment {
    let arms = roles.iter().map(|(name, role)| Arm::new(*name, target(role)));
    let mut experiment = Experiment::new("test", arms.collect(), Environment::here());
    experiment.repeats = repeats;
    experiment.metrics = vec![Metric::new("rss", "memory", Unit::Bytes, |run| {
        Some(run.checkpoint("large")?.snapshot.rss_bytes as f64)
    })];
    experiment
}

fn run(experiment: &Experiment) -> Result<Results, ExperimentError> {
    experiment.run(&StopFlag::new(), &mut |_| (), &mut |_| ())
}

#[test]
fn a_child_is_weighed_at_its_checkpoints_and_timed_between_them() {
    let mut seen = Vec::new();
    let weighed = observe_untraced(&target("grows"), &StopFlag::new(), &mut |done, total| {
        seen.push((done, total));
    })
    .unwrap();
    let [small, large] = weighed.run.checkpoints.as_slice() else {
        panic!("{:?}", weighed.run.checkpoints);
    };
    assert_eq!((small.label.as_str(), large.label.as_str()), ("small", "large"));
    let grown = large.snapshot.rss_bytes - small.snapshot.rss_bytes;
    assert!((32 << 20..33 << 20).contains(&grown), "{grown}");
    // What is slept is a lower bound on any machine; the sum of the parts is exact.
    assert!(weighed.run.wall_seconds >= 0.05);
    assert_eq!(weighed.run.wall_seconds, large.worked_seconds);
    assert!(weighed.run.weighing_seconds > 0.0);
    assert_eq!(weighed.run.facts["grown"], (32 << 20).to_string());
    assert_eq!(seen, [(1, 2)]);
}

#[test]
fn the_process_that_reaches_a_checkpoint_is_weighed_there_though_another_was_started() {
    let weighed = observe_untraced(&target("forks"), &StopFlag::new(), &mut |_, _| ()).unwrap();
    let rss = |label: &str| {
        let mut all = weighed.run.checkpoints.iter();
        all.find(|at| at.label == label).unwrap().snapshot.rss_bytes
    };
    assert!(rss("large") >= 32 << 20);
    assert!(rss("small") < 32 << 20);
    assert!(rss("small again") < 32 << 20);
    assert_ne!(weighed.run.facts["goes_on_in"], weighed.run.facts["began_in"]);
}

#[test]
fn every_arm_is_run_and_results_come_after_every_run() {
    let experiment = experiment(&[("control", "grows"), ("same", "grows")], 3);
    let mut counts = Vec::new();
    let mut processes = Vec::new();
    let results = experiment
        .run(
            &StopFlag::new(),
            &mut |progress| processes.push((progress.processes_done, progress.processes)),
            &mut |results| {
                counts.push(results.arms.iter().map(|arm| arm.runs.len()).sum::<usize>());
            },
        )
        .unwrap();
    assert_eq!(counts, [1, 2, 3, 4, 5, 6]);
    assert!(processes.is_sorted());
    assert_eq!(processes.last().unwrap().1, 12);
    let ratio = results.comparison[0].ratio.unwrap();
    assert!((0.9..1.1).contains(&ratio), "{ratio}");
    for run in results.arms.iter().flat_map(|arm| &arm.runs) {
        assert!(run.syscall("mmap").unwrap().calls > 0);
        assert!(run.traced.unwrap().stops > 0);
    }
}

#[test]
fn a_run_that_does_not_count_is_tried_again_and_then_given_up() {
    let error = run(&experiment(&[("control", "grows"), ("hole", "void")], 1)).unwrap_err();
    let ExperimentError::Void { arm, attempts, reason } = &error else {
        panic!("{error}");
    };
    assert_eq!((arm.as_str(), reason.as_str()), ("hole", "the moon is full"));
    assert!(*attempts > 1);
}

#[test]
fn a_program_that_fails_is_named_with_its_status() {
    let error = run(&experiment(&[("control", "fails")], 1)).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("control: "), "{text}");
    assert!(text.contains("ended with status 3"), "{text}");
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let target = Target::new("/nonexistent/program");
    let error = observe_untraced(&target, &StopFlag::new(), &mut |_, _| ()).unwrap_err();
    assert!(matches!(error, RunError::Start { .. }), "{error}");
    assert!(error.to_string().contains("/nonexistent/program"), "{error}");
}

#[test]
fn a_wish_to_stop_ends_the_run_and_its_process() {
    let stop = StopFlag::new();
    let started = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(500));
            stop.request();
        });
        let error = experiment(&[("control", "sleeps")], 2)
            .run(&stop, &mut |_| (), &mut |_| ())
            .unwrap_err();
        assert_eq!(error.to_string(), "interrupted after 0 of 2 runs");
    });
    assert!(started.elapsed() < Duration::from_secs(300), "the sleep was waited for");
}

#[test]
fn a_program_without_checkpoints_is_timed_from_start_to_end() {
    let target = Target::new("sleep").arg("0.05");
    let weighed = observe_untraced(&target, &StopFlag::new(), &mut |_, _| ()).unwrap();
    assert!(weighed.run.checkpoints.is_empty());
    assert!(weighed.run.wall_seconds >= 0.05, "{}", weighed.run.wall_seconds);
}

#[test]
fn results_come_back_from_their_json() {
    let results = run(&experiment(&[("control", "grows"), ("same", "grows")], 1)).unwrap();
    let json = heap_meter::report::json(&results).unwrap();
    let back: Results = serde_json::from_str(&json).unwrap();
    assert_eq!(heap_meter::report::json(&back).unwrap(), json);
    assert_eq!(
        heap_meter::report::experiment_table(&back),
        heap_meter::report::experiment_table(&results)
    );
}
