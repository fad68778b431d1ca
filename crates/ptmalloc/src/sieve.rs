//! The free chunks of a piece of memory, sifted out of it as a whole.
//!
//! Where blocks were freed in no order, their list leads from anywhere to anywhere, and each step is
//! a system call for memory that no processor has near. Once a list was followed so for a while, it
//! costs less to read all that is resident of the piece from its beginning to its end, and to keep
//! the words of what looks like a free chunk. What only looks like one is in no list, and is never
//! asked for; what was missed is read by itself.

use std::ops::Range;

use proc_memory::word;

use super::cache::PAGE_BYTES;
use super::chunk::{
    ALIGNMENT_BYTES, FLAGS, LinkProtection, PREVIOUS_IN_USE, SIZE_LIMIT, SMALLEST_BYTES,
    fastbin_index,
};
use super::error::Inconsistency;
use super::heap_info::HeapInfos;
use super::layout::FAST_BINS;
use super::malloc_state::MallocState;
use super::memory::TargetMemory;

/// Bits of a size that are set in no free chunk: it has a mapping of its own, and one that is none.
const NEVER_FREE: u64 = 0b1010;
/// Memory that is read at once.
const PART_BYTES: u64 = 512 << 10;
/// A chunk's words reach so far beyond the 16 bytes that it begins with.
const BEYOND_BYTES: u64 = SMALLEST_BYTES - ALIGNMENT_BYTES;
/// Reads of single places that are spent in any case.
const LEAST_READS: u64 = 64;

#[derive(Debug, Default)]
pub(super) struct Sieve {
    pieces: Vec<Piece>,
    /// Single places that were read since a piece was.
    reads: u64,
}

/// A piece of memory, of whole pages.
#[derive(Debug)]
struct Piece {
    range: Range<u64>,
    /// For each page and its end, the number of the first chunk that begins there or behind it.
    firsts: Vec<u32>,
    /// By rising address.
    kept: Vec<SievedPiece>,
}

#[derive(Clone, Copy, Debug)]
struct SievedPiece {
    /// Which sixteen bytes of its page it begins with, below its size with the flags.
    size_and_place: u64,
    forward: u64,
    back: u64,
}

impl Sieve {
    /// That so many places were read by themselves.
    pub(super) fn count(&mut self, reads: usize) {
        self.reads += reads as u64;
    }

    /// The piece round an address, if it is worth to be read as a whole by now.
    pub(super) fn is_due(&self, heaps: &HeapInfos<'_>, address: u64) -> Option<Range<u64>> {
        if self.reads < LEAST_READS || self.piece(address).is_some() {
            return None;
        }
        let piece = Some(heaps.around(address)).filter(|piece| !piece.is_empty())?;
        let start = piece.start & !(PAGE_BYTES - 1);
        let end = piece.end.checked_next_multiple_of(PAGE_BYTES)?;
        let pages = (end - start) / PAGE_BYTES;
        // A page costs about what a read does.
        (pages <= self.reads).then_some(start..end)
    }

    /// Size with flags, forward and backward link of what may be a free chunk.
    pub(super) fn words(&self, address: u64) -> Option<[u64; 3]> {
        let piece = self.piece(address)?;
        let page = ((address - piece.range.start) / PAGE_BYTES) as usize;
        let [first, end] = [page, page + 1].map(|page| piece.firsts.get(page));
        let kept = piece.kept.get(*first? as usize..*end? as usize)?;
        let wanted = place(address);
        let found = kept.binary_search_by_key(&wanted, |one| one.size_and_place & 0xff);
        let found = kept.get(found.ok()?)?;
        Some([found.size_and_place >> 8, found.forward, found.back])
    }

    fn piece(&self, address: u64) -> Option<&Piece> {
        self.pieces.iter().find(|piece| piece.range.contains(&address))
    }

