//! Who asked, as a picture: folded stacks and a flame graph in which width is bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Figure;
use human_text::is_printable;
use inferno::flamegraph::{self, Options};

/// Why there is no flame graph.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FlameError {
    /// There was nothing to draw.
    #[error(
        "no stack with any bytes to draw: either nothing grew, or the stacks were not asked for; \
         see whether the report's growth is 0 bytes"
    )]
    Empty,
    /// The graph could not be made.
    #[error("the flame graph cannot be drawn: {0}; write the folded stacks instead")]
    Draw(#[from] std::io::Error),
}

/// Draws stacks as a flame graph, an SVG document with a script in it for zooming and searching:
/// outermost functions at the bottom, as wide as the bytes that they asked the kernel for.
///
/// Each stack comes innermost frame first, with its bytes; equal ones are added up, and those with
/// 0 bytes leave no trace. The same stacks give the same document, in whatever order they come.
///
/// # Errors
/// [`FlameError::Empty`] if no bytes come with any stack.
pub fn flame_graph<'a>(
    stacks: impl Iterator<Item = (&'a [Arc<str>], u64)>,
    title: &str,
) -> Result<String, FlameError> {
    draw(&folded(stacks), title, flamegraph::defaults::MIN_WIDTH)
}

/// The same for a [`Page`](super::Page), in so few bytes: the more there are, the wider is the
/// narrowest frame that is drawn.
///
/// # Errors
/// As for [`flame_graph`].
pub fn flame_figure<'a>(
    stacks: impl Iterator<Item = (&'a [Arc<str>], u64)>,
    title: &str,
    most_bytes: usize,
) -> Result<Figure, FlameError> {
    let folded = folded(stacks);
    let mut least = flamegraph::defaults::MIN_WIDTH;
    loop {
        let svg = draw(&folded, title, least)?;
        // A frame that is as wide as all there is stays.
        if svg.len() <= most_bytes || least > 50.0 {
            return Ok(Figure::Flame(svg, least));
        }
        least *= 2.0;
    }
}

fn draw(folded: &str, title: &str, least: f64) -> Result<String, FlameError> {
    if folded.is_empty() {
        return Err(FlameError::Empty);
    }
    let mut options = Options::default();
    options.title = title.to_owned();
    options.count_name = "bytes".to_owned();
    options.name_type = "Function:".to_owned();
    options.deterministic = true;
    options.min_width = least;
    let mut svg = Vec::new();
    flamegraph::from_lines(&mut options, folded.lines(), &mut svg)?;
    String::from_utf8(svg).map_err(|error| {
        FlameError::Draw(std::io::Error::new(std::io::ErrorKind::InvalidData, error))
    })
}

/// Writes stacks as text, the form that flame graph tools read: a line for each, sorted, frames
/// outermost first with `;` between them, a space, and the bytes.
///
/// Each stack comes innermost frame first; equal ones are added up, those with 0 bytes left out.
/// A `;` in a name becomes `:`, a line break or another control character a space, and the space
/// before a number that ends the innermost name `_`. A stack without any frame is written as
/// `unknown`.
///
/// # References
/// Brendan Gregg's `flamegraph.pl`, “folded” stacks
pub fn folded<'a>(stacks: impl Iterator<Item = (&'a [Arc<str>], u64)>) -> String {
    let mut sums = BTreeMap::<String, u64>::new();
    for (frames, bytes) in stacks.filter(|(_, bytes)| *bytes > 0) {
        let sum = sums.entry(line(frames)).or_default();
        *sum = sum.saturating_add(bytes);
    }
    let mut text = String::new();
    for (line, bytes) in sums {
        text.push_str(&format!("{line} {bytes}\n"));
    }
    text
}

fn line(frames: &[Arc<str>]) -> String {
    if frames.is_empty() {
        return "unknown".to_owned();
    }
    let mut line = String::new();
    for frame in frames.iter().rev() {
        if !line.is_empty() {
            line.push(';');
        }
        line.extend(frame.chars().map(|c| match c {
            ';' => ':',
            c if !is_printable(c) => ' ',
            c => c,
        }));
    }
    // A number at the end would be taken for a second count.
    if let Some((rest, last)) = line.rsplit_once(' ')
        && last.parse::<f64>().is_ok()
    {
        return format!("{rest}_{last}");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(names: &[&str]) -> Vec<Arc<str>> {
        names.iter().map(|name| Arc::from(*name)).collect()
    }

    #[test]
    fn outermost_first_added_up_and_sorted() {
        let (inner, other) = (frames(&["malloc (libc.so.6)", "main"]), frames(&["main"]));
        let stacks = [(&inner[..], 40), (&other[..], 7), (&inner[..], 2)];
        let expected = "main 7\nmain;malloc (libc.so.6) 42\n";
        assert_eq!(folded(stacks.into_iter()), expected);
        assert_eq!(folded(stacks.into_iter().rev()), expected);
    }

    #[test]
    fn names_do_not_break_the_lines() {
        let odd = frames(&["fn(a; b)\nc", "<T as U>::m"]);
        assert_eq!(folded([(&odd[..], 1)].into_iter()), "<T as U>::m;fn(a: b) c 1\n");
        let number = frames(&["part 2", "main 1"]);
        assert_eq!(folded([(&number[..], 3)].into_iter()), "main 1;part_2 3\n");
        assert_eq!(folded([(&[][..], 5)].into_iter()), "unknown 5\n");
    }

    #[test]
    fn a_graph_says_bytes_and_is_the_same_each_time() {
        let stack = frames(&["malloc (libc.so.6)", "<T as U>::m", "main"]);
        let other = frames(&["main"]);
        let draw = |stacks: [(&[Arc<str>], u64); 2]| flame_graph(stacks.into_iter(), "Growth & co");
        let one = draw([(&stack[..], 1_048_576), (&other[..], 4096)]).unwrap();
        let two = draw([(&other[..], 4096), (&stack[..], 1_048_576)]).unwrap();
        assert_eq!(one, two);
        assert!(one.starts_with("<?xml") && one.trim_end().ends_with("</svg>"));
        assert!(one.contains("malloc (libc.so.6) (1,048,576 bytes, 99.61%)"));
        assert!(one.contains("&lt;T as U&gt;::m"));
        assert!(one.contains("Growth &amp; co"));
    }

    #[test]
    fn nothing_to_draw_is_said() {
        let stack = frames(&["main"]);
        let none = flame_graph([(&stack[..], 0)].into_iter(), "none");
        assert!(matches!(none, Err(FlameError::Empty)));
        assert_eq!(folded(std::iter::empty()), "");
    }
}
