//! The break and what it can't pass: lines that point at a strip, with labels in rows above it.

use super::scale::Stretch;
use super::told;
use crate::report::chart::axes::{TEXT, WIDTH};
use crate::report::chart::svg::{Anchor, Picture, width_of};
use heap_growth::MemoryLayout;

const ROW: f64 = TEXT + 4.0;

/// Between the last row and the strip.
const SPACE: f64 = 4.0;

/// An address that is pointed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AddressMark {
    address: u64,
    label: String,
    dashes: &'static str,
}

/// Those whose address is `here`.
pub(super) fn of(layout: &MemoryLayout, here: impl Fn(u64) -> bool) -> Vec<AddressMark> {
    let program_break = layout.program_break.map(|address| AddressMark {
        address,
        label: told::program_break(address),
        dashes: "",
    });
    let blocker = layout.blocker.as_ref().map(|blocker| AddressMark {
        address: blocker.range.start,
        label: told::blocked(blocker),
        dashes: "3 2",
    });
    let marks = program_break.into_iter().chain(blocker);
    marks.filter(|mark| here(mark.address)).collect()
}

/// Where a strip lies whose marks begin at `y`.
pub(super) fn below(marks: &[AddressMark], y: f64) -> f64 {
    y + ROW * marks.len() as f64 + SPACE
}

/// Draws the marks of a strip whose upper edge is `top`, down to that edge: a line across would
/// hide what is narrow. Each has a row of its own, so that labels never meet.
pub(super) fn draw(picture: &mut Picture, marks: &[AddressMark], stretches: &[Stretch], top: f64) {
    let first = top - SPACE - ROW * marks.len() as f64;
    for (number, mark) in marks.iter().enumerate() {
        let mut stretches = stretches.iter();
        let Some(x) = stretches.find_map(|stretch| stretch.place(mark.address)) else {
            continue;
        };
        let base = first + ROW * (number + 1) as f64;
        let (at, anchor) = beside(x, width_of(&mark.label, TEXT));
        picture.text(at, base, TEXT, anchor, &mark.label);
        picture.line((x, base - TEXT + 2.0), (x, top), 1.2, mark.dashes);
    }
}

/// Right of the line if there is room, otherwise left of it, otherwise as far right as it goes.
fn beside(x: f64, width: f64) -> (f64, Anchor) {
    if x + 5.0 + width <= WIDTH {
        (x + 5.0, Anchor::Start)
    } else if x - 5.0 - width >= 0.0 {
        (x - 5.0, Anchor::End)
    } else {
        ((WIDTH - width).max(0.0), Anchor::Start)
    }
}