    /// Reads a piece, and gives up once the header has changed. Keeps no more chunks than are
    /// looked at.
    pub(super) fn sift(
        &mut self,
        memory: &mut impl TargetMemory,
        header: &MallocState,
        heaps: &HeapInfos<'_>,
        links: LinkProtection,
        range: Range<u64>,
    ) -> Result<(), Inconsistency> {
        self.reads = 0;
        let kept: usize = self.pieces.iter().map(|piece| piece.kept.len()).sum();
        let most = memory.limits().chunks.saturating_sub(kept);
        let pages = ((range.end - range.start) / PAGE_BYTES) as usize;
        let mut piece =
            Piece { range: range.clone(), firsts: Vec::with_capacity(pages + 1), kept: Vec::new() };
        let mesh = Mesh { heaps, fast: header.has_fast_chunks().then_some(links) };
        let mut bytes = Vec::new();
        let mut start = range.start;
        while start < range.end && piece.kept.len() < most {
            let end = range.end.min(start + PART_BYTES);
            let asked = start..range.end.min(end + PAGE_BYTES);
            let until = asked.end.min(end + BEYOND_BYTES);
            let mut places = memory.resident(std::slice::from_ref(&asked))?;
            places.retain_mut(|place| {
                *place = place.start.max(start)..place.end.min(until);
                place.start < end.min(place.end)
            });
            places.push(header.place());
            bytes.clear();
            memory.read(&places, &mut bytes)?;
            places.pop();
            let mut rest = &bytes[..];
            for place in places {
                let (part, others) = rest.split_at((place.end - place.start) as usize);
                piece.take(part, place.start, &mesh);
                rest = others;
            }
            header.stands(rest)?;
            start = end;
        }
        piece.range.end = start;
        piece.begin_page(start);
        self.pieces.push(piece);
        Ok(())
    }
}

impl Piece {
    /// Keeps what these bytes have that looks like a free chunk.
    fn take(&mut self, bytes: &[u8], address: u64, mesh: &Mesh<'_>) {
        let last = bytes.len().saturating_sub(BEYOND_BYTES as usize);
        for at in (0..last).step_by(ALIGNMENT_BYTES as usize) {
            let here = address + at as u64;
            if here.is_multiple_of(PAGE_BYTES) {
                self.begin_page(here);
            }
            if let Some([size, forward, back]) = mesh.hold_back(bytes, at, here) {
                self.kept.push(SievedPiece {
                    size_and_place: size << 8 | place(here),
                    forward,
                    back,
                });
            }
        }
    }

    /// That the page at this address, and what was left out before it, begins with the next chunk.
    fn begin_page(&mut self, address: u64) {
        let pages = ((address - self.range.start) / PAGE_BYTES) as usize + 1;
        let next = self.kept.len() as u32;
        self.firsts.resize(pages.max(self.firsts.len()), next);
    }
}

struct Mesh<'a> {
    heaps: &'a HeapInfos<'a>,
    /// How links are kept in fast bins, if there are chunks in any.
    fast: Option<LinkProtection>,
}

impl Mesh<'_> {
    /// The words of what looks like a free chunk.
    fn hold_back(&self, bytes: &[u8], at: usize, address: u64) -> Option<[u64; 3]> {
        let size_word = word(bytes, at + 8);
        // Most of what lies there is no such thing.
        if !(SMALLEST_BYTES..SIZE_LIMIT).contains(&size_word) || size_word & NEVER_FREE != 0 {
            return None;
        }
        let size = size_word & !FLAGS;
        let [forward, back] = [16, 24].map(|offset| word(bytes, at + offset));
        let is_held = self.is_in_ring(bytes, at, [size_word, forward, back])
            || self.fast.is_some_and(|links| {
                fastbin_index(size).is_some_and(|bin| bin < FAST_BINS as u64)
                    && self.leads_on(links.across(address + 16, forward))
            });
        is_held.then_some([size_word, forward, back])
    }

    /// Its end says the same, as far as it is here.
    fn is_in_ring(&self, bytes: &[u8], at: usize, [size_word, forward, back]: [u64; 3]) -> bool {
        let size = size_word & !FLAGS;
        let end = at.saturating_add(size as usize);
        let is_here = end.saturating_add(16) <= bytes.len();
        size_word & FLAGS == PREVIOUS_IN_USE
            && (forward | back).is_multiple_of(8)
            && (!is_here || word(bytes, end) == size && word(bytes, end + 8) & PREVIOUS_IN_USE == 0)
    }

    fn leads_on(&self, next: u64) -> bool {
        next == 0
            || next.is_multiple_of(ALIGNMENT_BYTES)
                && self.heaps.hold(&(next..next.saturating_add(SMALLEST_BYTES)))
    }
}

