//! Memory at checkpoints, arm beside arm.

use super::axes::COLOURS;
use super::axes::{self, LEFT, LINE, RIGHT, TEXT};
use super::svg::{Anchor, Picture, width_of};
use crate::experiment::{ArmResults, Results};
use crate::statistics::median;
use human_text::Bytes;

const BAR: f64 = TEXT + 4.0;

/// Resident memory at each checkpoint, a bar an arm: medians over the runs.
///
/// `None` when no run has a checkpoint.
pub fn memory_over_checkpoints(results: &Results) -> Option<String> {
    let first = results.arms.iter().find_map(|arm| arm.runs.first())?;
    let labels = || first.checkpoints.iter().map(|checkpoint| checkpoint.label.as_str());
    let arms = || results.arms.iter().zip(COLOURS.iter().cycle());
    let greatest = labels()
        .flat_map(|label| results.arms.iter().map(move |arm| median_bytes(arm, label)))
        .max_by(f64::total_cmp)?;
    let title =
        format!("{}: resident memory at each checkpoint, median of the runs", results.experiment);

    let mut picture = Picture::default();
    let mut told = Vec::new();
    let mut y = axes::title(&mut picture, &title);
    y = axes::legend(&mut picture, y, arms().map(|(arm, colour)| (*colour, arm.name.as_str())));
    // A bar leaves room for the figure behind it.
    let longest = RIGHT - LEFT - width_of("1,023 MiB", TEXT) - 6.0;
    for label in labels() {
        y += LINE + 8.0;
        picture.text(LEFT, y, TEXT, Anchor::Start, label);
        y += 6.0;
        for (arm, colour) in arms() {
            let bytes = median_bytes(arm, label);
            let width = longest * bytes / greatest.max(1.0);
            picture.rect(LEFT, y, width, BAR - 2.0, colour);
            let figure = Bytes(bytes as u64).to_string();
            picture.text(LEFT + width + 6.0, y + TEXT, TEXT, Anchor::Start, &figure);
            told.push(format!("{label}, {}: {figure}.", arm.name));
            y += BAR;
        }
    }
    Some(picture.document(axes::WIDTH, y + LEFT, &title, &told.join(" ")))
}

fn median_bytes(arm: &ArmResults, label: &str) -> f64 {
    let values: Vec<f64> = arm
        .runs
        .iter()
        .filter_map(|run| run.checkpoint(label))
        .map(|checkpoint| checkpoint.snapshot.rss_bytes as f64)
        .collect();
    median(&values).unwrap_or(0.0)
}
