//! SVG charts.

mod checkpoints;
mod growth;

pub use checkpoints::memory_over_checkpoints;
pub use growth::growth_over_time;

/// Colours that people who don't see red and green tell apart, too (Okabe and Ito).
const COLOURS: [&str; 4] = ["#0072B2", "#D55E00", "#009E73", "#CC79A7"];

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
