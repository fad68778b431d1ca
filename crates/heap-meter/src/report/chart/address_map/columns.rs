//! A stretch as columns of a pixel each: as high as it is full, a colour a kind.

use super::scale::Stretch;
use crate::report::chart::axes::of_kind;
use crate::report::chart::svg::Picture;
use heap_growth::{GrowthKind, LayoutPart};

/// No kind that is in a column is lower than this, so that a page can be seen in 2 GiB.
const LOWEST: f64 = 2.0;

/// Heights are drawn in steps of this, so that columns that are nearly alike are one.
const STEP: f64 = 0.5;

const KINDS: usize = GrowthKind::ALL.len();

/// Bytes of each kind in each column; `parts` are in rising order.
fn bytes(parts: &[LayoutPart], stretch: &Stretch) -> Vec<[u64; KINDS]> {
    let count = (stretch.right - stretch.left).floor().max(1.0) as usize;
    let mut columns = vec![[0; KINDS]; count];
    let span = stretch.length_bytes() as u128;
    // The first address of a column, counted from the stretch's start.
    let begin = |column: usize| (span * column as u128 / count as u128) as u64;
    let (low, high) = (stretch.addresses.start, stretch.addresses.end);
    for LayoutPart { range, kind } in parts {
        let start = range.start.clamp(low, high) - low;
        let end = range.end.clamp(low, high) - low;
        let mut column = (u128::from(start) * count as u128 / span) as usize;
        while column < count && begin(column) < end {
            let inside = end.min(begin(column + 1)).saturating_sub(start.max(begin(column)));
            columns[column][*kind as usize] += inside;
            column += 1;
        }
    }
    columns
}

/// Heights of each kind in a column of so many bytes.
fn heights(bytes: &[u64; KINDS], span: f64, height: f64) -> [f64; KINDS] {
    let mut heights = bytes.map(|bytes| match bytes {
        0 => 0.0,
        bytes => (bytes as f64 / span * height).max(LOWEST),
    });
    let sum: f64 = heights.iter().sum();
    if sum > height {
        heights = heights.map(|part| part * height / sum);
    }
    heights.map(|part| (part / STEP).round() * STEP)
}

/// Draws what lies in the stretch, from `bottom` upwards.
pub(super) fn draw(
    picture: &mut Picture,
    parts: &[LayoutPart],
    stretch: &Stretch,
    bottom: f64,
    height: f64,
) {
    let columns = bytes(parts, stretch);
    let width = (stretch.right - stretch.left) / columns.len() as f64;
    let span = stretch.length_bytes() as f64 / columns.len() as f64;
    let columns: Vec<_> = columns.iter().map(|bytes| heights(bytes, span, height)).collect();
    let mut first = 0;
    while first < columns.len() {
        let alike = columns[first..].iter();
        let alike = alike.take_while(|column| **column == columns[first]).count();
        let mut y = bottom;
        for kind in GrowthKind::ALL {
            let part = columns[first][kind as usize];
            if part > 0.0 {
                y -= part;
                let x = stretch.left + first as f64 * width;
                let colour = of_kind(kind);
                picture.rect(x, y, alike as f64 * width, part, colour);
            }
        }
        first += alike;
    }
}

#[cfg(test)]
mod tests {
    use super::super::scale;
    use super::*;

    fn part(start: u64, bytes: u64, kind: GrowthKind) -> LayoutPart {
        LayoutPart { range: start..start + bytes, kind }
    }

    #[test]
    fn every_byte_is_in_its_column() {
        // 2 GiB in 1,024 columns of 2 MiB.
        let stretch = scale::low(0.0, 1024.0);
        let mib = 1 << 20;
        let parts = [
            part(mib, 2 * mib, GrowthKind::Break),
            part(3 * mib, 4096, GrowthKind::LowMemory),
            part((2 << 30) - mib, 64 * mib, GrowthKind::Other),
        ];
        let columns = bytes(&parts, &stretch);
        assert_eq!(columns[0][GrowthKind::Break as usize], mib);
        assert_eq!(columns[1][GrowthKind::Break as usize], mib);
        assert_eq!(columns[1][GrowthKind::LowMemory as usize], 4096);
        assert_eq!(columns[1023][GrowthKind::Other as usize], mib, "above is elsewhere");
        let all: u64 = columns.iter().flatten().sum();
        assert_eq!(all, 3 * mib + 4096);
    }

    #[test]
    fn columns_that_no_page_fits_evenly() {
        let stretch = Stretch { addresses: 0x1000..0x8000, left: 0.5, right: 333.2 };
        let parts = [part(0x2000, 0x3000, GrowthKind::Other)];
        let all: u64 = bytes(&parts, &stretch).iter().flatten().sum();
        assert_eq!(all, 0x3000);
    }

    #[test]
    fn a_page_is_seen_and_nothing_stands_out() {
        let mut bytes = [0; KINDS];
        bytes[0] = 4096;
        let seen = heights(&bytes, 2.0e6, 50.0);
        assert_eq!(seen[0], LOWEST);
        bytes[1] = 2_000_000;
        let both = heights(&bytes, 2.0e6, 50.0);
        assert!(both.iter().sum::<f64>() <= 50.0 + STEP);
    }
}
