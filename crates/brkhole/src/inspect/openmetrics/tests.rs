//! Sums, bounds and escapes; what Prometheus's own programs say of the text is in `tests/fleet.rs`.

use heap_diagnosis::{Finding, Severity};
use memory_account::Account;
use proc_memory::{BreakState, Process};
use ptmalloc::{Allocator, Examiner, HeapState, Mmapped, Unknown};

use super::super::inspected::{Inspected, MemoryWeight, Survey, UnreadProcess, Why};
use super::*;

const MIB: u64 = 1 << 20;

/// Whichever; the metrics go by the findings.
fn own_break() -> BreakState {
    let own = Process::open(std::process::id() as i32);
    BreakState::of(&own.unwrap()).unwrap()
}

fn process(comm: &str, returnable_bytes: Option<u64>) -> Inspected {
    let mut malloc = HeapState::default();
    malloc.system_bytes = 8 * MIB;
    malloc.mmapped = Some(Mmapped::new(2, MIB));
    malloc.free_bytes = returnable_bytes.map(|bytes| bytes + 1);
    malloc.returnable_bytes = returnable_bytes;
    Inspected {
        pid: 1,
        comm: comm.to_owned(),
        libc: None,
        allocator: Some("glibc 2.36".to_owned()),
        other_allocators: Vec::new(),
        heap: own_break(),
        weight: MemoryWeight {
            rss_bytes: 10 * MIB,
            rss_exact: false,
            pss_bytes: None,
            private_bytes: None,
            swap_bytes: None,
            anon_huge_bytes: None,
            hugetlb_bytes: None,
            peak_rss_bytes: None,
            address_space_bytes: None,
            threads: 1,
        },
        malloc: Some(malloc),
        malloc_unknown: None,
        account: None,
        account_unknown: None,
        since: None,
        started_ticks: 0,
        malloc_unknown_class: None,
        is_glibcs: true,
        trim_refused: None,
        findings: Vec::new(),
    }
}

fn survey(processes: Vec<Inspected>) -> Survey {
    Survey { processes, unread: Vec::new(), seconds: 0.25 }
}

/// The sample that begins so.
fn value<'text>(text: &'text str, series: &str) -> Option<&'text str> {
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
}

