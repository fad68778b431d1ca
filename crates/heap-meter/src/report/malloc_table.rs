//! What malloc keeps in some processes, as the last part of a watched run's table.

use super::part::Part;
use super::text::{Column, NONE, known_bytes};
use crate::trace::{MallocReport, Moment};
use human_text::thousands;
use ptmalloc::HeapState;

/// A row for each process, and below the table what the figures can't say.
pub(super) fn malloc_table(reports: &[MallocReport]) -> Vec<Part> {
    if reports.is_empty() {
        return Vec::new();
    }
    let at_exit = reports.iter().all(|report| report.when == Moment::Exit);
    let columns = [
        Column::Left(match at_exit {
            true => "what malloc kept at the exit of",
            false => "what malloc keeps in",
        }),
        Column::Right("heap"),
        Column::Right("free"),
        Column::Right("returnable"),
        Column::Right("arenas"),
        Column::Left("allocator"),
    ];
    let row = |report: &MallocReport| {
        let state = report.state.as_ref();
        let figure = |figure: fn(&HeapState) -> Option<u64>| known_bytes(state.and_then(figure));
        [
            report.name(),
            figure(HeapState::total_bytes),
            figure(|state| state.free_bytes),
            figure(|state| state.returnable_bytes),
            state.map_or_else(String::new, |state| thousands(state.arenas.len() as u64)),
            report.allocator.clone().unwrap_or_else(|| NONE.to_owned()),
        ]
    };
    let mut parts = vec![Part::table(&columns, reports.iter().map(row))];
    for report in reports {
        let mut tell = |what: String| {
            parts.push(Part::Paragraph(format!("{}: {what}", report.name())));
        };
        if let Some(reason) = &report.unknown {
            tell(format!("not known: {reason}"));
        }
        let Some(state) = &report.state else {
            continue;
        };
        if state.non_contiguous {
            tell(
                "glibc gave up on the break; free memory at its end stays until malloc_trim".into(),
            );
        }
        if report.when == Moment::Exit && is_mostly_free(state) {
            tell(
                "a program that tidies up has freed all of it by its exit; what it keeps while it \
                 runs, `brkhole inspect` tells"
                    .into(),
            );
        }
    }
    parts
}

/// Whether more than half is free, and worth a word.
fn is_mostly_free(state: &HeapState) -> bool {
    const WORTH_TELLING_BYTES: u64 = 1 << 20;
    let free = state.free_bytes.unwrap_or(0);
    free >= WORTH_TELLING_BYTES && free > state.system_bytes / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Sections;
    use ptmalloc::{Arena, Free, Mmapped};

    fn report(state: Option<HeapState>, unknown: Option<&str>) -> MallocReport {
        MallocReport {
            pid: 7,
            comm: Some("nginx".to_owned()),
            when: Moment::Exit,
            allocator: Some("glibc 2.36".to_owned()),
            state,
            unknown: unknown.map(str::to_owned),
        }
    }

    fn state() -> HeapState {
        let mut arena = Arena::default();
        (arena.address, arena.main) = (0x7000, true);
        (arena.system_bytes, arena.free) = (3 << 20, Some(Free::default()));
        let mut state = HeapState::default();
        (state.non_contiguous, state.system_bytes) = (true, 3 << 20);
        state.mmapped = Some(Mmapped::new(2, 1 << 20));
        (state.free_bytes, state.returnable_bytes) = (Some(2 << 20), Some(1 << 20));
        state.arenas = vec![arena];
        state
    }

    #[test]
    fn figures_stand_in_a_row_and_a_lost_break_below() {
        let table = Sections(vec![malloc_table(&[report(Some(state()), None)])]).to_string();
        let mut lines = table.lines();
        assert!(lines.next().unwrap().contains("at the exit of"));
        let row: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
        let wanted = "nginx 7 4.00 MiB 2.00 MiB 1.00 MiB 1 glibc 2.36";
        assert_eq!(row.join(" "), wanted);
        assert!(lines.next().unwrap().starts_with("nginx 7: glibc gave up"));
        assert!(lines.next().unwrap().starts_with("nginx 7: a program that tidies up"));
    }

    #[test]
    fn what_is_not_known_is_said() {
        let parts = malloc_table(&[report(None, Some("its lock was held"))]);
        let table = Sections(vec![parts]).to_string();
        assert!(table.contains("nginx 7: not known: its lock was held"), "{table}");
        assert!(!table.contains("0 B"), "{table}");
    }
}
