//! Queries and the list give one answer, and it is the one that the process itself gives.

use std::fs;
use std::process::Command;

use proc_memory::{AddressSpace, BreakState, FoundBy, Process, Reason, page_size_bytes};

use super::harness::{MIB, Running, Scene, has_queries, same_answer, scene_program};
use suite::skipped;

/// A scene whose break must be found where the process sees it.
fn played(steps: &str) -> (Scene, BreakState) {
    let scene = Scene::play(steps);
    let state = scene.state();
    let page = page_size_bytes();
    assert_eq!(state.end, scene.own_break.next_multiple_of(page), "{steps}");
    (scene, state)
}

#[test]
fn a_heap_that_never_grew_is_empty() {
    let (_scene, state) = played("");
    assert_eq!((state.segment_bytes, state.used, state.blocked), (0, Some(false), false));
}

#[test]
fn a_heap_is_used_once_it_is_touched() {
    let (_scene, state) = played("grow=100000");
    assert_eq!(state.segment_bytes, 102_400);
    assert_eq!(state.used, Some(false));
    // Only the last of 16,384 pages.
    let (_scene, state) = played("grow=0x4000000 touch");
    assert_eq!((state.segment_bytes, state.used), (64 * MIB, Some(true)));
}

#[test]
fn the_kernel_grants_what_is_said_to_be_growable() {
    let page = page_size_bytes();
    for steps in [
        "hole=0",
        "grow=100000 hole=0",
        "grow=4096 hole=0x1000",
        "grow=4096 hole=0x22000",
        "grow=4096 named=0x5000",
        "grow=4096 file=0x5000",
        "grow=12345 hole=0x100000",
    ] {
        let (mut scene, state) = played(steps);
        let growable = state.growable_bytes.unwrap();
        let to_the_page = state.end - scene.own_break;
        assert!(!scene.grants(to_the_page + growable + page), "{steps}");
        assert!(scene.grants(to_the_page + growable), "{steps}");
        assert!(!scene.grants(1), "{steps}");
        scene.state();
    }
}

#[test]
fn a_blocker_has_its_name() {
    let name = |steps| {
        let (_scene, state) = played(steps);
        String::from_utf8(state.blocker.unwrap().name.into_vec()).unwrap()
    };
    assert_eq!(name("grow=4096 hole=0"), "");
    assert_eq!(name("grow=4096 file=0"), "/memfd:two\\012lines");
    // Only with CONFIG_ANON_VMA_NAME.
    let named = name("grow=4096 named=0");
    assert!(["", "[anon:a wall]"].contains(&&*named), "{named:?}");
}

#[test]
fn a_heap_in_pieces_is_one_heap() {
    for steps in [
        "grow=0x100000 cut=7",
        "grow=0x100000 over=7",
        "grow=0x100000 protect=7",
        "grow=0x100000 over=9 protect=7",
        "grow=0x100000 over=9 cut=3 hole=0",
        "grow=0x100000 over=9 file=0",
        "grow=0x100000 over=9 cut=3 file=0x1000 files=100",
    ] {
        let (_scene, state) = played(steps);
        assert_eq!(state.segment_bytes, MIB, "{steps}");
    }
}

/// What isn't writable is not counted as heap; in both ways.
#[test]
fn a_heap_whose_end_is_read_only_is_taken_for_a_shorter_one() {
    let scene = Scene::play("grow=0x100000 readonly=3");
    let state = scene.state();
    assert_eq!(state.segment_bytes, MIB - 3 * page_size_bytes());
    assert!(state.blocked);
}

