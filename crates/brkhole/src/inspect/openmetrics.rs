//! A survey for node_exporter's textfile collector.
//!
//! That collector reads Prometheus's text format (0.0.4). OpenMetrics (1.0) wants a closing `# EOF`,
//! which the older format takes for a comment, and otherwise differs in nothing that a gauge needs:
//! the text is both.
//!
//! How many series there are is bounded by `top`, whatever runs on the host: the command names with
//! most to return stand on their own, and [`OTHERS`] is the sum of the rest.

mod exposition;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use heap_diagnosis::Severity;
use memory_account::{Kind, Row};
use ptmalloc::{HeapState, Unknown};

use super::inspected::{Inspected, Survey, Why};
pub(crate) use exposition::Exposition;

/// Label of the sum of all commands that don't stand on their own. A command name has 15 bytes at
/// most, so none is this.
const OTHERS: &str = "(all other commands)";

/// What a process adds to a gauge of its command.
type Figure = fn(&Inspected) -> u64;

/// Gauges with a series for each command name.
const BY_COMMAND: [(&str, &str, Figure); 13] = [
    ("brkhole_processes", "Processes that were looked into.", |_| 1),
    (
        "brkhole_resident_memory_bytes",
        "Their resident memory; pages that several share count in each.",
        |process| process.weight.rss_bytes,
    ),
    (
        "brkhole_malloc_known_processes",
        "Those of them whose glibc malloc could be read, which the malloc gauges are sums of.",
        |process| known(process, |_| Some(1)),
    ),
    ("brkhole_malloc_system_bytes", "What malloc's arenas have from the kernel.", |process| {
        known(process, |state| Some(state.system_bytes))
    }),
    (
        "brkhole_malloc_mmapped_blocks",
        "Blocks of malloc's that each have a mapping of their own, outside its arenas.",
        |process| known(process, |state| Some(state.mmapped?.count)),
    ),
    ("brkhole_malloc_mmapped_bytes", "What these have from the kernel.", |process| {
        known(process, |state| Some(state.mmapped?.bytes))
    }),
    ("brkhole_malloc_free_bytes", "What is free in malloc's arenas, resident or not.", |process| {
        known(process, |state| state.free_bytes)
    }),
    (
        "brkhole_malloc_returnable_bytes",
        "Resident pages in free memory: what malloc_trim(0) would give back.",
        returnable_bytes,
    ),
    (
        "brkhole_break_blocked_processes",
        "Processes that use the break and have a mapping there, which keeps it from growing.",
        |process| suffers(process, "break-blocked"),
    ),
    (
        "brkhole_break_limited_processes",
        "Processes whose break a limit (RLIMIT_DATA, RLIMIT_AS) keeps from growing.",
        |process| suffers(process, "break-limited"),
    ),
    (
        "brkhole_break_near_wall_processes",
        "Processes whose break has little room left below a mapping or a limit.",
        |process| suffers(process, "break-near-wall"),
    ),
    (
        "brkhole_break_abandoned_processes",
        "Processes whose glibc malloc has given up on the break and maps memory elsewhere.",
        // That finding is left out where another one tells the cause.
        |process| {
            let malloc = process.malloc.as_ref();
            malloc.is_some_and(|state| state.non_contiguous).into()
        },
    ),
    (
        "brkhole_old_configuration_processes",
        "Processes that hold the memory of a configuration from before a reload.",
        |process| suffers(process, "old-configuration-held"),
    ),
];

/// What a row of a process's account adds to a gauge of its command and the row's kind of owner.
type RowFigure = fn(&Row) -> Option<u64>;

/// Gauges with a series for each command and kind of owner of which there are both.
const BY_OWNER: [(&str, &str, RowFigure); 3] = [
    (
        "brkhole_account_resident_bytes",
        "Resident memory of the largest processes, by whose it is.",
        |row| Some(row.rss_bytes),
    ),
    (
        "brkhole_account_free_bytes",
        "What of it its owner doesn't use, where that is known.",
        |row| row.free_bytes,
    ),
    (
        "brkhole_account_returnable_bytes",
        "What of it its owner would give back if asked, where that is known.",
        |row| row.returnable_bytes,
    ),
];

/// A figure of malloc's state, if that is known in full.
fn known(process: &Inspected, figure: fn(&HeapState) -> Option<u64>) -> u64 {
    let malloc = process.malloc.as_ref();
    let malloc = malloc.filter(|state| is_known_in_full(state));
    malloc.and_then(figure).unwrap_or(0)
}

fn is_known_in_full(state: &HeapState) -> bool {
    state.free_bytes.is_some() && state.returnable_bytes.is_some()
}

fn returnable_bytes(process: &Inspected) -> u64 {
    known(process, |state| state.returnable_bytes)
}

/// Whether there is a finding of this kind that costs something: a blocked break that nothing uses
/// is told to who asks for the process, and is nobody's alert.
fn suffers(process: &Inspected, kind: &str) -> u64 {
    let mut findings = process.findings.iter();
    let does = findings.any(|finding| finding.kind == kind && finding.severity > Severity::Info);
    does.into()
}

