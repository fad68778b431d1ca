//! A plot area with two axes that begin at 0, the legend below it, and which colour stands for what.
//!
//! Drawn here: these charts need ticks, labels and a legend, and kuva, the chart library that drew
//! them before, took longer to build than all else of this crate.

use heap_growth::GrowthKind;

use super::svg::{Anchor, Picture, lines, width_of};

/// Of a chart, in pixels: on a telephone, at 400, its texts are 9 pixels high.
pub(super) const WIDTH: f64 = 640.0;
pub(super) const LEFT: f64 = 16.0;
pub(super) const RIGHT: f64 = WIDTH - LEFT;
/// Font sizes.
pub(super) const TITLE: f64 = 17.0;
pub(super) const TEXT: f64 = 14.0;
/// From one line of text to the next.
pub(super) const LINE: f64 = TEXT + 6.0;

const TICKS: f64 = 6.0;
const GRID: &str = "#E0E0E0";

/// Writes a chart's title at its top, and says where that ends.
pub(super) fn title(picture: &mut Picture, text: &str) -> f64 {
    paragraph(picture, LEFT, TITLE, text)
}

/// Writes a text below `y` in as many lines as it takes, and says where it ends.
pub(super) fn paragraph(picture: &mut Picture, mut y: f64, font_size: f64, text: &str) -> f64 {
    for line in lines(text, font_size, RIGHT - LEFT) {
        y += font_size;
        picture.text(LEFT, y, font_size, Anchor::Start, &line);
        y += 4.0;
    }
    y
}

/// A plot area: where its values lie in the picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axes {
    left: f64,
    top: f64,
    bottom: f64,
    greatest: (f64, f64),
}

impl Axes {
    /// An area of this height below `top`, with room for the label of its y axis above it. An axis
    /// without length can't be drawn: it ends at the smallest number there is instead.
    pub(super) fn new(top: f64, height: f64, greatest: (f64, f64)) -> Self {
        let greatest = (greatest.0.max(f64::MIN_POSITIVE), greatest.1.max(f64::MIN_POSITIVE));
        let widest = ticks(greatest.1).map(|(_, label)| width_of(&label, TEXT)).fold(0.0, f64::max);
        let top = top + LINE + 4.0;
        Self { left: LEFT + widest, top, bottom: top + height, greatest }
    }

    pub(super) fn x(&self, value: f64) -> f64 {
        self.left + (value / self.greatest.0).clamp(0.0, 1.0) * (RIGHT - self.left)
    }

    pub(super) fn y(&self, value: f64) -> f64 {
        self.bottom - (value / self.greatest.1).clamp(0.0, 1.0) * (self.bottom - self.top)
    }

    /// The upper and the lower edge.
    pub(super) fn vertical(&self) -> (f64, f64) {
        (self.top, self.bottom)
    }

    /// Draws the axes with their ticks and labels, and says where they end.
    pub(super) fn draw(&self, picture: &mut Picture, x_label: &str, y_label: &str) -> f64 {
        picture.text(LEFT, self.top - 8.0, TEXT, Anchor::Start, y_label);
        for (value, label) in ticks(self.greatest.1) {
            let y = self.y(value);
            picture.rect(self.left, y - 0.5, RIGHT - self.left, 1.0, GRID);
            picture.text(self.left - 6.0, y + 5.0, TEXT, Anchor::End, &label);
        }
        for (value, label) in ticks(self.greatest.0) {
            let x = self.x(value);
            picture.line((x, self.bottom), (x, self.bottom + 4.0), 1.0, "");
            let half = width_of(&label, TEXT) / 2.0;
            let right = (x + half).min(WIDTH - 2.0);
            picture.text(right, self.bottom + LINE, TEXT, Anchor::End, &label);
        }
        picture.line((self.left, self.bottom), (RIGHT, self.bottom), 1.0, "");
        let y = self.bottom + 2.0 * LINE;
        picture.text(RIGHT, y, TEXT, Anchor::End, x_label);
        y
    }
}

/// Round values from 0 on, with what is written at them.
pub(super) fn ticks(greatest: f64) -> impl Iterator<Item = (f64, String)> {
    let least = greatest / TICKS;
    let magnitude = 10.0_f64.powf(least.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|round| round * magnitude)
        .into_iter()
        .find(|step| *step >= least)
        .unwrap_or(greatest);
    let decimals = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
    (0..)
        .map(move |number| f64::from(number) * step)
        .take_while(move |value| *value <= greatest)
        .map(move |value| (value, format!("{value:.decimals$}")))
}

/// Coloured squares with their names, in rows, below `y`; says where they end.
pub(super) fn legend<'a>(
    picture: &mut Picture,
    mut y: f64,
    entries: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> f64 {
    let mut x = RIGHT;
    for (colour, name) in entries {
        let width = TEXT + 6.0 + width_of(name, TEXT);
        if x + width > RIGHT {
            x = LEFT;
            y += LINE;
        }
        picture.rect(x, y - TEXT + 2.0, TEXT, TEXT, colour);
        picture.text(x + TEXT + 6.0, y, TEXT, Anchor::Start, name);
        x += width + 10.0;
    }
    y
}

/// Of arms and other rows, in their order: colours that people who don't see red and green tell
/// apart, too (Okabe and Ito).
pub(super) const COLOURS: [&str; 4] = ["#0072B2", "#D55E00", "#009E73", "#CC79A7"];

/// Of files that are being read: laid thinly under the kinds.
pub(super) const FILE_COLOURS: [&str; 3] = ["#F0E442", "#56B4E9", "#882255"];

/// A kind's colour, the same in every chart.
pub(super) const fn of_kind(kind: GrowthKind) -> &'static str {
    match kind {
        GrowthKind::Break => COLOURS[0],
        GrowthKind::Fallback => COLOURS[1],
        GrowthKind::LargeBlock => COLOURS[2],
        GrowthKind::Arena => COLOURS[3],
        GrowthKind::LowMemory => "#E69F00",
        GrowthKind::Stack => "#661100",
        GrowthKind::Earlier => "#4D4D4D",
        _ => "#999999",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        let labels =
            |greatest| -> Vec<String> { ticks(greatest).map(|(_, label)| label).collect() };
        assert_eq!(labels(92.0), ["0", "20", "40", "60", "80"]);
        assert_eq!(labels(0.06), ["0.00", "0.01", "0.02", "0.03", "0.04", "0.05", "0.06"]);
        for greatest in [f64::MIN_POSITIVE, 1e-300, 0.7, 1.0, 3.3, 1e9, 1e300] {
            let count = ticks(greatest).count();
            assert!((2..=7).contains(&count), "{greatest}: {count}");
        }
    }

    #[test]
    fn values_lie_within_the_area() {
        let axes = Axes::new(0.0, 100.0, (0.0, 50.0));
        let (top, bottom) = axes.vertical();
        assert_eq!((axes.y(0.0), axes.y(50.0)), (bottom, top));
        assert_eq!(axes.x(1.0), RIGHT, "of an axis without length");
        assert_eq!(axes.y(-3.0), bottom);
    }
}
