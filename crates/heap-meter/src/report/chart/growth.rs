//! Growth over time by kind, with the files that were being read.

use super::{accessible, colours};
use heap_growth::{Growth, GrowthKind};
use human_text::printable;
use kuva::backend::svg::SvgBackend;
use kuva::plot::StackedAreaPlot;
use kuva::plot::legend::{LegendEntry, LegendPosition, LegendShape};
use kuva::render::annotations::ShadedRegion;
use kuva::render::layout::Layout;
use kuva::render::plots::Plot;
use kuva::render::render::render_multiple;

/// So many files have a colour of their own; the others aren't marked.
const FILES: usize = colours::FILES.len();

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
    let (last, _) = *points.last()?;
    let seconds = |at: std::time::Duration| at.as_secs_f64();

    // Steps: between two points memory stays as it was.
    let mut x = vec![0.0];
    let mut steps = vec![None];
    for (number, (at, point)) in points.iter().enumerate() {
        let before = number
            .checked_sub(1)
            .map(|before| &points[before].1.by_kind);
        x.extend([seconds(*at), seconds(*at)]);
        steps.extend([before, Some(&point.by_kind)]);
    }
    let mut areas = StackedAreaPlot::new().with_x(x);
    let mut legend = Vec::new();
    for kind in GrowthKind::ALL {
        let colour = colours::of_kind(kind);
        let in_mib = |bytes: i64| bytes.max(0) as f64 / f64::from(1 << 20);
        let series: Vec<f64> = steps
            .iter()
            .map(|held| held.map_or(0.0, |held| in_mib(held[kind])))
            .collect();
        if series.iter().any(|mib| *mib > 0.0) {
            areas = areas.with_series(series).with_color(colour);
            legend.push(entry(kind.title(), colour));
        }
    }
    let marked = files(growth);
    for ((_, path), colour) in marked.iter().zip(colours::FILES) {
        legend.push(entry(&format!("reading {}", short(path)), colour));
    }

    let plots = vec![Plot::StackedArea(areas)];
    let mut layout = Layout::auto_from_plots(&plots)
        .with_title(title)
        .with_x_label("time (s)")
        .with_y_label("memory that was asked for (MiB)")
        .with_x_axis_max(seconds(last).max(f64::MIN_POSITIVE))
        .with_legend_position(LegendPosition::OutsideBottomColumns)
        .with_legend_entries(legend);
    // Wide enough to be seen, though memory grew in a moment.
    let width = seconds(timeline.width()).max(seconds(last) * NARROWEST);
    let mut previous_end = 0.0_f64;
    for (at, point) in &points {
        let end = seconds(*at);
        let begin = (end - width).max(previous_end);
        previous_end = end;
        let file = point.file.map(|(file, _)| file);
        let mark = marked.iter().position(|(marked, _)| Some(*marked) == file);
        if let Some(number) = mark {
            let region = ShadedRegion::vertical(begin, end);
            layout = layout
                .with_shaded_region(region.with_color(colours::FILES[number]).with_opacity(0.35));
        }
    }
    let svg = SvgBackend::default().render_scene(&render_multiple(plots, layout));
    Some(accessible(&svg, title))
}

fn entry(label: &str, colour: &str) -> LegendEntry {
    LegendEntry {
        label: label.to_owned(),
        color: colour.to_owned(),
        shape: LegendShape::Rect,
        dasharray: None,
    }
}

/// The files that most was asked for, by number, with their paths.
fn files(growth: &Growth) -> Vec<(usize, String)> {
    let mut numbers: Vec<usize> = growth
        .timeline()
        .points()
        .filter_map(|(_, point)| point.file.map(|(file, _)| file))
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut files: Vec<_> = numbers
        .into_iter()
        .map(|number| (number, growth.file(number)))
        .collect();
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
