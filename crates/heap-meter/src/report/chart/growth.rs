//! Growth over time by kind, with the files that were being read.

use super::axes::{self, Axes, LEFT, LINE};
use super::axes::{FILE_COLOURS, of_kind};
use super::svg::Picture;
use heap_growth::{Growth, GrowthKind};
use human_text::printable;

const HEIGHT: f64 = 320.0;

/// So many files have a colour of their own; the others aren't marked.
const FILES: usize = FILE_COLOURS.len();

/// No mark is narrower than this share of the chart, unless another one is next to it.
const NARROWEST: f64 = 1.0 / 200.0;

/// A path that is longer is cut at its beginning.
const PATH_CHARACTERS: usize = 32;

/// Private writable memory of all watched processes over time: an area a kind, one on the other,
/// and behind them the stretches of time in which a file that made memory grow was being read.
///
/// `None` when memory never changed.
pub fn growth_over_time(growth: &Growth, title: &str) -> Option<String> {
    let timeline = growth.timeline();
    let points: Vec<_> = timeline.points().collect();
    let (last, ..) = *points.last()?;
    let seconds = |at: std::time::Duration| at.as_secs_f64();

    // Steps: between two points memory stays as it was. An area a kind, in MiB.
    let mut x = vec![0.0];
    let mut steps = vec![None];
    for (at, by_kind, _) in &points {
        let before = steps.last().copied().flatten();
        x.extend([seconds(*at), seconds(*at)]);
        steps.extend([before, Some(*by_kind)]);
    }
    let in_mib = |bytes: i64| bytes.max(0) as f64 / f64::from(1 << 20);
    let mut top = vec![0.0; x.len()];
    let mut areas = Vec::new();
    for kind in GrowthKind::ALL {
        let bottom = top.clone();
        for (top, held) in top.iter_mut().zip(&steps) {
            *top += held.map_or(0.0, |held| in_mib(held[kind]));
        }
        if top != bottom {
            areas.push((kind, bottom, top.clone()));
        }
    }
    let greatest = top.iter().copied().max_by(f64::total_cmp)?;

    let mut picture = Picture::default();
    let y = axes::title(&mut picture, title);
    let axes = Axes::new(y, HEIGHT, (seconds(last), greatest));
    let marked = files(growth);
    // Wide enough to be seen, though memory grew in a moment.
    let width = seconds(timeline.width()).max(seconds(last) * NARROWEST);
    let (upper, lower) = axes.vertical();
    let mut previous_end = 0.0_f64;
    for (at, _, file) in &points {
        let end = seconds(*at);
        let begin = (end - width).max(previous_end);
        previous_end = end;
        let mark = marked.iter().position(|(marked, _)| Some(*marked) == *file);
        if let Some(number) = mark {
            let left = axes.x(begin);
            let size = (axes.x(end) - left, lower - upper);
            picture.shade((left, upper), size, FILE_COLOURS[number]);
        }
    }
    let y = axes.draw(&mut picture, "time (s)", "memory that was asked for (MiB)");
    for (kind, bottom, top) in &areas {
        let place = |(x, mib): (&f64, &f64)| (axes.x(*x), axes.y(*mib));
        let outline: Vec<_> =
            x.iter().zip(top).map(place).chain(x.iter().zip(bottom).rev().map(place)).collect();
        picture.polygon(&outline, of_kind(*kind));
    }
    let names: Vec<String> =
        marked.iter().map(|(_, path)| format!("reading {}", short(path))).collect();
    let kinds = areas.iter().map(|(kind, ..)| (of_kind(*kind), kind.title()));
    let reading = FILE_COLOURS.into_iter().zip(names.iter().map(String::as_str));
    let y = axes::legend(&mut picture, y + LINE / 2.0, kinds.chain(reading));
    let told = format!("{greatest:.1} MiB at most, after {:.3} s.", seconds(last));
    Some(picture.document(axes::WIDTH, y + LEFT, title, &told))
}

/// The files that most was asked for, by number, with their paths.
fn files(growth: &Growth) -> Vec<(usize, String)> {
    let mut numbers: Vec<usize> =
        growth.timeline().points().filter_map(|(.., file)| file).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut files: Vec<_> =
        numbers.into_iter().map(|number| (number, growth.file(number))).collect();
    files.sort_by_key(|(_, file)| std::cmp::Reverse(file.asked_bytes));
    files
        .into_iter()
        .take(FILES)
        .map(|(number, file)| (number, printable(&String::from_utf8_lossy(&file.path))))
        .collect()
}

fn short(path: &str) -> String {
    let length = path.chars().count();
    if length <= PATH_CHARACTERS {
        return path.to_owned();
    }
    let end: String = path.chars().skip(length - PATH_CHARACTERS).collect();
    format!("…{end}")
}
