//! SVG charts.

mod address_map;
mod checkpoints;
mod colours;
mod curves;
mod growth;
mod svg;

pub use address_map::{Panel, address_map};
pub use checkpoints::memory_over_checkpoints;
pub use curves::{Curve, CurvePanel, curves};
pub use growth::growth_over_time;

use colours::COLOURS;

/// Adds what kuva leaves out: a `viewBox`, so that the chart scales, and a title to be read aloud.
fn accessible(drawn: &str, title: &str) -> String {
    let Some((head, body)) = drawn.split_once('>') else {
        return drawn.to_owned();
    };
    let mut head = head.to_owned();
    if !head.contains("viewBox")
        && let (Some(width), Some(height)) = (attribute(&head, "width"), attribute(&head, "height"))
    {
        head.push_str(&format!(r#" viewBox="0 0 {width} {height}""#));
    }
    let title = svg::escaped(title);
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
        let svg = accessible("<svg><g/></svg>", "sh -c 'a && b'");
        assert!(
            svg.contains("<title>sh -c 'a &amp;&amp; b'</title>"),
            "{svg}"
        );
    }
}
