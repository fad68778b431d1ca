//! Where a process's memory lies.

mod columns;
mod marks;
mod scale;
mod told;

use std::ops::Range;

use super::axes::of_kind;
use super::axes::{self, LEFT, RIGHT, TEXT, WIDTH};
use super::svg::{Anchor, Picture, width_of};
use heap_growth::{GrowthKind, LOW_END, MemoryLayout};
use human_text::Bytes;
use scale::Stretch;

const HEADING: f64 = 15.0;
const SMALL: f64 = 12.0;

/// Height of the strip of all addresses, and of the enlarged one.
const WHOLE: f64 = 34.0;
const LOW: f64 = 60.0;

const GROUND: &str = "#F3F3F3";
const BEAM: &str = "#E9E9E9";

/// One process in a picture.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Panel<'a> {
    /// What it is called, such as an arm's name; may be empty.
    pub name: &'a str,
    /// Where its memory lay.
    pub layout: &'a MemoryLayout,
}

impl<'a> Panel<'a> {
    /// A process that is called so.
    pub fn new(name: &'a str, layout: &'a MemoryLayout) -> Self {
        Self { name, layout }
    }
}

/// Draws where memory lies, one process above the other: all addresses that are used, to scale in
/// pieces, and below it the low 2 GiB enlarged, to scale, if anything of them is used. A column of pixels is as high as it is
/// full. The break is marked, and what it can't pass.
///
/// Only private writable memory is drawn: no program text, no stack, nothing shared. A page in
/// 2 GiB is far narrower than a pixel, so whatever is there at all is drawn 2 pixels high at least.
/// The state is that of a [`MemoryLayout`]: the process's greatest growth, within 1/64 of it.
pub fn address_map(title: &str, panels: &[Panel<'_>]) -> String {
    let mut picture = Picture::default();
    let mut y = axes::title(&mut picture, title);
    let mut told = Vec::new();
    for panel in panels {
        y = draw(&mut picture, y + 12.0, panel, &mut told);
    }
    y += 8.0;
    y = axes::paragraph(&mut picture, y, SMALL, told::KEY);
    told.push(told::KEY.to_owned());
    let told = told.join(" ");
    picture.document(WIDTH, y + 10.0, title, &told)
}

/// Draws one process below `y`, and says where it ends.
fn draw(picture: &mut Picture, mut y: f64, panel: &Panel<'_>, told: &mut Vec<String>) -> f64 {
    let layout = panel.layout;
    let heading = told::heading(panel.name, layout);
    let facts = told::facts(layout);
    y = axes::paragraph(picture, y, HEADING, &heading);
    y = axes::paragraph(picture, y, TEXT, &facts);
    told.extend([heading + ".", facts]);

    let used = used(layout);
    let whole = scale::whole(used.iter().cloned(), LEFT, RIGHT);
    let above = marks::of(layout, |address| address >= LOW_END);
    y = marks::below(&above, y + 8.0);
    for stretch in &whole {
        strip(picture, layout, stretch, y, WHOLE);
    }
    marks::draw(picture, &above, &whole, y);
    let below = y + WHOLE;
    let mut has_low = false;
    for (number, stretch) in whole.iter().enumerate() {
        let is_low = stretch.addresses == (0..LOW_END);
        has_low |= is_low;
        addresses(picture, below, stretch, is_low);
        if let Some(next) = whole.get(number + 1) {
            torn(picture, (stretch.right + next.left) / 2.0, y + WHOLE / 2.0);
        }
    }

    y = below + 3.0 * (SMALL + 2.0) + 8.0;
    if has_low {
        y = enlarged(picture, y, layout, &whole);
    }
    y = legend(picture, y + 8.0, layout, told);
    y + 8.0
}

/// Draws the low 2 GiB once more, below the stretch that has them, and says where that ends.
fn enlarged(picture: &mut Picture, y: f64, layout: &MemoryLayout, whole: &[Stretch]) -> f64 {
    let low = scale::low(LEFT, RIGHT);
    let beam_end = y + SMALL;
    let within = marks::of(layout, |address| address < LOW_END);
    let top = marks::below(&within, beam_end);
    if let [first, _, ..] = whole {
        let beam =
            [(first.left, y - 4.0), (first.right, y - 4.0), (RIGHT, beam_end), (LEFT, beam_end)];
        picture.polygon(&beam, BEAM);
    }
    strip(picture, layout, &low, top, LOW);
    marks::draw(picture, &within, std::slice::from_ref(&low), top);
    ticks(picture, top + LOW, &low)
}

/// All that has to have a place, in rising order.
fn used(layout: &MemoryLayout) -> Vec<Range<u64>> {
    let page = |start: u64| start..start.saturating_add(1);
    let parts = layout.parts.iter().map(|part| part.range.clone());
    let blocker = layout.blocker.as_ref().map(|blocker| page(blocker.range.start));
    let mut used: Vec<_> = parts.chain(layout.program_break.map(page)).chain(blocker).collect();
    used.sort_by_key(|range| range.start);
    used
}

fn strip(picture: &mut Picture, layout: &MemoryLayout, stretch: &Stretch, y: f64, height: f64) {
    let width = stretch.right - stretch.left;
    picture.rect(stretch.left, y, width, height, GROUND);
    columns::draw(picture, &layout.parts, stretch, y + height, height);
    picture.frame(stretch.left, y, width, height);
}

/// Where addresses are left out.
fn torn(picture: &mut Picture, x: f64, y: f64) {
    for shift in [-3.0, 3.0] {
        picture.line((x + shift - 3.0, y + 8.0), (x + shift + 3.0, y - 8.0), 1.0, "");
    }
}

/// Where a stretch begins and ends, and how long it is: three rows, so that nothing overlaps.
fn addresses(picture: &mut Picture, y: f64, stretch: &Stretch, is_low: bool) {
    let Range { start, end } = stretch.addresses;
    let length = match is_low {
        true => "the low 2 GiB".to_owned(),
        false => Bytes(stretch.length_bytes()).to_string(),
    };
    let row = SMALL + 2.0;
    let begin = format!("{start:#x}");
    let end = format!("{end:#x}");
    picture.text(stretch.left, y + row, SMALL, Anchor::Start, &begin);
    picture.text(stretch.right, y + 2.0 * row, SMALL, Anchor::End, &end);
    picture.text(stretch.left, y + 3.0 * row, SMALL, Anchor::Start, &length);
}

/// A tick each 512 MiB.
fn ticks(picture: &mut Picture, y: f64, low: &Stretch) -> f64 {
    const EACH: u64 = 512 << 20;
    for number in 0..=LOW_END / EACH {
        let share = number as f64 * EACH as f64 / LOW_END as f64;
        let x = low.left + share * (low.right - low.left);
        picture.line((x, y), (x, y + 4.0), 1.0, "");
        let label = format!("{:#x}", number * EACH);
        let half = width_of(&label, SMALL) / 2.0;
        let left = (x - half).clamp(2.0, WIDTH - 2.0 * half - 2.0);
        picture.text(left, y + 6.0 + SMALL, SMALL, Anchor::Start, &label);
    }
    y + 8.0 + SMALL
}

/// The kinds that there are, with their bytes.
fn legend(picture: &mut Picture, y: f64, layout: &MemoryLayout, told: &mut Vec<String>) -> f64 {
    let entries: Vec<_> = GrowthKind::ALL
        .into_iter()
        .filter_map(|kind| Some((of_kind(kind), told::entry(layout, kind)?)))
        .collect();
    told.extend(entries.iter().map(|(_, entry)| format!("{entry}.")));
    let entries = entries.iter();
    axes::legend(picture, y, entries.map(|(colour, entry)| (*colour, entry.as_str())))
}

#[cfg(test)]
mod tests;
