//! Limits that a growth would pass, and those that are near.

use std::process::Command;

use heap_diagnosis::{Finding, Severity, process_findings};
use proc_memory::GLIBC_GROWTH_STEP_BYTES;

use super::harness::{MIB, Scene, scene_program};
use suite::installed;

/// A scene that has 20 MiB of heap, under a limit that `ulimit` sets: so many KiB more than what
/// counts towards it without the limit.
fn under(option: &str, used: impl Fn(&Scene) -> u64, more_kib: u64) -> Scene {
    let steps = "grow=0x1400000 touch";
    let free = used(&Scene::play(steps));
    let limit_kib = free / 1024 + more_kib;
    // The addresses are the same, so that page tables and alignment count the same.
    let script = format!("ulimit -S {option} {limit_kib}; exec \"$0\" {steps}");
    let mut command = Command::new("sh");
    Scene::play_by(command.args(["-c", &script]).arg(scene_program()))
}

fn data(scene: &Scene) -> u64 {
    counted(scene, "VmData:")
}

fn address_space(scene: &Scene) -> u64 {
    counted(scene, "VmSize:")
}

/// What counts towards a limit, also where there is none.
fn counted(scene: &Scene, name: &str) -> u64 {
    let status = format!("/proc/{}/status", scene.running.pid());
    let status = std::fs::read_to_string(status).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.unwrap().trim().strip_suffix(" kB").unwrap();
    kib.parse::<u64>().unwrap() * 1024
}

fn only(scene: &Scene) -> Finding {
    let mut findings = process_findings(&scene.state(), None, None);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings.remove(0)
}

#[test]
fn a_limit_that_is_nearly_reached_refuses_what_is_said() {
    for (option, name) in [("-d", "RLIMIT_DATA"), ("-v", "RLIMIT_AS")] {
        let used = |scene: &Scene| match name {
            "RLIMIT_DATA" => data(scene),
            _ => address_space(scene),
        };
        let mut scene = under(option, used, 100);
        let state = scene.state();
        assert!(state.limited && !state.blocked, "{state:?}");
        let finding = only(&scene);
        assert_eq!((&*finding.kind, finding.severity), ("break-limited", Severity::Critical));
        assert_eq!(finding.evidence["limit"], name);
        let left = finding.evidence["left_bytes"].as_u64().unwrap();
        assert!(left < GLIBC_GROWTH_STEP_BYTES);
        // To the page: the kernel grants that much, and not a page more.
        assert!(!scene.grants(left + 4096), "{name}");
        assert!(scene.grants(left), "{name}");
        assert!(!scene.grants(1), "{name}");
    }
}

#[test]
fn a_limit_is_near_before_it_is_reached() {
    let scene = under("-d", data, 1024);
    let finding = only(&scene);
    assert_eq!(finding.kind, "break-near-wall");
    assert_eq!(finding.evidence["wall"], "RLIMIT_DATA");
    let limit = finding.evidence["limit_bytes"].as_u64().unwrap();
    assert!((20 * MIB..25 * MIB).contains(&limit), "{limit}");

    let far = under("-d", data, 100 * 1024);
    assert_eq!(process_findings(&far.state(), None, None), []);
}

#[test]
fn a_data_limit_of_nothing_refuses_the_break_alone() {
    let script = "ulimit -S -d 0; exec \"$0\" malloc=1000";
    let mut command = Command::new("sh");
    let mut scene = Scene::play_by(command.args(["-c", script]).arg(scene_program()));
    let finding = only(&scene);
    assert_eq!((&*finding.kind, finding.severity), ("break-limited", Severity::Warning));
    assert_eq!(scene.state().segment_bytes, 0, "8 MB came by mmap");
    assert!(!scene.grants(1));
}

/// The kernel holds the data limit against the heap as such, too, whatever it may be used for.
#[test]
fn heap_that_became_read_only_counts_for_the_break() {
    let mut scene = Scene::play("grow=0x1400000 touch protect=2000");
    let state = scene.state();
    let data_bytes = data(&scene);
    assert!(data_bytes < state.segment_bytes, "{state:?}");
    let limit = format!("--data={}", state.segment_bytes + (64 << 10));
    let pid = scene.running.pid().to_string();
    if !installed("prlimit") {
        return;
    }
    let set = Command::new("prlimit").args(["--pid", &pid, &limit]).status();
    assert!(set.unwrap().success());
    let finding = only(&scene);
    assert_eq!((&*finding.kind, finding.severity), ("break-limited", Severity::Warning));
    let left = finding.evidence["left_bytes"].as_u64().unwrap();
    assert!(left < 64 << 10);
    assert!(!scene.grants(left + 4096));
    assert!(scene.grants(left));
}
