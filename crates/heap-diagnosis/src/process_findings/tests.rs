use super::*;
use crate::finding::Severity;
use proc_memory::{AddressSpace, FoundBy, Limit, Limits};
use ptmalloc::{Arena, Free, PinningChunks};

const MIB: u64 = 1 << 20;

/// The break in a list of mappings.
fn state(maps: &str) -> BreakState {
    let space = AddressSpace::parse(maps.as_bytes(), None).unwrap();
    let found = space.program_break().unwrap().clone();
    let mut state = BreakState::new(42, found, Limits::default(), FoundBy::Maps);
    state.used = Some(true);
    state
}

fn roomy() -> BreakState {
    state(
        "02691000-026b2000 rw-p 00000000 00:00 0    [heap]\n\
         7f0000000000-7f0000001000 r--p 00000000 fe:00 8    /lib/y\n",
    )
}

fn holed() -> BreakState {
    state(
        "02691000-026b2000 rw-p 00000000 00:00 0    [heap]\n\
         026b2000-026b3000 r--p 00000000 00:00 0\n",
    )
}

fn with_data_limit(limit_bytes: u64, left_bytes: u64) -> BreakState {
    let mut state = roomy();
    let mut limit = Limit::new(limit_bytes, limit_bytes.saturating_sub(left_bytes));
    limit.left_bytes = left_bytes;
    state.limits.data = Some(limit);
    state.limited = state.refusing_limit().is_some();
    state
}

/// A main arena of this size, of which so much could be returned.
fn malloc(non_contiguous: bool, system_bytes: u64, returnable_bytes: u64) -> HeapState {
    let mut state = HeapState::default();
    (state.non_contiguous, state.system_bytes) = (non_contiguous, system_bytes);
    state.free_bytes = Some(returnable_bytes);
    state.returnable_bytes = Some(returnable_bytes);
    state.arenas = vec![arena(true, system_bytes, returnable_bytes)];
    state
}

fn arena(main: bool, system_bytes: u64, returnable_bytes: u64) -> Arena {
    let mut free = Free::default();
    free.returnable_bytes = returnable_bytes;
    let mut arena = Arena::default();
    (arena.address, arena.main) = (0x7f00_0000_0000, main);
    (arena.system_bytes, arena.free) = (system_bytes, Some(free));
    arena
}

/// Kinds and severities.
fn found(state: &BreakState, malloc: Option<&HeapState>) -> Vec<(String, Severity)> {
    process_findings(state, malloc, None)
        .into_iter()
        .map(|finding| (finding.kind, finding.severity))
        .collect()
}

