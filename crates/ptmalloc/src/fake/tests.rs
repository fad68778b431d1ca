//! A made-up heap with known free chunks, to be read, to be damaged, and to seed the fuzzer.

use super::*;
use crate::chunk::bin_index;
use crate::layout::{BINS, LAYOUTS, Layout, WITH_FAST_BINS, WITHOUT_FAST_BINS};

/// The arena is here, the heap from the next page on.
const ARENA: u64 = START + 0x100;
const HEAP: u64 = START + 0x2000;

/// glibc until 2.31, until 2.42, and since.
const FORMS: [(&Layout, LinkProtection); 3] = [
    (&WITH_FAST_BINS, LinkProtection::Plain),
    (&WITH_FAST_BINS, LinkProtection::Mangled),
    (&WITHOUT_FAST_BINS, LinkProtection::Mangled),
];

/// Free chunks of given sizes, each between two blocks in use. Where there are fast bins, every
/// third one is in one if it is small enough; every fifth of the others isn't sorted.
struct Heap {
    memory: Fake,
    layout: &'static Layout,
    links: LinkProtection,
    length: u64,
    expected: Free,
}

impl Heap {
    fn new(layout: &'static Layout, links: LinkProtection, sizes: &[u64]) -> Self {
        Self::in_order(layout, links, sizes, |_| 0)
    }

    /// One whose lists are in the order of what `key` makes of the chunks' addresses.
    fn in_order(
        layout: &'static Layout,
        links: LinkProtection,
        sizes: &[u64],
        key: impl Fn(u64) -> u64,
    ) -> Self {
        let used: u64 = sizes.iter().map(|size| size + 32).sum();
        let top = HEAP + used + 32;
        let end = (top + 0x2000).next_multiple_of(4096);
        let mut heap = Self {
            memory: Fake::new(START, end - START),
            layout,
            links,
            length: end - START,
            expected: Free { top_bytes: end - top, ..Free::default() },
        };
        let mut bins: Vec<Vec<u64>> = vec![Vec::new(); BINS];
        let mut fast: Vec<Vec<u64>> = vec![Vec::new(); 10];
        let mut address = HEAP;
        for (index, size) in sizes.iter().enumerate() {
            // In use, then free.
            heap.write(address + 8, 32 | 1);
            let chunk = address + 32;
            heap.write(chunk + 8, size | 1);
            let is_fast = layout.fast.is_some() && *size <= 160 && index % 3 == 0;
            address = chunk + size;
            heap.expected.chunks += 1;
            if is_fast {
                fast[(size / 16 - 2) as usize].push(chunk);
                heap.expected.fast_bytes += size;
                continue;
            }
            let bin = if index % 5 == 0 { 1 } else { bin_index(*size) as usize };
            bins[bin].push(chunk);
            heap.write(address, *size);
            match bin {
                1 => heap.expected.unsorted_bytes += size,
                2..64 => heap.expected.small_bytes += size,
                _ => heap.expected.large_bytes += size,
            }
        }
        for list in bins.iter_mut().chain(&mut fast) {
            list.sort_by_key(|chunk| key(*chunk));
        }
        heap.write(address + 8, 32 | 1);
        heap.in_use_bits(sizes, &bins);
        heap.write(top + 8, (end - top) | 1);
        heap.header(top, end - HEAP, &bins, &fast);
        heap
    }

    fn write(&mut self, address: u64, word: u64) {
        self.memory.write(address, word);
    }

    /// What follows a chunk in a bin knows that it is free.
    fn in_use_bits(&mut self, sizes: &[u64], bins: &[Vec<u64>]) {
        let mut address = HEAP;
        for size in sizes {
            let chunk = address + 32;
            address = chunk + size;
            if bins.iter().flatten().any(|one| *one == chunk) {
                self.write(address + 8, 32);
            }
        }
    }