#[test]
fn many_mappings_and_many_pieces() {
    let limit = fs::read_to_string("/proc/sys/vm/max_map_count").unwrap();
    if limit.trim().parse::<u64>().unwrap() < 61_000 {
        skipped(format_args!("a process may have only {} mappings", limit.trim()));
        return;
    }
    for (steps, found_by, heap_mib) in [
        ("grow=0x100000 many=60000", FoundBy::ProcmapQuery, 1),
        ("grow=0x100000 over=1 many=60000", FoundBy::ProcmapQuery, 1),
        // A file tells nothing of where the heap ends, and here are 60,000 in a row; but none that
        // may be written to.
        ("grow=0x100000 over=1 files=60000", FoundBy::ProcmapQuery, 1),
        ("grow=0x100000 cut=3 many=30000 files=30000", FoundBy::ProcmapQuery, 1),
        ("grow=0x10000000 shred=30000 many=1000", FoundBy::Maps, 256),
    ] {
        let (_scene, state) = played(steps);
        assert_eq!(state.segment_bytes, heap_mib * MIB, "{steps}");
        if has_queries() {
            assert_eq!(state.found_by, found_by, "{steps}");
        }
    }
}

#[test]
fn every_process_of_the_machine() {
    let mut seen = 0;
    for entry in fs::read_dir("/proc").unwrap() {
        let name = entry.unwrap().file_name();
        let Ok(pid) = name.to_string_lossy().parse() else {
            continue;
        };
        let Ok(process) = Process::open(pid) else {
            continue;
        };
        // A process that works meanwhile has other mappings from one reading to the next.
        let agrees = (0..20).any(|_| {
            let state = BreakState::of(&process);
            let space = AddressSpace::of_process(&process);
            let again = BreakState::of(&process);
            match (state, space, again) {
                (Ok(state), Ok(space), Ok(again)) => {
                    let still = state.end == again.end && state.blocker == again.blocker;
                    if still {
                        same_answer(&state, &space);
                        seen += 1;
                    }
                    still
                }
                // Both refuse, or it ended in between.
                (Err(_), Err(_), _) => true,
                _ => !process.is_alive(),
            }
        });
        if !agrees {
            eprintln!("process {pid} changed each time");
        }
    }
    assert!(seen >= 1, "not even this process could be read");
}

/// A program that replaces itself all the time: what is found belongs to one of them.
#[test]
fn a_process_that_execs_is_never_seen_half() {
    let program = scene_program();
    let words = ["grow", "touch", "again"];
    let running = Running::start(Command::new(program).args(words).env_clear());
    let process = running.process();
    let mut found = 0;
    for _ in 0..300 {
        match BreakState::of(&process) {
            Ok(state) => {
                found += 1;
                assert!(state.end >= state.start && !state.blocked, "{state:?}");
                assert!(state.segment_bytes <= 4096, "{state:?}");
            }
            Err(error) => assert!(matches!(error.reason, Reason::KeepsChanging), "{error}"),
        }
    }
    assert!(found > 0, "it was never seen between two execs");
}

#[test]
fn those_without_memory_say_what_they_are() {
    // Number 2 starts all kernel threads; in a container it may be anything.
    if let Ok(process) = Process::open(2)
        && fs::read_to_string("/proc/2/comm").is_ok_and(|name| name.trim() == "kthreadd")
    {
        let error = BreakState::of(&process).unwrap_err();
        assert!(matches!(error.reason, Reason::KernelThread | Reason::Denied { .. }), "{error}");
    }
    let scene = Scene::play("");
    let process = scene.running.process();
    drop(scene);
    let error = BreakState::of(&process).unwrap_err();
    assert!(matches!(error.reason, Reason::Ended), "{error}");
}

#[test]
fn a_process_of_another_user_is_refused() {
    const NOBODY: libc::uid_t = 65_534;
    if !nix::unistd::geteuid().is_root() {
        skipped("only root can start a process and then be somebody else");
        return;
    }
    let scene = Scene::play("grow touch");
    let process = scene.running.process();
    // The raw call changes this thread alone, and the thread ends with the test.
    let error = std::thread::spawn(move || {
        let keep = libc::uid_t::MAX;
        // SAFETY: setresuid(2) takes three numbers; the raw call leaves other threads as they are.
        let result = unsafe { libc::syscall(libc::SYS_setresuid, keep, NOBODY, keep) };
        assert_eq!(result, 0);
        BreakState::of(&process).unwrap_err()
    })
    .join()
    .unwrap();
    assert!(matches!(error.reason, Reason::Denied { .. }), "{error}");
}