#[test]
fn processes_of_one_name_are_summed_and_the_small_ones_put_together() {
    let mut blocked = process("fat", Some(3 * MIB));
    blocked.findings = ["break-blocked", "something-new"]
        .map(|kind| Finding::new(kind, Severity::Warning, "…"))
        .into();
    if let Some(state) = &mut blocked.malloc {
        state.non_contiguous = true;
    }
    let mut does_not_use_it = process("fat", Some(4 * MIB));
    does_not_use_it.findings = vec![Finding::new("break-blocked", Severity::Info, "…")];
    let found = survey(vec![
        process("small", Some(1)),
        blocked,
        does_not_use_it,
        process("smaller", Some(0)),
        process("fat", None),
    ]);
    let text = of(&found, 1).end();
    for (series, expected) in [
        (r#"brkhole_processes{comm="fat"}"#, 3),
        (r#"brkhole_resident_memory_bytes{comm="fat"}"#, 30 * MIB),
        // Of the third the sums aren't known, and its system bytes don't spoil the others' ratio.
        (r#"brkhole_malloc_known_processes{comm="fat"}"#, 2),
        (r#"brkhole_malloc_system_bytes{comm="fat"}"#, 16 * MIB),
        (r#"brkhole_malloc_free_bytes{comm="fat"}"#, 7 * MIB + 2),
        (r#"brkhole_malloc_returnable_bytes{comm="fat"}"#, 7 * MIB),
        (r#"brkhole_break_blocked_processes{comm="fat"}"#, 1),
        (r#"brkhole_break_abandoned_processes{comm="fat"}"#, 1),
        (r#"brkhole_break_limited_processes{comm="fat"}"#, 0),
        (r#"brkhole_processes{comm="(all other commands)"}"#, 2),
        (r#"brkhole_malloc_returnable_bytes{comm="(all other commands)"}"#, 1),
        ("brkhole_commands", 3),
        (r#"brkhole_malloc_unknown_processes{reason="arena"}"#, 1),
    ] {
        assert_eq!(value(&text, series), Some(expected.to_string().as_str()), "{text}");
    }
    assert_eq!(value(&text, r#"brkhole_processes{comm="small"}"#), None);
    assert_eq!(value(&text, "brkhole_inspect_duration_seconds"), Some("0.250000"));
}

/// Of those alone that have an account, and with a series only for what there is.
#[test]
fn the_account_of_the_largest_by_owner() {
    let own = Process::open(std::process::id() as i32).unwrap();
    let account = Account::of(&own, &Examiner::new().examine(&own)).unwrap();
    let accounted = |comm| Inspected { account: Some(account.clone()), ..process(comm, None) };
    let found = survey(vec![accounted("fat"), accounted("fat"), process("fat", None)]);
    let text = of(&found, 5).end();
    let of_owner = |metric: &str, kind: Kind| {
        let owner = kind.name();
        let series = format!("{metric}{{comm=\"fat\",owner=\"{owner}\"}}");
        value(&text, &series).map(|bytes| bytes.parse::<u64>().unwrap())
    };
    let resident = |kind| of_owner("brkhole_account_resident_bytes", kind);
    let sum: u64 = Kind::ALL.into_iter().filter_map(resident).sum();
    assert_eq!(sum, 2 * account.rss_bytes());
    assert_eq!(resident(Kind::File), Some(2 * account.of_kind(Kind::File)));
    assert_eq!(of_owner("brkhole_account_returnable_bytes", Kind::File), None);
    assert_eq!(value(&text, "brkhole_accounted_processes"), Some("2"));
}

#[test]
fn each_series_is_there_once() {
    // Two names that were not UTF-8 read the same after replacement.
    let names = ["a", "a", "\u{fffd}", "\u{fffd}", "", "(all other command"];
    let found = survey(names.map(|name| process(name, Some(0))).into());
    for top in [0, 1, 3, 100] {
        let text = of(&found, top).end();
        let series = text.lines().filter(|line| !line.starts_with('#'));
        let mut series: Vec<_> = series.map(|line| line.rsplit_once(' ').unwrap().0).collect();
        let all = series.len();
        series.sort_unstable();
        series.dedup();
        assert_eq!(series.len(), all, "{text}");
    }
}

#[test]
fn a_name_may_hold_anything() {
    let text = of(&survey(vec![process("a\"b\\c\nd\te{}", None)]), 5).end();
    let expected = "brkhole_processes{comm=\"a\\\"b\\\\c\\nd\te{}\"} 1\n";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn reasons() {
    let unknown =
        |class| Inspected { malloc: None, malloc_unknown_class: Some(class), ..process("a", None) };
    let mut found = survey(vec![
        unknown(Unknown::NotFound),
        unknown(Unknown::Process("pid 1 …".to_owned())),
        unknown(Unknown::Other(Allocator::Jemalloc)),
        unknown(Unknown::Other(Allocator::Go)),
        process("one arena isn't known", None),
        process("known", Some(0)),
    ]);
    for (pid, why) in [(7, Why::Denied), (8, Why::Denied), (9, Why::KernelThread)] {
        found.unread.push(UnreadProcess { pid, why, told: String::new() });
    }
    let text = of(&found, 5).end();
    for (metric, reason, expected) in [
        ("malloc_unknown", "arena", "1"),
        ("malloc_unknown", "other", "1"),
        ("malloc_unknown", "other-allocator", "2"),
        ("malloc_unknown", "unreadable", "1"),
        ("malloc_unknown", "form", "0"),
        ("unreadable", "denied", "2"),
        ("unreadable", "kernel-thread", "1"),
        ("unreadable", "zombie", "0"),
    ] {
        let series = format!("brkhole_{metric}_processes{{reason=\"{reason}\"}}");
        assert_eq!(value(&text, &series), Some(expected), "{text}");
    }
}

#[test]
fn nothing_found_is_still_a_whole_text() {
    let text = of(&Survey::default(), 20).end();
    assert_eq!(value(&text, r#"brkhole_processes{comm="(all other commands)"}"#), Some("0"));
    assert!(text.ends_with("\n# EOF\n"));
}
