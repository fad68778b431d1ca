//! A process's private memory by address, as far as its calls have told.

use std::collections::BTreeMap;
use std::ops::Range;

use super::kind::GrowthKind;

/// What is known of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    /// How it came, or would count if it became writable.
    pub(super) kind: GrowthKind,
    /// Only what is writable counts as memory that was asked for.
    pub(super) writable: bool,
    /// Others have it as well: it lies there, but never counts.
    pub(super) shared: bool,
    /// It came with a fork: it is the parent's growth, if anybody's, and giving it back gives the machine
    /// nothing.
    pub(super) inherited: bool,
}

impl Tag {
    /// Of memory that counts.
    pub(super) const fn writable(kind: GrowthKind) -> Self {
        Self { kind, writable: true, shared: false, inherited: false }
    }

    /// Whether it is this process's growth.
    pub(super) fn counts(&self) -> bool {
        self.writable && !self.inherited
    }
}

/// Ranges that don't overlap; neighbours with the same tag are one, so that there are hardly more
/// than the kernel itself keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranges {
    /// Start → (end, tag).
    by_start: BTreeMap<u64, (u64, Tag)>,
}

impl Ranges {
    /// Takes out what lies in `range`, piece by piece in rising order.
    pub(super) fn cut(&mut self, range: Range<u64>, mut piece: impl FnMut(Range<u64>, Tag)) {
        let Some((start, end, tag)) = self.last_in(&range) else {
            return;
        };
        if start <= range.start {
            // It is the only one.
            match start == range.start {
                true => self.by_start.remove(&start),
                false => self.by_start.insert(start, (range.start, tag)),
            };
            if end > range.end {
                self.by_start.insert(range.end, (end, tag));
            }
            return piece(range.start..end.min(range.end), tag);
        }
        if let Some((&start, &(end, tag))) = self.by_start.range(..range.start).next_back()
            && end > range.start
        {
            self.by_start.insert(start, (range.start, tag));
            // The part inside is found below.
            self.by_start.insert(range.start, (end, tag));
        }
        while let Some((&start, &(end, tag))) = self.by_start.range(range.clone()).next() {
            self.by_start.remove(&start);
            if end > range.end {
                self.by_start.insert(range.end, (end, tag));
            }
            piece(start..end.min(range.end), tag);
        }
    }

    /// Puts a range where nothing is.
    pub(super) fn put(&mut self, mut range: Range<u64>, tag: Tag) {
        if range.is_empty() {
            return;
        }
        if let Some(&(end, after)) = self.by_start.get(&range.end)
            && after == tag
        {
            self.by_start.remove(&range.end);
            range.end = end;
        }
        if let Some((_, (end, before))) = self.by_start.range_mut(..range.start).next_back()
            && *end == range.start
            && *before == tag
        {
            *end = range.end;
        } else {
            self.by_start.insert(range.start, (range.end, tag));
        }
    }

    /// Start, end and tag of the highest of which a part lies in `range`.
    fn last_in(&self, range: &Range<u64>) -> Option<(u64, u64, Tag)> {
        let (&start, &(end, tag)) = self.by_start.range(..range.end).next_back()?;
        (!range.is_empty() && end > range.start).then_some((start, end, tag))
    }

    /// What lies at an address, as a whole.
    pub(super) fn at(&self, address: u64) -> Option<(Range<u64>, Tag)> {
        let (&start, &(end, tag)) = self.by_start.range(..=address).next_back()?;
        (end > address).then_some((start..end, tag))
    }

    /// The kind of what lies at an address.
    pub(super) fn kind_at(&self, address: u64) -> Option<GrowthKind> {
        self.at(address).map(|(_, tag)| tag.kind)
    }

    /// The whole of the first of them that begins in `range`.
    pub(super) fn first_from(&self, range: &Range<u64>) -> Option<Range<u64>> {
        if range.is_empty() {
            return None;
        }
        let (&start, &(end, _)) = self.by_start.range(range.clone()).next()?;
        Some(start..end)
    }

    /// The parts of `range` in which something is.
    pub(super) fn within(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        if self.last_in(range).is_none() {
            return Vec::new();
        }
        let before = self.by_start.range(..range.start).next_back();
        let inside = self.by_start.range(range.clone());
        before
            .into_iter()
            .chain(inside)
            .map(|(&start, &(end, _))| start.max(range.start)..end.min(range.end))
            .filter(|part| !part.is_empty())
            .collect()
    }

    /// How many bytes they are, and how many of them are writable.
    pub(super) fn bytes(&self) -> (u64, u64) {
        self.iter().fold((0, 0), |(all, writable), (range, tag)| {
            let bytes = range.end - range.start;
            (all + bytes, writable + if tag.writable { bytes } else { 0 })
        })
    }

