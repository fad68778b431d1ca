//! What a source tells beside the calls: the memory that was there before, and what stood in the
//! way of a refused break.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::mpsc;

use memory_event::{Event, Refusal, Syscall, What};
use memory_trace::LaunchOptions;

use super::harness::{compiled, target, watch};

/// Private writable memory, read from a list of mappings by other code than the library's.
fn private_writable(maps: &str) -> Vec<Range<u64>> {
    let mut memory: Vec<Range<u64>> = Vec::new();
    for line in maps.lines().filter(|line| !line.ends_with("[stack]")) {
        let (range, rest) = line.split_once(' ').unwrap();
        if &rest[1..2] != "w" || &rest[3..4] != "p" {
            continue;
        }
        let (start, end) = range.split_once('-').unwrap();
        let [start, end] = [start, end].map(|text| u64::from_str_radix(text, 16).unwrap());
        match memory.last_mut() {
            Some(last) if last.end == start => last.end = end,
            _ => memory.push(start..end),
        }
    }
    memory
}

#[test]
fn memory_is_what_proc_shows_at_every_start() {
    let (sender, lists) = mpsc::channel();
    let launch = LaunchOptions::new()
        .at_exec(move |stopped| {
            let maps = std::fs::read_to_string(format!("/proc/{}/maps", stopped.pid));
            sender.send((stopped.pid, maps.unwrap())).unwrap();
        })
        .start(&target("sh").args(["-c", "cat /dev/null; exec ls /"]), Vec::new())
        .unwrap();
    let events = launch.wait().unwrap().sink;
    let memory: Vec<_> = events
        .windows(2)
        .filter_map(|pair| match &pair[1].what {
            What::Memory(memory) => {
                assert!(matches!(pair[0].what, What::Started | What::Exec { .. }));
                Some((pair[1].pid, memory.ranges.clone()))
            }
            _ => None,
        })
        .collect();
    let wanted: Vec<_> = lists.iter().map(|(pid, maps)| (pid, private_writable(&maps))).collect();
    assert_eq!(wanted.len(), 3);
    assert_eq!(memory, wanted);
    assert!(memory.iter().all(|(_, memory)| !memory.is_empty()));
}

/// The refusals by process, after each the number of refused breaks that was told before it.
fn refusals(events: &[Event]) -> BTreeMap<i32, Vec<(usize, Refusal)>> {
    let mut refused = BTreeMap::<i32, usize>::new();
    let mut found = BTreeMap::<_, Vec<_>>::new();
    for event in events {
        match &event.what {
            What::Call(call) if call.syscall == Syscall::Brk && call.failed() => {
                *refused.entry(event.pid).or_default() += 1;
            }
            What::Refused(refusal) => {
                let entry = found.entry(event.pid).or_default();
                entry.push((refused[&event.pid], (**refusal).clone()));
            }
            _ => {}
        }
    }
    found
}

#[test]
fn a_page_at_the_break_is_named_once_a_process() {
    let program = compiled("refused");
    let events = watch(&target(program).args(["hole", "fork"]), Vec::new()).sink;
    let found = refusals(&events);
    assert_eq!(found.len(), 2, "the program and its child");
    for refusals in found.values() {
        let [(1, refusal)] = refusals.as_slice() else {
            panic!("told after the first refusal and never again: {refusals:?}");
        };
        let heap = refusal.program_break.as_ref().unwrap();
        assert!(heap.blocked && heap.room_bytes == Some(0), "{heap:?}");
        let blocker = heap.blocker.as_ref().unwrap();
        assert_eq!(blocker.length_bytes(), 4096);
        assert_eq!(blocker.permissions.to_string(), "r--p");
        assert_eq!(refusal.data_limit_bytes, None);
    }
}

#[test]
fn another_program_in_the_same_process_is_told_of_anew() {
    let script = "\"$0\" hole; exec \"$0\" hole";
    let target = target("sh").args(["-c", script]).arg(compiled("refused"));
    let events = watch(&target, Vec::new()).sink;
    assert_eq!(refusals(&events).values().map(Vec::len).sum::<usize>(), 2);
}

#[test]
fn a_limit_is_named_and_a_free_break_has_none() {
    let script = "ulimit -d 2048; exec \"$0\" free";
    let limited = target("sh").args(["-c", script]).arg(compiled("refused"));
    let found = refusals(&watch(&limited, Vec::new()).sink);
    let found: Vec<_> = found.values().flatten().collect();
    let [(1, refusal)] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(refusal.data_limit_bytes, Some(2 << 20));
    assert!((1..2 << 20).contains(&refusal.data_bytes), "{refusal:?}");
    assert!(!refusal.program_break.as_ref().unwrap().blocked);

    let free = watch(&target(compiled("refused")), Vec::new()).sink;
    assert!(refusals(&free).is_empty());
}
