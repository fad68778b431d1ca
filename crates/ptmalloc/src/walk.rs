//! Collects all free chunks of an arena.
//!
//! All lists are followed at once: each step of each needs a place, and places are read together,
//! since a system call costs more than what it reads. Where lists turn out to be long and without
//! any order, the memory that they are in is read as a whole.

use super::bin::{Bin, BinKind};
use super::cache::{Cache, PAGE_BYTES};
use super::chunk::{Chunk, FIRST_FAST, FLAGS, LinkProtection, PREVIOUS_IN_USE, SMALLEST_BYTES};
use super::error::Bound;
use super::error::{Inconsistency, Unreadable};
use super::heap_info::HeapInfos;
use super::layout::{BINS, FAST_BINS};
use super::limits::ExaminationLimits;
use super::malloc_state::MallocState;
use super::memory::TargetMemory;
use super::readahead;
use super::sieve::Sieve;

/// After so many pages the header is looked at once more.
const PAGES_BETWEEN: u64 = 16;

/// All free chunks, bin by bin, in the order of their forward links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct BinWalk {
    pub(super) chunks: Vec<Chunk>,
    /// How the links of fast bins are stored.
    pub(super) links: LinkProtection,
    pub(super) top_bytes: u64,
    /// The top's size with its flags, as it is in memory.
    pub(super) top_size_word: u64,
}

impl BinWalk {
    /// Follows every list of an arena whose header and top were read just now, with the first of
    /// these kinds of links with which all of them fit together.
    pub(super) fn of(
        memory: &mut impl TargetMemory,
        cache: &mut Cache,
        header: &MallocState,
        heaps: &HeapInfos<'_>,
        top_size_word: u64,
        links: &[LinkProtection],
    ) -> Result<Self, Inconsistency> {
        if header.has_no_memory() {
            return Ok(Self::default());
        }
        let top_bytes = top_bytes(header, heaps, top_size_word)?;
        let links = match header.has_fast_chunks() {
            true => links,
            false => &[LinkProtection::Mangled],
        };
        let mut why = None;
        for links in links {
            let walk = Self { links: *links, top_bytes, top_size_word, ..Self::default() };
            match walk.followed(memory, cache, header, heaps) {
                Err(
                    flaw @ (Inconsistency::Chunk(_)
                    | Inconsistency::Unreadable(Unreadable::NotMapped)),
                ) => {
                    why.get_or_insert(flaw);
                }
                result => return result,
            }
        }
        Err(why.unwrap_or(Inconsistency::Chunk("none of its links can be read")))
    }

    /// Follows every list. Looks at the header again and again on the way, and gives up once it has
    /// changed.
    fn followed(
        mut self,
        memory: &mut impl TargetMemory,
        cache: &mut Cache,
        header: &MallocState,
        heaps: &HeapInfos<'_>,
    ) -> Result<Self, Inconsistency> {
        let mut lists = lists(header, self.links);
        let mut budget = Budget {
            // No more chunks than fit, so that a ring which never closes ends.
            chunks: header.system_bytes() / SMALLEST_BYTES,
            bytes: header.system_bytes().saturating_sub(self.top_bytes),
            seen: 0,
            most: memory.limits().chunks,
        };
        cache.empty(header.system_bytes());
        // Pages since the header was looked at.
        let mut pages = 0;
        let mut sieve = Sieve::default();
        loop {
            let mut open: Vec<&mut Bin> = lists.iter_mut().filter(|list| !list.is_done()).collect();
            if open.is_empty() {
                break;
            }
            for list in &open {
                list.check_place(heaps)?;
            }
            let due = open.iter().find_map(|list| sieve.is_due(heaps, list.next));
            if let Some(piece) = due {
                sieve.sift(memory, header, heaps, self.links, piece)?;
                for list in open {
                    follow(list, cache, &sieve, heaps, &mut budget)?;
                }
                continue;
            }
            sieve.count(open.len());
            // First, so that they are there when the lists are followed.
            let mut places = readahead::places(memory, &open, heaps)?;
            let guessed = places.len();
            places.extend(open.iter().map(|list| readahead::needed(list)));
            pages += places
                .iter()
                .map(|place| (place.end - place.start).div_ceil(PAGE_BYTES))
                .sum::<u64>();
            let beside = (pages >= PAGES_BETWEEN).then(|| header.place());
            if beside.is_some() {
                pages = 0;
            }
            cache.fetch(
                memory,
                &places,
                beside,
                |again| header.stands(again),
                |cache, index| match index.checked_sub(guessed) {
                    Some(index) => follow(open[index], cache, &sieve, heaps, &mut budget),
                    None => Ok(()),
                },
            )?;
        }
        drop(sieve);
        let count = lists.iter().map(|list| list.chunks.len()).sum();
        self.chunks.reserve_exact(count);
        for list in lists {
            list.check_end()?;
            self.chunks.extend(list.chunks);
        }
        Ok(self)
    }