    /// All of them, in rising order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Range<u64>, Tag)> {
        self.by_start.iter().map(|(&start, &(end, tag))| (start..end, tag))
    }
}

/// So many are remembered: more than there are threads in the midst of an munmap.
const MOST_OVERTAKEN: usize = 256;

/// Ranges whose munmap hasn't been told yet, because calls of several threads are told in another order
/// than that in which they took effect.
///
/// One thread unmaps a range; before that is told, the kernel gives the range to another thread,
/// whose mmap is told first. An mmap without `MAP_FIXED` never replaces anything, so where it seems
/// to, an munmap has been overtaken: when that is told, it concerns what was there before, not the
/// new mapping.
#[derive(Clone, Debug, Default)]
pub(super) struct Overtaken(Vec<Range<u64>>);

impl Overtaken {
    /// A new mapping was given this range, in which something was thought to be.
    pub(super) fn by(&mut self, range: &Range<u64>, known: &Ranges) {
        self.0.extend(known.within(range));
        if self.0.len() > MOST_OVERTAKEN {
            self.0.drain(..self.0.len() - MOST_OVERTAKEN);
        }
    }

    /// Whether all has been told.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The parts of an unmapped range that it is still about.
    pub(super) fn still_to_unmap(&mut self, range: Range<u64>) -> Vec<Range<u64>> {
        let mut left = vec![range];
        self.0.retain(|overtaken| {
            let apart =
                |part: &Range<u64>| part.end <= overtaken.start || overtaken.end <= part.start;
            if left.iter().all(apart) {
                return true;
            }
            let mut is_told = false;
            left = left
                .drain(..)
                .flat_map(|part| {
                    let common = part.start.max(overtaken.start)..part.end.min(overtaken.end);
                    if common.is_empty() {
                        return vec![part];
                    }
                    is_told = true;
                    vec![part.start..common.start, common.end..part.end]
                })
                .filter(|part| !part.is_empty())
                .collect();
            !is_told
        });
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAP: Tag = Tag::writable(GrowthKind::Break);
    const BLOCK: Tag = Tag::writable(GrowthKind::LargeBlock);

    fn listed(ranges: &Ranges) -> Vec<(Range<u64>, Tag)> {
        ranges.iter().collect()
    }

    fn cut(ranges: &mut Ranges, range: Range<u64>) -> Vec<(Range<u64>, Tag)> {
        let mut pieces = Vec::new();
        ranges.cut(range, |piece, tag| pieces.push((piece, tag)));
        pieces
    }

    #[test]
    fn neighbours_of_one_kind_are_one() {
        let mut ranges = Ranges::default();
        ranges.put(10..20, HEAP);
        ranges.put(30..40, HEAP);
        ranges.put(20..30, HEAP);
        ranges.put(40..50, BLOCK);
        assert_eq!(listed(&ranges), [(10..40, HEAP), (40..50, BLOCK)]);
    }

    #[test]
    fn a_cut_takes_pieces_and_leaves_the_rest() {
        let mut ranges = Ranges::default();
        ranges.put(10..20, HEAP);
        ranges.put(30..40, BLOCK);
        assert_eq!(cut(&mut ranges, 15..35), [(15..20, HEAP), (30..35, BLOCK)]);
        assert_eq!(listed(&ranges), [(10..15, HEAP), (35..40, BLOCK)]);
        assert_eq!(cut(&mut ranges, 11..12), [(11..12, HEAP)]);
        assert_eq!(listed(&ranges), [(10..11, HEAP), (12..15, HEAP), (35..40, BLOCK)]);
    }

    #[test]
    fn parts_within() {
        let mut ranges = Ranges::default();
        ranges.put(10..20, HEAP);
        ranges.put(30..40, BLOCK);
        assert_eq!(ranges.within(&(15..35)), [15..20, 30..35]);
        assert_eq!(ranges.within(&(12..13)), [Range { start: 12, end: 13 }]);
        assert_eq!(ranges.within(&(20..30)), []);
    }

    #[test]
    fn borders_are_not_inside() {
        let mut ranges = Ranges::default();
        ranges.put(10..20, HEAP);
        assert_eq!(cut(&mut ranges, 0..10), []);
        assert_eq!(cut(&mut ranges, 20..30), []);
        assert_eq!(cut(&mut ranges, 12..12), []);
        assert_eq!(cut(&mut ranges, 10..20), [(10..20, HEAP)]);
        assert_eq!(listed(&ranges), []);
    }
}