/// The survey as metrics, the `top` command names on their own.
pub(crate) fn of(found: &Survey, top: usize) -> Exposition {
    let mut by_name = BTreeMap::<&str, Vec<&Inspected>>::new();
    for process in &found.processes {
        by_name.entry(&process.comm).or_default().push(process);
    }
    let sum = |processes: &[&Inspected], figure: Figure| -> u64 {
        processes.iter().map(|process| figure(process)).sum()
    };
    let mut commands: Vec<_> = by_name.into_iter().collect();
    // Where nothing can be returned the biggest come first, so that a command whose malloc isn't
    // known is seen too. The sort is stable: equals stay in the order of their names, and the same
    // ones are chosen every time.
    commands.sort_by_cached_key(|(_, of_it)| {
        let resident = sum(of_it, |process| process.weight.rss_bytes);
        Reverse((sum(of_it, returnable_bytes), resident))
    });
    let names = commands.len();
    let others = commands.drain(top.min(names)..);
    let others: Vec<_> = others.flat_map(|(_, of_it)| of_it).collect();
    commands.push((OTHERS, others));

    let mut text = Exposition::default();
    for (name, help, figure) in BY_COMMAND {
        let mut gauge = text.gauge(name, help);
        for (comm, of_it) in &commands {
            gauge.sample(&[("comm", comm)], sum(of_it, figure));
        }
    }

    for (name, help, figure) in BY_OWNER {
        let mut gauge = text.gauge(name, help);
        for (comm, of_it) in &commands {
            let accounts = || of_it.iter().filter_map(|process| process.account.as_ref());
            for kind in Kind::ALL {
                let rows = accounts().flat_map(|account| &account.rows);
                let figures = rows.filter(|row| row.kind == kind).filter_map(figure);
                let sum = figures.reduce(u64::saturating_add);
                if let Some(sum) = sum {
                    gauge.sample(&[("comm", comm), ("owner", kind.name())], sum);
                }
            }
        }
    }
    let accounted = found.processes.iter().filter(|process| process.account.is_some()).count();
    text.gauge(
        "brkhole_accounted_processes",
        "Those largest, which the account's gauges are sums of.",
    )
    .sample(&[], accounted);

    text.gauge(
        "brkhole_commands",
        "Command names found, those included that have no series of their own.",
    )
    .sample(&[], names);

    let mut gauge = text.gauge(
        "brkhole_malloc_unknown_processes",
        "Processes whose malloc could not be read in full, by reason.",
    );
    let reasons: Vec<_> = found.processes.iter().filter_map(unknown).collect();
    for name in UNKNOWN {
        let processes = reasons.iter().filter(|reason| **reason == name).count();
        gauge.sample(&[("reason", name)], processes);
    }

    let mut gauge = text.gauge(
        "brkhole_unreadable_processes",
        "Processes that could not be looked into, by reason.",
    );
    for why in Why::ALL {
        gauge.sample(&[("reason", why.name())], found.unread_for(why));
    }

    text.gauge("brkhole_inspect_duration_seconds", "How long it took to look into them all.")
        .sample(&[], format_args!("{:.6}", found.seconds));
    // A clock before 1970 is as stale as can be.
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    text.gauge(
        "brkhole_inspect_timestamp_seconds",
        "When this was written, in seconds since 1970.",
    )
    .sample(&[], format_args!("{:.3}", now.unwrap_or_default().as_secs_f64()));
    text.gauge("brkhole_build_info", "Always 1; the label tells which version wrote this.")
        .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    text
}

/// Why malloc isn't known, in few enough words for a label.
const UNKNOWN: [&str; 13] = [
    "32-bit",
    "arena",
    "architecture",
    "at-work",
    "costly",
    "exec",
    "form",
    "mmapped",
    "not-used",
    "other",
    "other-allocator",
    "several",
    "unreadable",
];

/// Why this process's isn't known in full; `None` if it is.
fn unknown(process: &Inspected) -> Option<&'static str> {
    if let Some(state) = &process.malloc {
        // Its other arenas are known, the sum isn't.
        return match state.mmapped {
            _ if !is_known_in_full(state) => Some("arena"),
            None => Some("mmapped"),
            Some(_) => None,
        };
    }
    Some(match &process.malloc_unknown_class {
        Some(Unknown::Other(_)) => "other-allocator",
        Some(Unknown::NotUsed) => "not-used",
        Some(Unknown::Form(_)) => "form",
        Some(Unknown::AtWork(_)) => "at-work",
        Some(Unknown::Several(_)) => "several",
        Some(Unknown::Costly(_)) => "costly",
        Some(Unknown::ThirtyTwoBit) => "32-bit",
        Some(Unknown::Architecture) => "architecture",
        Some(Unknown::Process(_)) => "unreadable",
        Some(Unknown::Exec) => "exec",
        // No malloc that is known, and what is added to them: bounded, whatever comes.
        _ => "other",
    })
}

#[cfg(test)]
mod tests;
