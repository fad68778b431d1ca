//! Where a process's memory lay when it had grown most.

use std::ops::Range;
use std::time::Duration;

use super::kind::LOW_END;
use super::kind::{ByKind, GrowthKind};
use super::near_break::MappedBy;
use proc_memory::Mapping;

/// The private writable memory of one process by address, at the moment of its greatest growth.
///
/// It is that moment to within 1/64 of the growth: a state is kept, just before memory goes back,
/// only if it exceeds the one that was kept before by so much.
/// [`greatest_growth_bytes`](Self::greatest_growth_bytes) is exact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryLayout {
    /// The process: the one that grew most.
    pub pid: i32,
    /// When this state was reached, since the watching began.
    pub at: Duration,
    /// By how much the process had grown then: what it had asked for and not given back.
    pub growth_bytes: i64,
    /// The most by which it ever grew.
    pub greatest_growth_bytes: i64,
    /// What was writable, by address, in rising order. The stack isn't in it, nor what was shared
    /// or only read.
    pub parts: Vec<LayoutPart>,
    /// Where the break was, rounded up to a page, if any call or `/proc` told.
    pub program_break: Option<u64>,
    /// How often a greater break was refused, until the program's end.
    pub refused_brks: u64,
    /// What the break could not pass; `None` if none was refused, or not for that reason.
    pub blocker: Option<Blocker>,
    /// Whether it is known what was there before anything was asked for: a log doesn't tell.
    pub knows_earlier: bool,
}

/// A stretch of memory of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayoutPart {
    /// Its addresses.
    pub range: Range<u64>,
    /// How it came.
    pub kind: GrowthKind,
}

/// What a break could not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Blocker {
    /// Its addresses.
    pub range: Range<u64>,
    /// How its first page came, where the calls told that.
    pub kind: Option<GrowthKind>,
    /// As `/proc/PID/maps` had it when the break was first refused. `None` where only the calls
    /// are known: then it is what they say of the first addresses above the break.
    pub mapping: Option<Mapping>,
    /// The call that mapped it, where it was seen.
    pub mapped_by: Option<MappedBy>,
    /// Whether it lies right at the break and looks like the heap itself (private, anonymous,
    /// `rw-`): then `/proc/PID/maps` shows both as one `[heap]`, with room above it.
    pub merged: bool,
}

impl Blocker {
    /// One of which nothing but its addresses is known.
    pub fn at(range: Range<u64>) -> Self {
        Self { range, kind: None, mapping: None, mapped_by: None, merged: false }
    }
}

impl MemoryLayout {
    /// One of which nothing but these parts is known.
    pub fn of(pid: i32, parts: Vec<LayoutPart>) -> Self {
        Self { pid, parts, ..Self::default() }
    }

    /// Bytes of each kind. What was there before counts here, as it lies there.
    pub fn bytes(&self) -> ByKind {
        self.bytes_below(u64::MAX)
    }

    /// Bytes of each kind below 2 GiB.
    pub fn low_bytes(&self) -> ByKind {
        self.bytes_below(LOW_END)
    }

    fn bytes_below(&self, end: u64) -> ByKind {
        let mut bytes = ByKind::default();
        for LayoutPart { range, kind } in &self.parts {
            bytes[*kind] += range.end.min(end).saturating_sub(range.start) as i64;
        }
        bytes
    }

    /// At most so many parts: neighbours are taken together, those with the smallest gaps between
    /// them first, and not across kinds unless kinds alternate too often. Each comes with the bytes
    /// that are really in it, of its kind.
    pub fn merged(&self, most: usize) -> Vec<(LayoutPart, u64)> {
        let whole = |part: &LayoutPart| (part.clone(), part.range.end - part.range.start);
        let mut parts: Vec<_> = self.parts.iter().map(whole).collect();
        let mut gap = 4096;
        while parts.len() > most.max(GrowthKind::ALL.len()) {
            parts = match gap < 1 << 47 {
                true => closer_than(gap, parts),
                // They alternate: from here on those of a kind are joined over others.
                false => {
                    parts.sort_by_key(|(part, _)| (part.kind, part.range.start));
                    closer_than(u64::MAX, parts)
                }
            };
            gap = gap.saturating_mul(2);
        }
        parts
    }
}

fn closer_than(gap: u64, parts: Vec<(LayoutPart, u64)>) -> Vec<(LayoutPart, u64)> {
    let mut joined: Vec<(LayoutPart, u64)> = Vec::new();
    for (part, bytes) in parts {
        match joined.last_mut() {
            Some((last, sum))
                if last.kind == part.kind
                    && part.range.start.saturating_sub(last.range.end) <= gap =>
            {
                last.range.end = part.range.end;
                *sum += bytes;
            }
            _ => joined.push((part, bytes)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(parts: impl IntoIterator<Item = (u64, u64, GrowthKind)>) -> MemoryLayout {
        let part = |(start, bytes, kind)| LayoutPart { range: start..start + bytes, kind };
        MemoryLayout::of(1, parts.into_iter().map(part).collect())
    }

    #[test]
    fn bytes_below_two_gibibytes() {
        let layout = layout([
            (0x1000, 0x3000, GrowthKind::Break),
            (0x7fff_f000, 0x2000, GrowthKind::Other),
            (0x7f00_0000_0000, 0x5000, GrowthKind::Other),
        ]);
        assert_eq!(layout.bytes()[GrowthKind::Other], 0x7000);
        assert_eq!(layout.low_bytes()[GrowthKind::Other], 0x1000);
        assert_eq!(layout.low_bytes()[GrowthKind::Break], 0x3000);
    }

    #[test]
    fn many_parts_become_few_and_lose_no_bytes() {
        let near = (0..10_000).map(|n| (n * 0x3000, 0x1000, GrowthKind::Other));
        let layout_of_near = layout(near);
        let merged = layout_of_near.merged(100);
        assert_eq!(merged.len(), 1);
        assert_eq!(merged[0].1, 10_000 * 0x1000);
        assert_eq!(merged[0].0.range, 0..9_999 * 0x3000 + 0x1000);

        // Alternating kinds, and a far one that stays apart.
        let kinds = [GrowthKind::Other, GrowthKind::LowMemory];
        let mixed = (0..10_000).map(|n| (n * 0x1000, 0x1000, kinds[n as usize % 2]));
        let layout = layout(mixed);
        let merged = layout.merged(100);
        assert_eq!(merged.len(), 2);
        let sum: u64 = merged.iter().map(|(_, bytes)| bytes).sum();
        assert_eq!(sum, 10_000 * 0x1000);
        assert_eq!(layout.merged(10_000).len(), 10_000);
    }
}
