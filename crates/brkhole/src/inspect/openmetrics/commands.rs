//! Processes summed by command name.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::AddAssign;

use heap_diagnosis::Severity;

use super::super::inspected::Inspected;

/// All commands: some on their own, the rest in one sum.
pub(super) struct Commands<'survey> {
    /// Those with most to return, most first.
    pub(super) on_their_own: Vec<(&'survey str, Totals)>,
    /// The sum of all the others.
    pub(super) others: Totals,
    /// How many names there are.
    pub(super) names: usize,
}

/// Sums over the processes of a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) processes: u64,
    pub(super) resident_bytes: u64,
    /// Processes whose malloc is known in full; the next five are sums over these.
    pub(super) known: u64,
    pub(super) system_bytes: u64,
    pub(super) mmapped_blocks: u64,
    pub(super) mmapped_bytes: u64,
    pub(super) free_bytes: u64,
    pub(super) returnable_bytes: u64,
    pub(super) blocked: u64,
    pub(super) limited: u64,
    pub(super) near_wall: u64,
    pub(super) abandoned: u64,
    pub(super) old_configuration: u64,
}

impl<'survey> Commands<'survey> {
    /// Sums up; `top` commands stand on their own.
    pub(super) fn of(processes: &'survey [Inspected], top: usize) -> Self {
        let mut by_name = BTreeMap::<&str, Totals>::new();
        for process in processes {
            *by_name.entry(&process.comm).or_default() += Totals::of(process);
        }
        let names = by_name.len();
        let mut on_their_own: Vec<_> = by_name.into_iter().collect();
        // Where nothing can be returned the biggest come first, so that a command whose malloc
        // isn't known is seen too. The sort is stable: equals stay in the order of their names, and
        // the same ones are chosen every time.
        on_their_own
            .sort_by_key(|(_, totals)| Reverse((totals.returnable_bytes, totals.resident_bytes)));
        let mut others = Totals::default();
        for (_, totals) in on_their_own.drain(top.min(names)..) {
            others += totals;
        }
        Self {
            on_their_own,
            others,
            names,
        }
    }
}

impl Totals {
    fn of(process: &Inspected) -> Self {
        let suffers = |kind| u64::from(suffers(process, kind));
        let malloc = process.malloc.as_ref();
        let mut totals = Self {
            processes: 1,
            resident_bytes: process.weight.rss_bytes,
            blocked: suffers("break-blocked"),
            limited: suffers("break-limited"),
            near_wall: suffers("break-near-wall"),
            // That finding is left out where another one tells the cause.
            abandoned: u64::from(malloc.is_some_and(|state| state.non_contiguous)),
            old_configuration: suffers("old-configuration-held"),
            ..Self::default()
        };
        if let Some(state) = malloc
            && let (Some(free_bytes), Some(returnable_bytes)) =
                (state.free_bytes, state.returnable_bytes)
        {
            totals.known = 1;
            totals.system_bytes = state.system_bytes;
            let mmapped = state.mmapped.unwrap_or_default();
            totals.mmapped_blocks = mmapped.count;
            totals.mmapped_bytes = mmapped.bytes;
            totals.free_bytes = free_bytes;
            totals.returnable_bytes = returnable_bytes;
        }
        totals
    }
}

/// Whether there is a finding of this kind that costs something: a blocked break that nothing uses
/// is told to who asks for the process, and is nobody's alert.
fn suffers(process: &Inspected, kind: &str) -> bool {
    let mut findings = process.findings.iter();
    findings.any(|finding| finding.kind == kind && finding.severity > Severity::Info)
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.processes += other.processes;
        self.resident_bytes += other.resident_bytes;
        self.known += other.known;
        self.system_bytes += other.system_bytes;
        self.mmapped_blocks += other.mmapped_blocks;
        self.mmapped_bytes += other.mmapped_bytes;
        self.free_bytes += other.free_bytes;
        self.returnable_bytes += other.returnable_bytes;
        self.blocked += other.blocked;
        self.limited += other.limited;
        self.near_wall += other.near_wall;
        self.abandoned += other.abandoned;
        self.old_configuration += other.old_configuration;
    }
}
