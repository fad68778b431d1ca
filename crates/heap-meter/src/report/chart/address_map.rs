//! Where a process's memory lies.

mod columns;
mod marks;
mod scale;
mod told;

use std::ops::Range;

use super::colours;
use super::svg::{Anchor, Picture, lines, width_of};
use heap_growth::{GrowthKind, LOW_END, MemoryLayout};
use human_text::Bytes;
use scale::Stretch;

const WIDTH: f64 = 900.0;
const LEFT: f64 = 30.0;
const RIGHT: f64 = WIDTH - LEFT;

const TITLE: f64 = 15.0;
const HEADING: f64 = 13.0;
const TEXT: f64 = 11.0;
const SMALL: f64 = 9.5;

/// Height of the strip of all addresses, and of the enlarged one.
const WHOLE: f64 = 34.0;
const LOW: f64 = 60.0;

const GROUND: &str = "#F3F3F3";
const BEAM: &str = "#E9E9E9";

/// One process in a picture.
#[derive(Clone, Copy, Debug)]
pub struct Panel<'a> {
    /// What it is called, such as an arm's name; may be empty.
    pub name: &'a str,
    /// Where its memory lay.
    pub layout: &'a MemoryLayout,
}

/// Draws where memory lies, one process above the other: all addresses that are used, to scale in
/// pieces, and below it the low 2 GiB enlarged, to scale. A column of pixels is as high as it is
/// full. The break is marked, and what it can't pass.
///
/// Only private writable memory is drawn: no program text, no stack, nothing shared. A page in
/// 2 GiB is far narrower than a pixel, so whatever is there at all is drawn 2 pixels high at least.
/// The state is that of a [`MemoryLayout`]: the process's greatest growth, within 1/64 of it.
pub fn address_map(title: &str, panels: &[Panel<'_>]) -> String {
    let mut picture = Picture::default();
    let mut y = 8.0;
    for line in lines(title, TITLE, RIGHT - LEFT) {
        y += TITLE + 4.0;
        picture.text(LEFT, y, TITLE, Anchor::Start, &line);
    }
    let mut told = Vec::new();
    for panel in panels {
        y = draw(&mut picture, y + 12.0, panel, &mut told);
    }
    y += 8.0;
    picture.text(LEFT, y, SMALL, Anchor::Start, told::KEY);
    told.push(told::KEY.to_owned());
    let told = told.join(" ");
    picture.document(WIDTH, y + 10.0, title, &told)
}

/// Draws one process below `y`, and says where it ends.
fn draw(picture: &mut Picture, mut y: f64, panel: &Panel<'_>, told: &mut Vec<String>) -> f64 {
    let layout = panel.layout;
    let heading = told::heading(panel.name, layout);
    let facts = told::facts(layout);
    y += HEADING;
    picture.text(LEFT, y, HEADING, Anchor::Start, &heading);
    for line in lines(&facts, TEXT, RIGHT - LEFT) {
        y += TEXT + 4.0;
        picture.text(LEFT, y, TEXT, Anchor::Start, &line);
    }
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
    for (number, stretch) in whole.iter().enumerate() {
        addresses(picture, below, stretch, number == 0);
        if let Some(next) = whole.get(number + 1) {
            torn(picture, (stretch.right + next.left) / 2.0, y + WHOLE / 2.0);
        }
    }

    // The first stretch is what the strip below enlarges.
    let low = scale::low(LEFT, RIGHT);
    let beam_end = below + 4.0 * SMALL + 14.0;
    let within = marks::of(layout, |address| address < LOW_END);
    y = marks::below(&within, beam_end);
    if whole.len() > 1 {
        let (left, right) = (whole[0].left, whole[0].right);
        let beam = [
            (left, below + 3.0 * SMALL + 10.0),
            (right, below + 3.0 * SMALL + 10.0),
            (RIGHT, beam_end),
            (LEFT, beam_end),
        ];
        picture.polygon(&beam, BEAM);
    }
    strip(picture, layout, &low, y, LOW);
    marks::draw(picture, &within, std::slice::from_ref(&low), y);
    y = ticks(picture, y + LOW, &low);
    y = legend(picture, y + 8.0, layout, told);
    y + 8.0
}

/// All that has to have a place, in rising order.
fn used(layout: &MemoryLayout) -> Vec<Range<u64>> {
    let page = |start: u64| start..start.saturating_add(1);
    let parts = layout.parts.iter().map(|part| part.range.clone());
    let blocker = layout
        .blocker
        .as_ref()
        .map(|blocker| page(blocker.range.start));
    let mut used: Vec<_> = parts
        .chain(layout.program_break.map(page))
        .chain(blocker)
        .collect();
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
        picture.line(
            (x + shift - 3.0, y + 8.0),
            (x + shift + 3.0, y - 8.0),
            1.0,
            "",
        );
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

/// A tick each 256 MiB.
fn ticks(picture: &mut Picture, y: f64, low: &Stretch) -> f64 {
    const EACH: u64 = 256 << 20;
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

/// The kinds that there are, with their bytes, in rows of two.
fn legend(picture: &mut Picture, y: f64, layout: &MemoryLayout, told: &mut Vec<String>) -> f64 {
    const COLUMNS: usize = 2;
    let row = TEXT + 6.0;
    let entries = GrowthKind::ALL.into_iter();
    let entries = entries.filter_map(|kind| Some((kind, told::entry(layout, kind)?)));
    let mut rows = 0;
    for (number, (kind, entry)) in entries.enumerate() {
        rows = number / COLUMNS + 1;
        let x = LEFT + (number % COLUMNS) as f64 * (RIGHT - LEFT) / COLUMNS as f64;
        let base = y + row * rows as f64;
        picture.rect(x, base - TEXT + 1.0, TEXT, TEXT, colours::of_kind(kind));
        picture.text(x + TEXT + 6.0, base, TEXT, Anchor::Start, &entry);
        told.push(entry + ".");
    }
    y + row * rows as f64
}

#[cfg(test)]
mod tests;
