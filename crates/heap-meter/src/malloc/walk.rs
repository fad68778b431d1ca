//! Collects all free chunks of an arena.
//!
//! All lists are followed at once: each step of each needs a page, and pages are read together,
//! since a system call costs more than what it reads.

use super::ahead;
use super::cache::Cache;
use super::flaw::Flaw;
use super::glance;
use super::header::Header;
use super::heaps::Heaps;
use super::layout::{BINS, FAST_BINS};
use super::list::{FLAGS, Kind, List, mangled, may_be_chunk};
use super::memory::{Memory, word};
use super::size_class::SMALLEST_BYTES;

/// Free chunks of one arena that are looked at; each costs 20 bytes here, or 36 for a moment.
pub(super) const MOST_CHUNKS: usize = 4_000_000;
/// Numbers of fast bins follow those of the others.
pub(super) const FIRST_FAST: u8 = BINS as u8;
const PREVIOUS_IN_USE: u64 = 1;
/// After so many pages the header is looked at once more.
const PAGES_BETWEEN: usize = 16;

/// A free chunk: where, how large, in which bin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) address: u64,
    size_and_bin: u64,
}

impl Chunk {
    /// The size is less than 2^48.
    pub(super) fn new(address: u64, size: u64, bin: u8) -> Self {
        Self {
            address,
            size_and_bin: size << 8 | u64::from(bin),
        }
    }

    pub(super) fn size(self) -> u64 {
        self.size_and_bin >> 8
    }

    pub(super) fn bin(self) -> u8 {
        (self.size_and_bin & 0xff) as u8
    }

    pub(super) fn is_fast(self) -> bool {
        self.bin() >= FIRST_FAST
    }

    pub(super) fn end(self) -> u64 {
        self.address + self.size()
    }
}

/// All free chunks, bin by bin, in the order of their forward links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Walk {
    pub(super) chunks: Vec<Chunk>,
    /// Links of fast bins are mangled (since 2.32).
    pub(super) mangled: bool,
    pub(super) top_bytes: u64,
    /// The top's size with its flags, as it is in memory.
    pub(super) top_size_word: u64,
}

impl Walk {
    /// Follows every list of an arena whose header and top were read just now. Looks at the header
    /// again and again on the way, and gives up once it has changed.
    pub(super) fn of(
        memory: &mut impl Memory,
        cache: &mut Cache,
        header: &Header,
        heaps: &Heaps<'_>,
        top_size_word: u64,
    ) -> Result<Self, Flaw> {
        if header.has_no_memory() {
            return Ok(Self::default());
        }
        let mut walk = Self {
            top_bytes: top_bytes(header, heaps, top_size_word)?,
            top_size_word,
            ..Self::default()
        };
        let mut lists = lists(memory, header, heaps, &mut walk.mangled)?;
        let mut budget = Budget {
            // No more chunks than fit, so that a ring which never closes ends.
            chunks: header.system_bytes() / SMALLEST_BYTES,
            bytes: header.system_bytes().saturating_sub(walk.top_bytes),
            seen: 0,
        };
        cache.empty(header.system_bytes());
        // Pages since the header was looked at.
        let mut pages = 0;
        loop {
            let mut open: Vec<&mut List> =
                lists.iter_mut().filter(|list| !list.is_done()).collect();
            if open.is_empty() {
                break;
            }
            for list in &open {
                list.check_place(heaps)?;
            }
            // First, so that they are there when the lists are followed.
            let mut places = ahead::pages(memory, &open, heaps)?;
            let guessed = places.len();
            places.extend(
                open.iter()
                    .map(|list| list.next..list.next + SMALLEST_BYTES),
            );
            pages += places.len();
            let beside = (pages >= PAGES_BETWEEN).then(|| header.place());
            if beside.is_some() {
                pages = 0;
            }
            cache.fetch(
                memory,
                &places,
                beside,
                |again| glance::same(header, again),
                |cache, index| match index.checked_sub(guessed) {
                    Some(index) => follow(open[index], cache, heaps, &mut budget),
                    None => Ok(()),
                },
            )?;
        }
        let count = lists.iter().map(|list| list.chunks.len()).sum();
        walk.chunks.reserve_exact(count);
        for list in lists {
            list.check_end()?;
            walk.chunks.extend(list.chunks);
        }
        Ok(walk)
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
fn top_bytes(header: &Header, heaps: &Heaps<'_>, size_word: u64) -> Result<u64, Flaw> {
    const WRONG: Flaw = Flaw::Chunk("the top's size is impossible");
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

/// What may still be found.
struct Budget {
    chunks: u64,
    bytes: u64,
    seen: usize,
}

impl Budget {
    fn spend(&mut self, size: u64) -> Result<(), Flaw> {
        const MORE: Flaw = Flaw::Chunk("they are more than the arena has");
        self.chunks = self.chunks.checked_sub(1).ok_or(MORE)?;
        self.bytes = self.bytes.checked_sub(size).ok_or(MORE)?;
        self.seen += 1;
        if self.seen > MOST_CHUNKS {
            return Err(Flaw::TooMany(MOST_CHUNKS));
        }
        Ok(())
    }
}

/// Goes along a list as far as its pages are there.
fn follow(
    list: &mut List,
    cache: &Cache,
    heaps: &Heaps<'_>,
    budget: &mut Budget,
) -> Result<(), Flaw> {
    while !list.is_done() {
        list.check_place(heaps)?;
        let word = |at| cache.word(list.next + at);
        let (Some(size), Some(forward), Some(back)) = (word(8), word(16), word(24)) else {
            break;
        };
        let size = list.take([size, forward, back], heaps)?;
        budget.spend(size)?;
    }
    Ok(())
}

/// The lists that have chunks.
fn lists(
    memory: &mut impl Memory,
    header: &Header,
    heaps: &Heaps<'_>,
    mangling: &mut bool,
) -> Result<Vec<List>, Flaw> {
    let mut lists = Vec::new();
    for number in 1..BINS {
        let (first, last) = header.bin(number);
        let bin = header.bin_address(number);
        if first != bin {
            lists.push(List::new(Kind::Ring { bin, last }, number as u8, first));
        }
    }
    let fast = (0..FAST_BINS).map(|bin| (bin as u8, header.fast(bin)));
    let fast: Vec<(u8, u64)> = fast.filter(|(_, first)| *first != 0).collect();
    if let Some((_, first)) = fast.first() {
        *mangling = is_mangled(memory, *first, heaps)?;
    }
    let kind = Kind::Chain { mangled: *mangling };
    lists.extend(
        fast.into_iter()
            .map(|(bin, first)| List::new(kind, FIRST_FAST + bin, first)),
    );
    Ok(lists)
}

/// Whether the links of fast bins are mangled, by the first one of all: read in the wrong way, even
/// the end of a list is an address without memory.
fn is_mangled(memory: &mut impl Memory, first: u64, heaps: &Heaps<'_>) -> Result<bool, Flaw> {
    if !may_be_chunk(first, heaps) {
        return Err(Flaw::Chunk("it is outside the arena's memory"));
    }
    let place = first + 16;
    let mut bytes = Vec::with_capacity(8);
    memory.read_one(place..place + 8, &mut bytes)?;
    let link = word(&bytes, 0);
    let fits = |link: u64| link == 0 || may_be_chunk(link, heaps);
    match (fits(mangled(place, link)), fits(link)) {
        (true, false) => Ok(true),
        (false, true) => Ok(false),
        _ => Err(Flaw::Chunk(
            "the link of a fast bin is neither plain nor mangled",
        )),
    }
}