    fn header(&mut self, top: u64, system: u64, bins: &[Vec<u64>], fast: &[Vec<u64>]) {
        let layout = self.layout;
        let at = |offset: usize| ARENA + offset as u64;
        self.write(at(layout.top), top);
        self.write(at(layout.next), ARENA);
        self.write(at(layout.system), system);
        self.write(at(layout.max_system), system);
        let mut maps = [0_u64; 2];
        for bin in 1..BINS {
            let head = at(layout.bin(bin)) - 16;
            let mut ring = vec![head];
            ring.extend(&bins[bin]);
            for (index, chunk) in ring.iter().enumerate() {
                let next = ring[(index + 1) % ring.len()];
                self.write(chunk + 16, next);
                self.write(next + 24, *chunk);
            }
            if ring.len() > 1 {
                maps[bin / 64] |= 1 << (bin % 64);
            }
        }
        self.write(at(layout.binmap), maps[0]);
        self.write(at(layout.binmap + 8), maps[1]);
        let Some(first) = layout.fast else { return };
        for (bin, chain) in fast.iter().enumerate() {
            let mut next = 0;
            for chunk in chain {
                self.write(chunk + 16, self.links.across(chunk + 16, next));
                next = *chunk;
            }
            self.write(at(first + bin * 8), next);
        }
    }

    fn bytes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let all = START..START + self.length;
        self.memory.read_one(all, &mut bytes).unwrap();
        bytes
    }

    fn examined(&mut self) -> Vec<Free> {
        let mut found = arenas_in(&self.bytes());
        for free in &mut found {
            free.returnable_bytes = 0;
            let runs = std::mem::take(&mut free.runs);
            assert_eq!(runs.by_size.iter().map(|size| size.bytes).sum::<u64>(), free.total_bytes());
            assert_eq!(runs.by_size.iter().map(|size| size.count).sum::<u64>(), runs.count);
            // Here all is.
            assert_eq!(std::mem::take(&mut free.resident_bytes), free.total_bytes());
        }
        found
    }
}

fn sizes(raw: &[u16]) -> Vec<u64> {
    raw.iter().map(|raw| u64::from(*raw) % 5000 / 16 * 16 + 32).collect()
}

#[test]
fn a_small_heap_is_understood_to_the_byte() {
    for (layout, links) in FORMS {
        let mut heap = Heap::new(layout, links, &[320, 48, 1008, 32, 4096, 64, 2048, 2048]);
        let expected = heap.expected;
        assert_eq!(heap.examined(), [expected], "{layout:?} {links:?}");
    }
}

/// So many that their memory is read as a whole, but for a few lists.
#[test]
fn a_heap_without_any_order_is_understood_to_the_byte() {
    let sizes: Vec<u64> =
        (0..4000_u64).map(|count| [48, 320, 1504, 64][count as usize % 4]).collect();
    for (layout, links) in FORMS {
        let scattered = |chunk: u64| chunk.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut heap = Heap::in_order(layout, links, &sizes, scattered);
        let expected = heap.expected;
        assert_eq!(heap.examined(), [expected], "{layout:?} {links:?}");
    }
}

/// A bin's first chunk on a page whose number ends in 0: either reading of its link leads to where a
/// chunk can be, and in the wrong one there is what looks like the list's last.
#[test]
fn links_that_fit_in_both_readings_are_read_in_the_right_one() {
    const FIRST: u64 = START + 0x1_0000;
    const LAST: u64 = HEAP + 32;
    let between = FIRST - 32 - (LAST + 48) - 2 * 32;
    for links in [LinkProtection::Plain, LinkProtection::Mangled] {
        let sizes = [48, 1008, between - 1008, 48, 64];
        let mut heap = Heap::new(&WITH_FAST_BINS, links, &sizes);
        let misread = LinkProtection::Mangled.across(FIRST + 16, LAST);
        assert!((LAST..FIRST).contains(&misread) && misread.is_multiple_of(16));
        heap.write(misread + 8, 48 | 1);
        heap.write(misread + 16, 0);
        let mut stored = Vec::new();
        heap.memory.read_one(FIRST + 16..FIRST + 24, &mut stored).unwrap();
        assert_eq!(stored, links.across(FIRST + 16, LAST).to_le_bytes());
        let expected = heap.expected;
        assert_eq!(heap.examined(), [expected], "{links:?}");
    }
}

