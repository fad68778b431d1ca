//! SVG charts.

use crate::experiment::{ArmResults, Results};
use crate::statistics::median;
use kuva::backend::svg::SvgBackend;
use kuva::plot::BarPlot;
use kuva::render::layout::Layout;
use kuva::render::plots::Plot;
use kuva::render::render::render_multiple;

/// One colour an arm, told apart by people who don't see red and green too (Okabe and Ito).
const COLOURS: [&str; 4] = ["#0072B2", "#D55E00", "#009E73", "#CC79A7"];

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

/// Adds what kuva leaves out: a `viewBox`, so that the chart scales, and a title to be read aloud.
fn accessible(svg: &str, title: &str) -> String {
    let Some((head, body)) = svg.split_once('>') else {
        return svg.to_owned();
    };
    let mut head = head.to_owned();
    if !head.contains("viewBox")
        && let (Some(width), Some(height)) = (attribute(&head, "width"), attribute(&head, "height"))
    {
        head.push_str(&format!(r#" viewBox="0 0 {width} {height}""#));
    }
    format!(r#"{head} role="img"><title>{title}</title>{body}"#)
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!(r#" {name}=""#))?;
    rest.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::accessible;

    #[test]
    fn a_chart_scales_and_has_a_title() {
        let svg = accessible(r#"<svg width="640" height="480"><g/></svg>"#, "memory");
        assert!(svg.contains(r#"viewBox="0 0 640 480""#), "{svg}");
        assert!(svg.contains("<title>memory</title><g/>"), "{svg}");
    }
}