/// Which sixteen bytes of its page a chunk begins with.
fn place(address: u64) -> u64 {
    address % PAGE_BYTES / ALIGNMENT_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;
    use crate::layout::WITH_FAST_BINS;
    use crate::map::FreeMap;

    const START: u64 = 0x40_0000;
    const ARENA: u64 = START + 0x100;
    const END: u64 = START + 3 * PART_BYTES;
    const SIZE: u64 = 0x40;
    /// Of the link, to where there is something.
    const NEXT: u64 = START + 0x8000;

    /// Memory with chunks that say that they are free.
    fn memory(chunks: &[u64]) -> Fake {
        let mut memory = Fake::new(START, END - START);
        memory.write(ARENA + WITH_FAST_BINS.top as u64, START + 0x2000);
        for chunk in chunks {
            memory.write(chunk + 8, SIZE | PREVIOUS_IN_USE);
            memory.write(chunk + 16, NEXT);
            memory.write(chunk + 24, ARENA);
            memory.write(chunk + SIZE, SIZE);
        }
        memory
    }

    fn sifted(memory: &mut Fake, map: &FreeMap, links: LinkProtection) -> Sieve {
        let header = MallocState::read(memory, &WITH_FAST_BINS, ARENA).unwrap();
        let heaps = HeapInfos::Within(map, START..END);
        let mut sieve = Sieve::default();
        sieve.count(1000);
        let due = sieve.is_due(&heaps, NEXT).unwrap();
        let read = sieve.sift(memory, &header, &heaps, links, due);
        assert_eq!(read, Ok(()));
        assert_eq!(sieve.is_due(&heaps, NEXT), None);
        sieve
    }

    fn map() -> FreeMap {
        let mut map = FreeMap::default();
        map.add(START..END);
        map
    }

    #[test]
    fn what_looks_like_a_free_chunk_is_kept_wherever_it_lies() {
        let across_parts = START + PART_BYTES - 16;
        let chunks = [0x3000, 0x3060, 0x4ff0, 0x2_0010].map(|at| START + at);
        let last = END - SIZE - 16;
        let chunks = [&chunks[..], &[across_parts, last]].concat();
        let mut memory = memory(&chunks);
        // In use, as its end tells.
        let in_use = START + 0x9000;
        memory.write(in_use + 8, SIZE | PREVIOUS_IN_USE);
        memory.write(in_use + 16, NEXT);
        memory.write(in_use + 24, NEXT);
        let sieve = sifted(&mut memory, &map(), LinkProtection::Mangled);
        for chunk in chunks {
            let words = sieve.words(chunk);
            assert_eq!(words, Some([SIZE | PREVIOUS_IN_USE, NEXT, ARENA]), "{chunk:x}");
            assert_eq!(sieve.words(chunk + 16), None);
        }
        assert_eq!(sieve.words(in_use), None);
        assert_eq!(sieve.words(END), None);
        let kept: usize = sieve.pieces.iter().map(|piece| piece.kept.len()).sum();
        assert_eq!(kept, 6, "nothing else is");
    }

    #[test]
    fn chunks_in_fast_bins_are_kept_by_their_links() {
        let [first, last, other] = [0x3000, 0x5000, 0x7000].map(|at| START + at);
        for links in [LinkProtection::Plain, LinkProtection::Mangled] {
            let mut memory = memory(&[]);
            memory.write(ARENA + WITH_FAST_BINS.fast.unwrap() as u64, first);
            for (chunk, next) in [(first, last), (last, 0)] {
                memory.write(chunk + 8, 32 | PREVIOUS_IN_USE);
                memory.write(chunk + 16, links.across(chunk + 16, next));
            }
            memory.write(other + 8, 32 | PREVIOUS_IN_USE);
            memory.write(other + 16, END | 1);
            memory.write(other + 24, 1);
            let sieve = sifted(&mut memory, &map(), links);
            let next = |chunk| Some(links.across(chunk + 16, sieve.words(chunk)?[1]));
            assert_eq!((next(first), next(last)), (Some(last), Some(0)));
            assert_eq!(next(other), None);
        }
    }

    #[test]
    fn a_piece_is_read_when_single_reads_cost_as_much() {
        let map = map();
        let heaps = HeapInfos::Within(&map, START..END);
        let mut sieve = Sieve::default();
        let pages = (END - START) / PAGE_BYTES;
        sieve.count(pages as usize - 1);
        assert_eq!(sieve.is_due(&heaps, NEXT), None);
        sieve.count(1);
        assert_eq!(sieve.is_due(&heaps, NEXT), Some(START..END));
        assert_eq!(sieve.is_due(&heaps, END), None);
    }

    #[test]
    fn a_change_of_the_header_ends_it() {
        let mut memory = memory(&[]);
        let header = MallocState::read(&mut memory, &WITH_FAST_BINS, ARENA).unwrap();
        memory.write(ARENA, 1);
        let map = map();
        let heaps = HeapInfos::Within(&map, START..END);
        let read =
            Sieve::default().sift(&mut memory, &header, &heaps, LinkProtection::Plain, START..END);
        assert_eq!(read, Err(Inconsistency::Locked));
    }
}