#[test]
fn whole_pages_behind_the_links_are_given_back() {
    // One chunk of five pages less a bit: three or four whole pages, by where it begins.
    let mut heap = Heap::new(&WITH_FAST_BINS, LinkProtection::Mangled, &[48, 20_000, 32]);
    let found = arenas_in(&heap.bytes());
    let chunk = HEAP + 32 + 48 + 32;
    let pages = (chunk + 20_000) / 4096 - (chunk + 48).div_ceil(4096);
    let top = heap.expected.top_bytes;
    let kept = (top - 33) / 4096;
    assert_eq!(found[0].returnable_bytes, (pages + kept) * 4096);
}

/// In the first page are two blocks of 32 bytes in use, and so many in the last one before the top.
#[test]
fn pages_that_are_partly_in_use_are_counted_with_what_is_in_use_of_them() {
    let mut heap = Heap::new(&WITH_FAST_BINS, LinkProtection::Mangled, &[48, 20_000, 32]);
    let runs = arenas_in(&heap.bytes())[0].runs;
    let by_size = runs.by_size.map(|size| (size.count, size.bytes));
    let top = heap.expected.top_bytes;
    assert_eq!(by_size, [(2, 48 + 32), (2, 20_000 + top), (0, 0), (0, 0)]);
    assert_eq!((runs.count, runs.mixed_pages, runs.mixed_used_bytes), (4, 2, 4 * 32));
}

#[test]
fn a_seed_for_the_fuzzer() {
    let seed = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/malloc");
    for (name, layout) in ["fast-bins", "no-fast-bins"].iter().zip(LAYOUTS) {
        let bytes =
            Heap::new(layout, LinkProtection::Mangled, &[320, 48, 1008, 32, 1504, 64, 112]).bytes();
        let path = std::path::Path::new(seed).join(name);
        if std::env::var_os("UPDATE_SEEDS").is_some() {
            std::fs::create_dir_all(seed).unwrap();
            std::fs::write(&path, &bytes).unwrap();
        }
        assert!(
            std::fs::read(&path).unwrap() == bytes,
            "{path:?} is not what this test makes; anew: UPDATE_SEEDS=1 cargo test -p ptmalloc seed"
        );
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn any_heap_is_understood_to_the_byte(
        raw in proptest::collection::vec(proptest::prelude::any::<u16>(), 3..60),
        form in 0..FORMS.len(),
    ) {
        let (layout, links) = FORMS[form];
        let mut heap = Heap::new(layout, links, &sizes(&raw));
        let expected = heap.expected;
        proptest::prop_assert_eq!(heap.examined(), [expected]);
    }

    /// Whatever is damaged: what is still given fits into the arena (which is asserted on the way),
    /// nothing panics, and it ends.
    #[test]
    fn any_damage_is_survived(
        raw in proptest::collection::vec(proptest::prelude::any::<u16>(), 3..60),
        damage in proptest::collection::vec((0..4000_u64, 0..6_u8, proptest::prelude::any::<u64>()), 1..8),
    ) {
        let mut heap = Heap::new(&WITH_FAST_BINS, LinkProtection::Mangled, &sizes(&raw));
        for (word, how, value) in damage {
            let address = START + word * 8 % (heap.length - 8);
            let inside = START + value % heap.length / 16 * 16;
            let value = match how {
                0 => value,
                1 => 0,
                2 => inside,
                3 => inside + 1,
                4 => address - 16,
                _ => value % 5000,
            };
            heap.write(address, value);
        }
        let _ = heap.examined();
    }
}