fn one(state: &BreakState, malloc: Option<&HeapState>) -> Finding {
    let mut all = process_findings(state, malloc, None);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn kind(name: &str, severity: Severity) -> Vec<(String, Severity)> {
    vec![(name.to_owned(), severity)]
}

#[test]
fn nothing_is_said_of_an_ordinary_process() {
    assert_eq!(found(&roomy(), None), []);
    assert_eq!(found(&roomy(), Some(&malloc(false, 132 << 10, 4096))), []);
}

#[test]
fn a_blocked_break_matters_the_more_the_more_lies_elsewhere() {
    let of = |malloc: Option<&HeapState>| found(&holed(), malloc);
    let blocked = |severity| kind("break-blocked", severity);
    assert_eq!(of(None), blocked(Severity::Warning));
    let not_yet = malloc(false, 132 << 10, 0);
    assert_eq!(of(Some(&not_yet)), blocked(Severity::Warning));
    let a_little = malloc(true, 2 * MIB, 0);
    assert_eq!(of(Some(&a_little)), blocked(Severity::Warning));
    let much = malloc(true, 200 * MIB, 0);
    assert_eq!(of(Some(&much)), blocked(Severity::Critical));
    let mut unused = holed();
    unused.used = Some(false);
    assert_eq!(found(&unused, None), blocked(Severity::Info));
    unused.used = None;
    assert_eq!(found(&unused, None), blocked(Severity::Warning), "unknown");
}

#[test]
fn who_blocks_is_said_with_figures() {
    let finding = one(&holed(), Some(&malloc(true, 200 * MIB, 0)));
    let evidence = |name: &str| &finding.evidence[name];
    assert_eq!(evidence("blocker")["start"], "0x26b2000");
    assert_eq!(evidence("blocker")["perms"], "r--p");
    assert_eq!(evidence("room_bytes"), 0);
    assert_eq!(evidence("lone_page_at_the_break"), true);
    assert_eq!(evidence("elsewhere_bytes"), 200 * MIB - 0x21000);
    let remedy = finding.remedy.unwrap();
    assert!(remedy.contains("GC64") && remedy.contains("brkhole trim 42"), "{remedy}");

    // A file in the way was hardly put there for that.
    let file = state(
        "02691000-026b2000 rw-p 00000000 00:00 0    [heap]\n\
         026b3000-026b4000 r--p 00000000 fe:00 9    /lib/z\n",
    );
    let finding = one(&file, None);
    assert_eq!(finding.evidence["lone_page_at_the_break"], false);
    assert!(
        finding.message.contains("/lib/z") && finding.message.contains("4.00 KiB above"),
        "{}",
        finding.message
    );
    assert!(!finding.remedy.unwrap().contains("GC64"));
}

#[test]
fn memory_below_two_gib_was_asked_for() {
    let low = |name: &str, inode| {
        let maps = format!(
            "02691000-026b2000 rw-p 00000000 00:00 0    [heap]\n\
             026c0000-027c0000 rw-p 00000000 00:00 {inode}    {name}\n"
        );
        one(&state(&maps), None).remedy.unwrap()
    };
    assert!(low("", 0).contains("below 2 GiB"));
    // The text of a program that the dynamic loader was told to start lies where it was linked to.
    assert!(!low("/bin/x", 7).contains("below 2 GiB"));
}

#[test]
fn a_limit_is_critical_unless_it_holds_for_the_break_alone() {
    let limited = one(&with_data_limit(100 * MIB, 64 << 10), None);
    assert_eq!((&*limited.kind, limited.severity), ("break-limited", Severity::Critical));
    assert_eq!(limited.evidence["limit"], "RLIMIT_DATA");
    assert_eq!(limited.evidence["left_bytes"], 64 << 10);
    assert!(limited.remedy.unwrap().contains("prlimit --pid 42 --data="));

    let zero = one(&with_data_limit(0, 0), None);
    assert_eq!(zero.severity, Severity::Warning);
}

#[test]
fn the_last_tenth_of_a_limit_is_near() {
    let of = |left| found(&with_data_limit(100 * MIB, left), None);
    assert_eq!(of(10 * MIB), []);
    assert_eq!(of(10 * MIB - 4096), kind("break-near-wall", Severity::Warning));
}

#[test]
fn a_wall_is_near_when_the_heap_cannot_double() {
    let heap_and_room = |heap_mib: u64, room_mib: u64| {
        let (start, page) = (0x1000_0000, 4096);
        let end = start + heap_mib * MIB;
        let wall = end + room_mib * MIB + page;
        state(&format!(
            "{start:x}-{end:x} rw-p 00000000 00:00 0    [heap]\n\
             {wall:x}-{:x} r--p 00000000 fe:00 8    /lib/y\n",
            wall + page
        ))
    };
    let near = kind("break-near-wall", Severity::Warning);
    assert_eq!(found(&heap_and_room(1, 63), None), near);
    assert_eq!(found(&heap_and_room(1, 64), None), []);
    assert_eq!(found(&heap_and_room(500, 499), None), near);
    assert_eq!(found(&heap_and_room(500, 500), None), []);
    // Who doesn't use the break doesn't come near anything.
    let mut unused = heap_and_room(1, 1);
    unused.used = Some(false);
    assert_eq!(found(&unused, None), []);
}

#[test]
fn a_break_is_abandoned_for_a_reason_if_one_is_seen() {
    let gave_up = malloc(true, 10 * MIB, 0);
    let unexplained = one(&roomy(), Some(&gave_up));
    assert_eq!((&*unexplained.kind, unexplained.severity), ("break-abandoned", Severity::Warning));
    assert!(unexplained.evidence["cause"].is_null());

    let mut tuned = roomy();
    tuned.tunable = Some("glibc.malloc.hugetlb=2".to_owned());
    let explained = one(&tuned, Some(&gave_up));
    assert_eq!(explained.severity, Severity::Info);
    assert_eq!(explained.evidence["cause"], "tunable");
    assert!(explained.message.contains("glibc.malloc.hugetlb=2"));

    // A tunable that malloc has not acted on explains nothing.
    assert_eq!(found(&tuned, Some(&malloc(false, 0, 0))), []);
    // What blocks now is the reason, and told as such.
    assert_eq!(one(&holed(), Some(&gave_up)).kind, "break-blocked");

    let limited = process_findings(&with_data_limit(100 * MIB, 0), Some(&gave_up), None);
    let kinds: Vec<_> = limited.iter().map(|finding| &*finding.kind).collect();
    assert_eq!(kinds, ["break-limited", "break-abandoned"]);
    assert_eq!(limited[1].evidence["cause"], "limit");
}

#[test]
fn much_and_a_tenth_is_worth_returning() {
    let of = |system, returnable| found(&roomy(), Some(&malloc(false, system, returnable)));
    let worth = kind("memory-returnable", Severity::Warning);
    assert_eq!(of(20 * MIB, 16 * MIB), worth);
    assert_eq!(of(20 * MIB, 16 * MIB - 4096), []);
    assert_eq!(of(1000 * MIB, 100 * MIB), worth);
    assert_eq!(of(1000 * MIB, 100 * MIB - 4096), []);

    let mut unknown = malloc(false, 100 * MIB, 0);
    unknown.returnable_bytes = None;
    assert_eq!(found(&roomy(), Some(&unknown)), []);
}

#[test]
fn fewer_arenas_are_proposed_where_they_hold_it() {
    let mut threads = malloc(false, 100 * MIB, 80 * MIB);
    let remedy = |malloc: &HeapState| one(&roomy(), Some(malloc)).remedy.unwrap();
    assert!(!remedy(&threads).contains("MALLOC_ARENA_MAX"));
    threads.arenas = vec![arena(true, 20 * MIB, 0)];
    threads.arenas.extend(vec![arena(false, 20 * MIB, 20 * MIB); 4]);
    assert!(remedy(&threads).contains("MALLOC_ARENA_MAX"));
}

#[test]
fn the_most_pressing_comes_first() {
    let much = malloc(true, 200 * MIB, 100 * MIB);
    let kinds: Vec<_> = found(&with_data_limit(300 * MIB, 0), Some(&much));
    let severities: Vec<_> = kinds.iter().map(|(_, severity)| *severity).collect();
    assert!(severities.is_sorted_by(|a, b| a >= b), "{kinds:?}");
    assert_eq!(kinds.len(), 3);
}

#[test]
fn free_memory_that_free_has_kept_is_told_by_where_it_lies() {
    for (top, told) in [
        (64 * MIB, "It lies at the heap's end"),
        (MIB, "63.0 MiB of what is free lie between chunks in use, in 764 pieces"),
    ] {
        let mut malloc = malloc(false, 100 * MIB, 64 * MIB);
        let free = malloc.arenas[0].free.as_mut().unwrap();
        (free.top_bytes, free.chunks) = (top, 764);
        let finding = one(&roomy(), Some(&malloc));
        assert!(finding.message.contains(told), "{finding}");
    }
}

/// An account of one owner beside a library.
fn account(kind: &str, owner: &str, mib: u64) -> Account {
    account_of(&[(kind, owner, mib), ("file", "libraries", 10)])
}

fn account_of(rows: &[(&str, &str, u64)]) -> Account {
    let row = |kind: &str, owner: &str, bytes: u64| {
        serde_json::json!({
            "kind": kind, "owner": owner, "evidence": "", "pieces": 1, "rss_bytes": bytes,
            "private_bytes": bytes, "swap_bytes": 0, "free_bytes": null, "returnable_bytes": null,
        })
    };
    let rows: Vec<_> = rows.iter().map(|(kind, owner, mib)| row(kind, owner, mib * MIB)).collect();
    serde_json::from_value(rows.into()).unwrap()
}

#[test]
fn what_nobody_is_known_to_own_is_one_sum() {
    let pieces = [("unknown", "unknown, at 0x7f00", 40), ("unknown", "unknown, small pieces", 30)];
    let rows = [&pieces[..], &[("file", "libraries", 50)]].concat();
    let found = process_findings(&roomy(), None, Some(&account_of(&rows)));
    let [finding] = &found[..] else { panic!("{found:?}") };
    assert!(finding.message.contains("70.0 MiB of 120 MiB"), "{finding}");
    assert_eq!(finding.evidence["owner_bytes"], 70 * MIB);
    // Of the largest known owner nothing is said that isn't so of half of it.
    let rows = [&pieces[..], &[("file", "libraries", 71)]].concat();
    let found = process_findings(&roomy(), None, Some(&account_of(&rows)));
    assert!(found[0].message.contains("71.0 MiB of 141 MiB"), "{}", found[0]);
    let likely = account("unknown", "unknown, likely jemalloc's", 91);
    let found = process_findings(&roomy(), None, Some(&likely));
    assert!(found[0].message.contains("is likely jemalloc's"), "{}", found[0]);
}

#[test]
fn what_another_allocator_would_give_back_is_as_pressing_as_glibcs() {
    let found = |returnable_mib: u64| {
        let mut account = account("allocator", "jemalloc", 100);
        account.rows[0].returnable_bytes = Some(returnable_mib * MIB);
        process_findings(&roomy(), None, Some(&account)).remove(0)
    };
    let finding = found(60);
    assert_eq!((&*finding.kind, finding.severity), ("memory-returnable", Severity::Warning));
    assert!(finding.message.starts_with("jemalloc keeps 60.0 MiB"), "{finding}");
    assert!(finding.message.contains("60 % of the 100 MiB"), "{finding}");
    assert!(finding.remedy.unwrap().contains("brkhole trim 42"));
    assert_eq!(found(15).kind, "memory-held");
}

#[test]
fn a_limit_refuses_what_free_memory_does_not_fulfil() {
    let of = |free_mib| {
        let malloc = malloc(false, 90 * MIB, free_mib * MIB);
        process_findings(&with_data_limit(100 * MIB, 0), Some(&malloc), None).remove(0).message
    };
    assert!(
        of(80).ends_with(
            "allocations fail once they don't fit into the 80.0 MiB that malloc has free."
        )
    );
    assert!(of(0).ends_with("allocations fail."), "{}", of(0));
}

#[test]
fn whoever_has_most_of_it_is_named() {
    let held = |malloc: Option<&HeapState>, account: &Account| {
        let found = process_findings(&roomy(), malloc, Some(account));
        found.into_iter().map(|finding| (finding.kind.clone(), finding.to_string())).collect()
    };
    let blocks = account("malloc-block", "glibc's mmapped blocks", 91);
    let found: Vec<(String, String)> = held(None, &blocks);
    let [(kind, told)] = &found[..] else { panic!("{found:?}") };
    assert_eq!(kind, "memory-held");
    for words in ["91.0 MiB of 101 MiB", "glibc's mmapped blocks", "trace --pid 42"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    // Nobody, or of a small process.
    assert_eq!(held(None, &account("runtime", "Python", 9)), []);
    assert_eq!(held(None, &account("runtime", "Python", 50)), []);
    // What could be given back comes first.
    let keeps = malloc(false, 100 * MIB, 90 * MIB);
    let found = held(Some(&keeps), &blocks);
    assert_eq!(found.iter().map(|(kind, _)| &**kind).collect::<Vec<_>>(), ["memory-returnable"]);
}

#[test]
fn what_is_pinned_is_what_a_restart_gives_back_beyond_a_trim() {
    let mut state = malloc(false, 200 * MIB, 0);
    state.pinned_bytes = Some(40 * MIB);
    let found = process_findings(&roomy(), Some(&state), None);
    let [finding] = &found[..] else { panic!("{found:?}") };
    assert_eq!((&*finding.kind, finding.severity), ("memory-pinned", Severity::Info));
    assert!(finding.to_string().contains("malloc keeps 40.0 MiB"), "{finding}");
    assert!(!finding.message.contains("at least"), "nobody looked: {finding}");
    let mut chunks = PinningChunks::default();
    (chunks.count, chunks.by_size[0].count, chunks.by_size[0].below_bytes) = (1200, 1200, Some(48));
    let runs = &mut state.arenas[0].free.as_mut().unwrap().runs;
    (runs.mixed_pages, runs.pinning) = (1000, Some(chunks));
    let found = process_findings(&roomy(), Some(&state), None);
    let told = "1,000 pages with chunks in use (0 B of them are; at least 1,200 chunks, half of those \
                smaller than 48 B). A restart";
    assert!(found[0].message.contains(told), "{}", found[0]);
    // Other reasons are named where there are any.
    state.arenas.push(arena(false, MIB, 0));
    let one = |state: &HeapState| process_findings(&roomy(), Some(state), None).remove(0);
    assert!(one(&state).message.contains("or are the top of a thread's arena"));
    let locked = |state: &mut HeapState, mib: u64| {
        state.arenas[0].free.as_mut().unwrap().locked_bytes = mib * MIB;
    };
    locked(&mut state, 3);
    let some = one(&state);
    assert!(some.message.contains("3.00 MiB of them are locked into memory (mlock)"), "{some}");
    assert!(some.remedy.unwrap().contains("trace --pid"));
    locked(&mut state, 39);
    assert!(one(&state).remedy.unwrap().contains("MCL_FUTURE"));
    state.arenas[0].free.as_mut().unwrap().huge_bytes = 37 * MIB;
    let huge = one(&state);
    assert!(huge.message.contains("37.0 MiB of them are pages of hugetlbfs"), "{huge}");
    assert!(huge.remedy.unwrap().contains("glibc.malloc.hugetlb=2"));
    state.pinned_bytes = Some(10 * MIB);
    assert_eq!(process_findings(&roomy(), Some(&state), None), []);
}
