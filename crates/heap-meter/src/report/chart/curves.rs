//! Curves over a quantity that was varied, with every measurement beside them.

use super::axes::COLOURS;
use super::axes::{self, Axes, LEFT, LINE, TEXT};
use super::svg::{Anchor, Picture};
use crate::statistics::median;

/// A part of the chart, with its own axes.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CurvePanel {
    /// What is shown in it.
    pub title: String,
    /// Its curves. Those of the same place in their panels have the same colour.
    pub curves: Vec<Curve>,
}

/// What was measured in one way.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Curve {
    /// Its name.
    pub name: String,
    /// What was set, rising, and everything that was measured then.
    pub points: Vec<(f64, Vec<f64>)>,
}

impl CurvePanel {
    /// A part that shows these curves.
    pub fn new(title: impl Into<String>, curves: Vec<Curve>) -> Self {
        let title = title.into();
        Self { title, curves }
    }
}

impl Curve {
    /// A curve of which nothing is measured yet.
    pub fn new(name: impl Into<String>) -> Self {
        let (name, points) = (name.into(), Vec::new());
        Self { name, points }
    }
}

const PANEL_HEIGHT: f64 = 260.0;

/// Curves through the medians, each measurement as a dot; one panel below the other. Both axes
/// begin at 0 and are the same in all panels.
///
/// `None` when nothing was measured.
pub fn curves(panels: &[CurvePanel], title: &str, x_label: &str, y_label: &str) -> Option<String> {
    let points = || panels.iter().flat_map(|panel| &panel.curves).flat_map(|curve| &curve.points);
    let greatest_x = points().map(|(x, _)| *x).max_by(f64::total_cmp)?;
    let greatest_y = points().flat_map(|(_, measured)| measured).copied().max_by(f64::total_cmp)?;

    let mut picture = Picture::default();
    let mut y = axes::title(&mut picture, title);
    y = axes::legend(&mut picture, y, legend(panels));
    for panel in panels {
        y += LINE + 10.0;
        picture.text(LEFT, y, TEXT, Anchor::Start, &panel.title);
        let axes = Axes::new(y + 4.0, PANEL_HEIGHT, (greatest_x, greatest_y));
        y = axes.draw(&mut picture, x_label, y_label);
        for (curve, colour) in panel.curves.iter().zip(COLOURS.iter().cycle()) {
            draw(&mut picture, &axes, curve, colour);
        }
    }
    Some(picture.document(axes::WIDTH, y + LEFT, title, &format!("{y_label} over {x_label}.")))
}

fn draw(picture: &mut Picture, axes: &Axes, curve: &Curve, colour: &str) {
    let medians = curve.points.iter();
    let medians: Vec<_> =
        medians.filter_map(|(x, measured)| Some((axes.x(*x), axes.y(median(measured)?)))).collect();
    picture.polyline(&medians, colour);
    for (x, measured) in &curve.points {
        for y in measured {
            picture.dot(axes.x(*x), axes.y(*y), colour);
        }
    }
}

/// Each name once, with its colour.
fn legend(panels: &[CurvePanel]) -> Vec<(&'static str, &str)> {
    let mut entries: Vec<(&str, &str)> = Vec::new();
    for panel in panels {
        for (curve, colour) in panel.curves.iter().zip(COLOURS.iter().cycle()) {
            if entries.iter().all(|(_, name)| *name != curve.name) {
                entries.push((colour, &curve.name));
            }
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(points: Vec<(f64, Vec<f64>)>) -> CurvePanel {
        let curve = |name: &str| Curve { name: name.to_owned(), points: points.clone() };
        CurvePanel { title: "one".to_owned(), curves: vec![curve("control"), curve("hole")] }
    }

    #[test]
    fn every_measurement_is_a_dot() {
        let points = vec![(0.0, vec![1.0, 3.0]), (512.0, vec![2.0, 4.0, 6.0])];
        let panels = [panel(points.clone()), panel(points)];
        let svg = curves(&panels, "two panels", "x", "y").unwrap();
        assert!(svg.contains("<title>two panels</title>"), "{svg}");
        assert!(svg.contains("viewBox"), "{svg}");
        assert_eq!(svg.matches("<circle").count(), 2 * 2 * 5);
        for colour in &COLOURS[..2] {
            assert!(svg.to_lowercase().contains(&colour.to_lowercase()), "{colour}");
        }
    }

    #[test]
    fn nothing_measured_is_no_chart() {
        assert_eq!(curves(&[], "none", "x", "y"), None);
        assert_eq!(curves(&[panel(vec![(1.0, Vec::new())])], "none", "x", "y"), None);
    }
}
