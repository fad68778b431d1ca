//! Memory over time, in so many points that a chart can show them.

use std::collections::HashMap;
use std::time::Duration;

use super::growth::kind::ByKind;
use rustc_hash::FxBuildHasher;

/// Points that are kept. When time outgrows them, each two become one.
const POINTS: usize = 512;

/// Width of a point at the beginning.
const FIRST_WIDTH: Duration = Duration::from_micros(100);

/// One stretch of time.
#[derive(Clone, Debug, Default)]
struct Point {
    /// What all processes had at its end.
    by_kind: ByKind,
    /// While which file (its number) most was asked for in this stretch, and how much.
    file: Option<(usize, u64)>,
}

/// Private writable memory over time.
#[derive(Debug)]
pub struct Timeline {
    width: Duration,
    /// Without those stretches in which nothing happened: number of the stretch → point.
    points: Vec<(u64, Point)>,
    last: Duration,
    /// What each file made grow in the stretch that isn't over yet.
    present: HashMap<usize, u64, FxBuildHasher>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self {
            width: FIRST_WIDTH,
            points: Vec::new(),
            last: Duration::ZERO,
            present: HashMap::default(),
        }
    }
}

impl Timeline {
    /// Memory is now so; `asked_bytes` of it were asked for while `file` was being read.
    pub(super) fn changed(
        &mut self,
        at: Duration,
        now: &ByKind,
        file: Option<usize>,
        asked_bytes: u64,
    ) {
        // Threads on several processors may be told a little out of order.
        self.last = self.last.max(at);
        let stretch = self.stretch_of(self.last);
        match self.points.last_mut() {
            Some((last, point)) if *last == stretch => point.by_kind = *now,
            _ => {
                self.present.clear();
                self.points.push((stretch, Point { by_kind: *now, file: None }));
            }
        }
        if let (Some(file), Some((_, point))) = (file, self.points.last_mut())
            && asked_bytes > 0
        {
            let bytes = self.present.entry(file).or_default();
            *bytes = bytes.saturating_add(asked_bytes);
            if point.file.is_none_or(|(_, most)| *bytes >= most) {
                point.file = Some((file, *bytes));
            }
        }
        if self.points.len() > POINTS {
            self.halve();
        }
    }

    /// Its stretches: when each ends, what all processes had then, and while which file (its number)
    /// most was asked for.
    pub fn points(&self) -> impl Iterator<Item = (Duration, &ByKind, Option<usize>)> {
        self.points.iter().map(|(stretch, point)| {
            let end = self
                .width
                .saturating_mul(u32::try_from(stretch.saturating_add(1)).unwrap_or(u32::MAX));
            (end.min(self.last), &point.by_kind, point.file.map(|(file, _)| file))
        })
    }

    /// How much time a point stands for.
    pub fn width(&self) -> Duration {
        self.width
    }

    /// When memory last changed.
    pub fn last(&self) -> Duration {
        self.last
    }

    fn stretch_of(&self, at: Duration) -> u64 {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        nanoseconds(at) / nanoseconds(self.width)
    }

    fn halve(&mut self) {
        self.width = self.width.saturating_mul(2);
        let mut halved: Vec<(u64, Point)> = Vec::with_capacity(POINTS);
        for (stretch, point) in self.points.drain(..) {
            match halved.last_mut() {
                Some((last, merged)) if *last == stretch / 2 => {
                    merged.by_kind = point.by_kind;
                    merged.file = merged_file(merged.file, point.file);
                }
                _ => halved.push((stretch / 2, point)),
            }
        }
        self.points = halved;
        self.present.clear();
        if let Some((_, point)) = self.points.last()
            && let Some((file, bytes)) = point.file
        {
            self.present.insert(file, bytes);
        }
    }
}

fn merged_file(a: Option<(usize, u64)>, b: Option<(usize, u64)>) -> Option<(usize, u64)> {
    match (a, b) {
        (Some((first, x)), Some((second, y))) if first == second => {
            Some((first, x.saturating_add(y)))
        }
        (Some(a), Some(b)) => Some(if a.1 > b.1 { a } else { b }),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::growth::GrowthKind;

    fn held(bytes: i64) -> ByKind {
        let mut held = ByKind::default();
        held[GrowthKind::Break] = bytes;
        held
    }

    #[test]
    fn a_long_run_keeps_its_shape_in_few_points() {
        let mut timeline = Timeline::default();
        for millisecond in 0..1_000_000_u64 {
            let at = Duration::from_millis(millisecond);
            timeline.changed(at, &held(millisecond as i64), Some(7), 1);
        }
        let points: Vec<_> = timeline.points().collect();
        assert!(points.len() <= POINTS && points.len() > POINTS / 4, "{}", points.len());
        let (end, last, _) = points.last().unwrap();
        assert_eq!(*end, Duration::from_millis(999_999));
        assert_eq!(last[GrowthKind::Break], 999_999);
        for (at, by_kind, file) in points {
            // A stretch holds what memory was at its end.
            let expected = at.as_millis() as i64;
            assert!((by_kind[GrowthKind::Break] - expected).abs() <= 1, "{at:?} {by_kind:?}");
            assert_eq!(file, Some(7));
        }
    }

    #[test]
    fn a_stretch_names_the_file_that_made_most_grow() {
        let mut timeline = Timeline::default();
        timeline.changed(Duration::ZERO, &held(10), Some(1), 10);
        timeline.changed(Duration::ZERO, &held(25), Some(2), 15);
        timeline.changed(Duration::ZERO, &held(35), Some(1), 10);
        assert_eq!(timeline.points[0].1.file, Some((1, 20)));
    }
}