    /// What the chunk before and after this one in its list are; `None` at the list's ends.
    pub(super) fn neighbours(&self, index: usize) -> (Option<u64>, Option<u64>) {
        let bin = self.chunks[index].bin();
        let of = |index: Option<usize>| {
            let chunk = self.chunks.get(index?)?;
            (chunk.bin() == bin).then_some(chunk.address)
        };
        (of(index.checked_sub(1)), of(index.checked_add(1)))
    }
}

/// The top's size, if it can be.
fn top_bytes(
    header: &MallocState,
    heaps: &HeapInfos<'_>,
    size_word: u64,
) -> Result<u64, Inconsistency> {
    const WRONG: Inconsistency = Inconsistency::Chunk("the top's size is impossible");
    let top = header.top();
    let size = size_word & !FLAGS;
    let end = top.checked_add(size).ok_or(WRONG)?;
    let fits = (SMALLEST_BYTES..=header.system_bytes()).contains(&size)
        && heaps.hold(&(top..end))
        && heaps.may_end_at(end);
    if size_word & FLAGS != PREVIOUS_IN_USE || !fits {
        return Err(WRONG);
    }
    Ok(size)
}

struct Budget {
    chunks: u64,
    bytes: u64,
    seen: usize,
    /// Chunks that are looked at; each costs 20 bytes here, or 36 for a moment.
    most: usize,
}

impl Budget {
    fn spend(&mut self, size: u64) -> Result<(), Inconsistency> {
        const MORE: Inconsistency = Inconsistency::Chunk("they are more than the arena has");
        self.chunks = self.chunks.checked_sub(1).ok_or(MORE)?;
        self.bytes = self.bytes.checked_sub(size).ok_or(MORE)?;
        self.seen += 1;
        if self.seen > self.most {
            let bound = Bound::Chunks(self.most);
            // More than in a brief look is worth another; more than in a whole one is this arena's.
            return Err(match self.most < ExaminationLimits::WHOLE.chunks {
                true => Unreadable::from(bound).into(),
                false => Inconsistency::TooMany(self.most),
            });
        }
        Ok(())
    }
}

/// Goes along a list as far as its chunks are there.
fn follow(
    list: &mut Bin,
    cache: &Cache,
    sieve: &Sieve,
    heaps: &HeapInfos<'_>,
    budget: &mut Budget,
) -> Result<(), Inconsistency> {
    while !list.is_done() {
        list.check_place(heaps)?;
        let cached = || {
            let word = |at| cache.word(list.next + at);
            Some([word(8)?, word(16)?, word(24)?])
        };
        let Some(words) = cached().or_else(|| sieve.words(list.next)) else {
            break;
        };
        let size = list.take(words, heaps)?;
        budget.spend(size)?;
    }
    Ok(())
}

/// The lists that have chunks.
fn lists(header: &MallocState, links: LinkProtection) -> Vec<Bin> {
    let mut lists = Vec::new();
    for number in 1..BINS {
        let (first, last) = header.bin(number);
        let bin = header.bin_address(number);
        if first != bin {
            lists.push(Bin::new(BinKind::Ring { bin, last }, number as u8, first));
        }
    }
    let fast = (0..FAST_BINS).map(|bin| (bin as u8, header.fast(bin)));
    lists.extend(
        fast.filter(|(_, first)| *first != 0)
            .map(|(bin, first)| Bin::new(BinKind::Chain(links), FIRST_FAST + bin, first)),
    );
    lists
}
