//! Breaks that can't grow, or that glibc gave up on: who is to blame is said.

use std::process::Command;

use heap_diagnosis::{Finding, Severity};
use proc_memory::GLIBC_GROWTH_STEP_BYTES;

use super::harness::{MIB, Scene, about_the_break, scene_program, scene_with};
use suite::skipped;

/// 12,500 blocks of 8 KB: 100 MB.
const MUCH: &str = "malloc=12500";

fn only(findings: &[Finding], kind: &str) -> Finding {
    assert_eq!(about_the_break(findings), [kind], "{findings:#?}");
    let found = findings.iter().find(|finding| finding.kind == kind);
    found.unwrap().clone()
}

#[test]
fn a_page_at_the_break_is_found() {
    let scene = Scene::play("malloc=1 hole=0");
    let finding = only(&scene.running.findings(), "break-blocked");
    assert_eq!(finding.severity, Severity::Warning, "nothing fell back yet");
    assert_eq!(finding.evidence["non_contiguous"], false);
    assert_eq!(finding.evidence["lone_page_at_the_break"], true);
    assert_eq!(finding.evidence["room_bytes"], 0);

    let scene = Scene::play(&format!("malloc=1 hole=0 {MUCH}"));
    let finding = only(&scene.running.findings(), "break-blocked");
    assert_eq!(finding.severity, Severity::Critical);
    assert_eq!(finding.evidence["non_contiguous"], true);
    let elsewhere = finding.evidence["elsewhere_bytes"].as_u64().unwrap();
    assert!((95 * MIB..120 * MIB).contains(&elsewhere), "{elsewhere}");
}

#[test]
fn a_page_some_way_above_is_a_wall_to_come() {
    let scene = Scene::play("malloc=100 hole=0xa00000");
    let finding = only(&scene.running.findings(), "break-near-wall");
    assert_eq!(finding.evidence["wall"], "mapping");
    assert_eq!(finding.evidence["room_bytes"], 10 * MIB);
    // Of a hundred MiB a small heap may take its time.
    let scene = Scene::play("malloc=100 hole=0x6400000");
    assert_eq!(about_the_break(&scene.running.findings()), [""; 0]);
}

/// glibc remembers that it once gave up, though it asks for the break again each time.
#[test]
fn a_break_that_was_blocked_once_is_told_from_one_that_is() {
    let scene = Scene::play(&format!("malloc=1 hole=0 {MUCH} mend"));
    let state = scene.state();
    assert!(!state.blocked && state.tunable.is_none(), "{state:?}");
    let finding = only(&scene.running.findings(), "break-abandoned");
    assert_eq!(finding.severity, Severity::Warning);
    assert!(finding.evidence["cause"].is_null());
    let elsewhere = finding.evidence["elsewhere_bytes"].as_u64().unwrap();
    assert!((95 * MIB..120 * MIB).contains(&elsewhere), "{elsewhere}");
}

#[test]
fn what_is_freed_in_a_blocked_heap_is_told_of() {
    let scene = Scene::play(&format!("hole=0 {MUCH} free=50"));
    let findings = scene.running.findings();
    only(&findings, "break-blocked");
    let kept = findings
        .iter()
        .find(|finding| finding.kind == "memory-returnable")
        .expect("98 of 100 MB are free");
    let returnable = kept.evidence["returnable_bytes"].as_u64().unwrap();
    assert!((70 * MIB..100 * MIB).contains(&returnable), "{returnable}");
}

/// Where the kernel puts the break of a program that was started through the dynamic loader depends
/// on its version: what is said has to be what it then grants.
#[test]
fn through_the_dynamic_loader_what_is_said_is_what_the_kernel_grants() {
    let Some(loader) = dynamic_loader() else {
        return;
    };
    for personality in [&[][..], &["setarch", "-R"], &["setarch", "-L"]] {
        let words: Vec<_> = personality.iter().copied().chain([&*loader]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(scene_program());
        let mut scene = Scene::play_by(&mut command);
        let state = scene.state();
        assert_eq!(state.start, scene.own_break, "nothing has grown yet");
        let granted = scene.grants(GLIBC_GROWTH_STEP_BYTES);
        assert_eq!(granted, !state.blocked, "{words:?}: {state:?}");
    }
}

/// The loader's break has the room that the program leaves it: this one is linked to lie 64 KiB
/// above the place that the kernel gives it.
#[test]
fn through_the_dynamic_loader_the_program_itself_may_be_in_the_way() {
    let Some(loader) = dynamic_loader() else {
        return;
    };
    let through_loader = |program| {
        let mut command = Command::new("setarch");
        command.args(["-R", &*loader]).arg(program);
        command
    };
    let start = Scene::play_by(&mut through_loader(scene_program())).state().start;
    let base = start.next_multiple_of(0x1_0000) + 0x1_0000;
    let arguments = ["-O1", "-fPIE", "-pie", &format!("-Wl,-Ttext-segment={base:#x}")];
    let program = scene_with(&format!("break-scene-at-{base:x}"), &arguments);
    let mut command = through_loader(program.clone());
    let scene = Scene::play_by(command.arg("malloc=12500"));
    let state = scene.state();
    if state.start != start {
        skipped("the kernel gave the loader another break when the program lay near it");
        return;
    }
    assert!(state.blocked, "{state:?}");
    let blocker = state.blocker.as_ref().unwrap();
    assert_eq!(blocker.path().unwrap(), program.canonicalize().unwrap());
    let finding = only(&scene.running.findings(), "break-blocked");
    assert_eq!(finding.evidence["non_contiguous"], true);
    assert_eq!(finding.evidence["lone_page_at_the_break"], false);
    assert!(!finding.remedy.unwrap().contains("GC64"));
}

fn dynamic_loader() -> Option<String> {
    let found = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"]
        .into_iter()
        .find(|path| std::path::Path::new(path).exists());
    if found.is_none() {
        skipped("no dynamic loader of glibc's is where it usually is");
    }
    found.map(str::to_owned)
}

#[test]
fn a_tunable_that_keeps_malloc_off_the_break_is_named() {
    let mut command = Command::new(scene_program());
    command.arg(MUCH).env("GLIBC_TUNABLES", "glibc.malloc.hugetlb=2");
    let scene = Scene::play_by(&mut command);
    let state = scene.state();
    assert_eq!(state.tunable.as_deref(), Some("glibc.malloc.hugetlb=2"));
    if state.segment_bytes > 0 {
        skipped("this glibc doesn't know the tunable, or the kernel has no huge pages");
        return;
    }
    let finding = only(&scene.running.findings(), "break-abandoned");
    assert_eq!(finding.severity, Severity::Info);
    assert_eq!(finding.evidence["cause"], "tunable");
    assert!(finding.message.contains("glibc.malloc.hugetlb=2"));

    // With 1 malloc stays at the break.
    let mut command = Command::new(scene_program());
    command.arg(MUCH).env("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");
    let scene = Scene::play_by(&mut command);
    assert_eq!(about_the_break(&scene.running.findings()), [""; 0]);
}
