//! Curves over a quantity that was varied, with every measurement beside them.

use super::{COLOURS, accessible};
use crate::statistics::median;
use kuva::backend::svg::SvgBackend;
use kuva::plot::legend::{LegendEntry, LegendShape};
use kuva::plot::{LinePlot, ScatterPlot};
use kuva::render::figure::Figure;
use kuva::render::layout::Layout;
use kuva::render::plots::Plot;

/// A part of the chart, with its own axes.
#[derive(Clone, Debug, PartialEq)]
pub struct CurvePanel {
    /// What is shown in it.
    pub title: String,
    /// Its curves. Those of the same place in their panels have the same colour.
    pub curves: Vec<Curve>,
}

/// What was measured in one way.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Its name.
    pub name: String,
    /// What was set, rising, and everything that was measured then.
    pub points: Vec<(f64, Vec<f64>)>,
}

/// A panel's size in pixels, in a row of two.
const PANEL: (f64, f64) = (460.0, 340.0);

/// Alone it is wider, so that the title finds room above it.
const LONE_PANEL: (f64, f64) = (680.0, 420.0);

/// Curves through the medians, each measurement as a dot; one panel beside the other, two in a row.
/// Both axes begin at 0 and are the same in all panels.
///
/// `None` when nothing was measured.
pub fn curves(panels: &[CurvePanel], title: &str, x_label: &str, y_label: &str) -> Option<String> {
    let points = || {
        panels
            .iter()
            .flat_map(|panel| &panel.curves)
            .flat_map(|curve| &curve.points)
    };
    let greatest_x = points().map(|(x, _)| *x).max_by(f64::total_cmp)?;
    let greatest_y = points()
        .flat_map(|(_, measured)| measured)
        .copied()
        .max_by(f64::total_cmp)?;
    // Axes without length can't be drawn.
    let (greatest_x, greatest_y) = (greatest_x.max(1.0), greatest_y.max(1.0));
    let columns = panels.len().min(2);
    let (width, height) = match columns {
        1 => LONE_PANEL,
        _ => PANEL,
    };
    let mut plots = Vec::new();
    let mut layouts = Vec::new();
    for panel in panels {
        layouts.push(
            Layout::new((0.0, greatest_x), (0.0, greatest_y))
                .with_title(&panel.title)
                .with_x_label(x_label)
                .with_y_label(y_label),
        );
        plots.push(
            panel
                .curves
                .iter()
                .zip(COLOURS.iter().cycle())
                .flat_map(drawn)
                .collect(),
        );
    }
    let figure = Figure::new(panels.len().div_ceil(columns), columns)
        .with_title(title)
        .with_cell_size(width, height)
        .with_plots(plots)
        .with_layouts(layouts)
        .with_shared_legend_bottom()
        .with_shared_legend_entries(legend(panels));
    Some(accessible(
        &SvgBackend::default().render_scene(&figure.render()),
        title,
    ))
}

fn drawn((curve, colour): (&Curve, &&str)) -> [Plot; 2] {
    let medians = curve
        .points
        .iter()
        .filter_map(|(x, measured)| Some((*x, median(measured)?)));
    let dots = curve
        .points
        .iter()
        .flat_map(|(x, measured)| measured.iter().map(|y| (*x, *y)));
    [
        Plot::Line(LinePlot::new().with_data(medians).with_color(*colour)),
        Plot::Scatter(
            ScatterPlot::new()
                .with_data(dots)
                .with_color(*colour)
                .with_size(3.5),
        ),
    ]
}

/// Each name once.
fn legend(panels: &[CurvePanel]) -> Vec<LegendEntry> {
    let mut entries: Vec<LegendEntry> = Vec::new();
    for panel in panels {
        for (curve, colour) in panel.curves.iter().zip(COLOURS.iter().cycle()) {
            if entries.iter().all(|entry| entry.label != curve.name) {
                entries.push(LegendEntry {
                    label: curve.name.clone(),
                    color: (*colour).to_owned(),
                    shape: LegendShape::Line,
                    dasharray: None,
                });
            }
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(points: Vec<(f64, Vec<f64>)>) -> CurvePanel {
        let curve = |name: &str| Curve {
            name: name.to_owned(),
            points: points.clone(),
        };
        CurvePanel {
            title: "one".to_owned(),
            curves: vec![curve("control"), curve("hole")],
        }
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
            assert!(
                svg.to_lowercase().contains(&colour.to_lowercase()),
                "{colour}"
            );
        }
    }

    #[test]
    fn nothing_measured_is_no_chart() {
        assert_eq!(curves(&[], "none", "x", "y"), None);
        assert_eq!(
            curves(&[panel(vec![(1.0, Vec::new())])], "none", "x", "y"),
            None
        );
    }
}
