//! Memory at checkpoints, arm beside arm.

use super::{COLOURS, accessible};
use crate::experiment::{ArmResults, Results};
use crate::statistics::median;
use kuva::backend::svg::SvgBackend;
use kuva::plot::BarPlot;
use kuva::render::layout::Layout;
use kuva::render::plots::Plot;
use kuva::render::render::render_multiple;

/// Resident memory at each checkpoint, every arm beside the others: medians over the runs.
///
/// `None` when no run has a checkpoint.
pub fn memory_over_checkpoints(results: &Results) -> Option<String> {
    let labels: Vec<&str> = results
        .arms
        .iter()
        .find_map(|arm| arm.runs.first())?
        .checkpoints
        .iter()
        .map(|checkpoint| checkpoint.label.as_str())
        .collect();
    if labels.is_empty() {
        return None;
    }
    let mut bars = BarPlot::new();
    for label in &labels {
        let group: Vec<(f64, &str)> = results
            .arms
            .iter()
            .zip(COLOURS.iter().cycle())
            .map(|(arm, colour)| (median_mib(arm, label), *colour))
            .collect();
        bars = bars.with_group(*label, group);
    }
    let names = results.arms.iter().map(|arm| arm.name.as_str()).collect();
    let plots = vec![Plot::Bar(bars.with_legend(names))];
    let title = format!("{}: resident memory at each checkpoint", results.experiment);
    let mut layout = Layout::auto_from_plots(&plots)
        .with_title(&title)
        .with_y_label("resident memory (MiB, median of the runs)");
    if labels.len() > 5 {
        layout = layout.with_x_tick_rotate(-40.0);
    }
    let svg = SvgBackend::default().render_scene(&render_multiple(plots, layout));
    Some(accessible(&svg, &title))
}

fn median_mib(arm: &ArmResults, label: &str) -> f64 {
    let values: Vec<f64> = arm
        .runs
        .iter()
        .filter_map(|run| run.checkpoint(label))
        .map(|checkpoint| checkpoint.snapshot.rss_bytes as f64 / f64::from(1 << 20))
        .collect();
    median(&values).unwrap_or(0.0)
}
