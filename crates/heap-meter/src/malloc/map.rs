//! Where in a process malloc's memory can be at all.

use std::ops::Range;

use crate::address_space::AddressSpace;

/// Private writable memory of a process, neighbours joined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Map {
    ranges: Vec<Range<u64>>,
    /// What `madvise` refuses to give back: huge pages of the hugetlb file system, which aren't
    /// counted in the rss either, and locked memory.
    kept: Vec<Range<u64>>,
    /// Where the break ends, rounded up to a page; `None` if it isn't known or there is none.
    pub(super) break_end: Option<u64>,
}

impl Map {
    /// Of this list of mappings.
    pub(super) fn of(space: &AddressSpace) -> Self {
        let mut map = Self {
            break_end: space.program_break().map(|heap| heap.end),
            ..Self::default()
        };
        for mapping in space.mappings() {
            let allowed = mapping.permissions;
            if allowed.read && allowed.write && !allowed.shared {
                map.add(mapping.start..mapping.end);
                if mapping.name.starts_with(b"/anon_hugepage") {
                    map.kept.push(mapping.start..mapping.end);
                }
            }
        }
        map
    }

    /// Adds a range above all others.
    pub(super) fn add(&mut self, range: Range<u64>) {
        match self.ranges.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => self.ranges.push(range),
        }
    }

    /// Whether the whole of a range is private writable memory.
    pub(super) fn holds(&self, range: &Range<u64>) -> bool {
        let after = self.ranges.partition_point(|one| one.start <= range.start);
        after > 0 && range.start <= range.end && range.end <= self.ranges[after - 1].end
    }

    /// Adds what is locked.
    pub(super) fn keep(&mut self, locked: &[Range<u64>]) {
        self.kept.extend_from_slice(locked);
    }

    /// Whether a range touches memory that isn't given back.
    pub(super) fn keeps(&self, range: &Range<u64>) -> bool {
        self.kept
            .iter()
            .any(|one| one.start < range.end && range.start < one.end)
    }

    /// All of it.
    pub(super) fn length_bytes(&self) -> u64 {
        self.ranges
            .iter()
            .fold(0, |sum, range| sum.saturating_add(range.end - range.start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_and_writable_with_neighbours_joined() {
        let list = "\
00400000-00401000 r-xp 00000000 fe:00 7    /bin/x
00401000-00402000 rw-p 00001000 fe:00 7    /bin/x
00402000-00404000 rw-p 00000000 00:00 0
00405000-00407000 rw-p 00000000 00:00 0    [heap]
7f0000000000-7f0000001000 rw-s 00000000 00:05 3    /dev/zero (deleted)
7f0000200000-7f0000400000 rw-p 00000000 00:0f 3    /anon_hugepage (deleted)
";
        let map = Map::of(&AddressSpace::parse(list.as_bytes(), Some(0x40_5000)).unwrap());
        assert!(map.holds(&(0x40_1000..0x40_4000)));
        assert!(!map.holds(&(0x40_1000..0x40_4001)));
        assert!(!map.holds(&(0x40_0fff..0x40_2000)));
        assert!(!map.holds(&(0..8)));
        assert!(!map.holds(&(0x7f00_0000_0000..0x7f00_0000_0008)));
        assert!(map.keeps(&(0x7f00_0020_0000..0x7f00_0020_1000)));
        assert!(!map.keeps(&(0x40_1000..0x40_4000)));
        assert_eq!(map.length_bytes(), 0x5000 + 0x20_0000);
        assert_eq!(map.break_end, Some(0x40_7000));
    }
}
