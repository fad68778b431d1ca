//! A process's mappings, and who has claimed which of their bytes.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use nix::errno::Errno;
use proc_memory::{
    Mapping, PageMap, PageState, Process, ProcessError, ProcessMemory, WeighedMapping,
    joined_ranges,
};

use super::kernel;
use super::row::{Kind, Row};

/// Places that are read at a time.
const MOST_PLACES: usize = 1024;

/// Places that can't be read, before no more are.
const MOST_MISSES: usize = 256;

/// Bytes of libraries' constants that are searched: jemalloc's are some 100 KiB.
const MOST_CONSTANTS_BYTES: u64 = 16 << 20;

/// Unknown mappings that have a row of their own, if they are as large as this.
const SHOWN: usize = 4;
const SHOWN_BYTES: u64 = 1 << 20;

/// Behind the owner of shared memory of which the kernel counts a page as resident as often as the
/// process has mapped it.
const MAPPED_SEVERAL_TIMES: &str = ", mapped several times";

/// Which row a claim is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowNumber(usize);

pub(super) struct Space<'p> {
    process: &'p Process,
    memory: ProcessMemory,
    pages: PageMap,
    /// In rising order.
    areas: Vec<WeighedMapping>,
    /// What is resident of memory that is private and no file's, in rising order: asked for once,
    /// as each look through the page tables takes as long as reading `smaps`.
    resident: Vec<Range<u64>>,
    /// By their starts: ends, and for whom.
    claims: BTreeMap<u64, (u64, RowNumber)>,
    rows: Vec<Row>,
    /// What is in use of rows of which that is known.
    used: BTreeMap<usize, u64>,
}

impl<'p> Space<'p> {
    pub(super) fn of(
        process: &'p Process,
        areas: Vec<WeighedMapping>,
    ) -> Result<Self, ProcessError> {
        let alone = areas.iter().filter(|area| area.private_bytes == area.rss_bytes);
        let alone = alone.map(|area| area.mapping.start..area.mapping.end).collect();
        let memory = ProcessMemory::open(process)?.with_private(alone);
        let mut pages = PageMap::open(process)?;
        let used = areas.iter().filter(|area| is_looked_through(area) && area.rss_bytes > 0);
        let used: Vec<_> = used.map(|area| area.mapping.start..area.mapping.end).collect();
        let mut resident: Vec<Range<u64>> = Vec::new();
        let told = pages.each(PageState::Resident, &used, never, |part| {
            match resident.last_mut().filter(|last| last.end == part.start) {
                Some(last) => last.end = part.end,
                None => resident.push(part),
            }
        });
        told.map_err(|errno| process.explain("pagemap", errno.into()))?;
        let (claims, used) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { process, memory, pages, areas, resident, claims, rows: Vec::new(), used })
    }

    pub(super) fn process(&self) -> &'p Process {
        self.process
    }

    /// All mappings, lowest first.
    pub(super) fn areas(&self) -> &[WeighedMapping] {
        &self.areas
    }

    /// The mapping that an address is in.
    pub(super) fn area_at(&self, address: u64) -> Option<&WeighedMapping> {
        let after = self.areas.partition_point(|area| area.mapping.start <= address);
        let area = self.areas.get(after.checked_sub(1)?)?;
        (address < area.mapping.end).then_some(area)
    }

    /// Whether a file is mapped whose name begins so.
    pub(super) fn has_file(&self, prefixes: &[&str]) -> bool {
        let files = self.areas.iter().filter(|area| area.mapping.inode != 0);
        let mut files = files.map(|area| area.mapping.file_name());
        files.any(|file| prefixes.iter().any(|prefix| file.starts_with(prefix.as_bytes())))
    }

    /// Whether the whole of a range is anonymous private memory.
    pub(super) fn is_within_anonymous(&self, range: &Range<u64>) -> bool {
        let mut at = range.start;
        while at < range.end {
            match self.area_at(at).filter(|area| kernel::is_anonymous(&area.mapping)) {
                Some(area) => at = area.mapping.end,
                None => return false,
            }
        }
        true
    }

    /// The row of an owner, begun if there is none yet.
    pub(super) fn row(&mut self, kind: Kind, owner: &str, evidence: &str) -> RowNumber {
        let known = self.rows.iter().position(|row| row.kind == kind && row.owner == owner);
        RowNumber(known.unwrap_or_else(|| {
            self.rows.push(Row::new(kind, owner, evidence));
            self.rows.len() - 1
        }))
    }

    /// Says what of a row isn't used, and what of that could be given back.
    pub(super) fn is_free(&mut self, row: RowNumber, free: u64, returnable: Option<u64>) {
        let row = &mut self.rows[row.0];
        row.free_bytes = Some(row.free_bytes.unwrap_or(0) + free);
        if let Some(returnable) = returnable {
            row.returnable_bytes = Some(row.returnable_bytes.unwrap_or(0) + returnable);
        }
    }

    /// Says how many bytes of a row are in use: what else is resident is free.
    pub(super) fn is_used(&mut self, row: RowNumber, bytes: u64) {
        *self.used.entry(row.0).or_default() += bytes;
    }

    /// Claims whole pages; those that have an owner already stay with it. Whether any are new.
    pub(super) fn claim(&mut self, range: Range<u64>, row: RowNumber) -> bool {
        let gaps = self.gaps(range);
        let any = !gaps.is_empty();
        self.rows[row.0].pieces += u64::from(any);
        for gap in gaps {
            self.claims.insert(gap.start, (gap.end, row));
        }
        any
    }

    /// What of a range has no owner.
    fn gaps(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut start = range.start;
        if let Some((_, (end, _))) = self.claims.range(..range.start).next_back() {
            start = start.max(*end);
        }
        for (claimed, (end, _)) in self.claims.range(range.clone()) {
            gaps.push(start..*claimed);
            start = *end;
        }
        gaps.push(start..range.end);
        gaps.retain(|gap| gap.start < gap.end);
        gaps
    }

    /// Anonymous private memory that has no owner, of mappings of which anything is resident.
    pub(super) fn unclaimed(&self) -> Vec<Range<u64>> {
        self.unclaimed_of(|area| area.rss_bytes > 0).collect()
    }

    /// The same of all mappings, and those that touch as one: madvise(2) and mprotect(2) split them.
    pub(super) fn unclaimed_joined(&self) -> Vec<Range<u64>> {
        joined_ranges(self.unclaimed_of(|_| true))
    }

    fn unclaimed_of(
        &self,
        is_meant: fn(&WeighedMapping) -> bool,
    ) -> impl Iterator<Item = Range<u64>> {
        let anonymous = self.areas.iter().filter(|area| kernel::is_anonymous(&area.mapping));
        let meant = anonymous.filter(move |area| is_meant(area));
        meant.flat_map(|area| self.gaps(area.mapping.start..area.mapping.end))
    }

    /// What of these ranges is resident, in rising order and cut to them. Of a file's memory,
    /// nothing.
    pub(super) fn resident(&self, ranges: &[Range<u64>]) -> Vec<Range<u64>> {
        let each = ranges.iter().flat_map(|range| {
            let first = self.resident.partition_point(|part| part.end <= range.start);
            let parts = self.resident[first..].iter().take_while(|part| part.start < range.end);
            parts.map(|part| part.start.max(range.start)..part.end.min(range.end))
        });
        each.filter(|part| part.start < part.end).collect()
    }

    /// How much of a range that is.
    pub(super) fn resident_bytes(&self, ranges: &[Range<u64>]) -> u64 {
        self.resident(ranges).iter().map(|part| part.end - part.start).sum()
    }

    /// Whether a file of which this is the name's beginning has this in its constants.
    pub(super) fn has_text(&self, prefix: &str, text: &[u8]) -> bool {
        let constants = self.areas.iter().map(|area| &area.mapping).filter(|mapping| {
            let may = mapping.permissions;
            !may.write && !may.execute && mapping.file_name().starts_with(prefix.as_bytes())
        });
        let mut budget = MOST_CONSTANTS_BYTES;
        let some = constants.take_while(|mapping| {
            let left = budget.checked_sub(mapping.length_bytes());
            budget = left.unwrap_or(0);
            left.is_some()
        });
        let mut pieces = some.map(|mapping| self.read(mapping.start..mapping.end));
        pieces.any(|piece| {
            piece.is_some_and(|piece| piece.windows(text.len()).any(|window| window == text))
        })
    }

    /// The places at multiples of `step` from an origin that lie on resident pages of ranges.
    pub(super) fn resident_multiples(&self, ranges: &[Range<u64>], step: u64) -> Vec<u64> {
        let resident = self.resident(ranges);
        let each = resident
            .into_iter()
            .flat_map(|part| (part.start.next_multiple_of(step)..part.end).step_by(step as usize));
        each.collect()
    }

    /// What is in memory at a place; `None` if it can't be read.
    pub(super) fn read(&self, place: Range<u64>) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let length = (place.end - place.start) as usize;
        let read = self.memory.read(&[place], &mut bytes);
        (read == Ok(length)).then_some(bytes)
    }

    /// Tells the first `length` bytes at each of these places, in their order; of one that can't be
    /// read, nothing.
    pub(super) fn heads(&self, places: &[u64], length: usize, mut tell: impl FnMut(u64, &[u8])) {
        let mut bytes = Vec::new();
        let (mut left, mut misses) = (places, 0);
        while !left.is_empty() && misses <= MOST_MISSES {
            let some = &left[..left.len().min(MOST_PLACES)];
            let spans: Vec<_> =
                some.iter().map(|at| *at..at.saturating_add(length as u64)).collect();
            bytes.clear();
            // It ends at the first place that isn't there.
            let _ = self.memory.read(&spans, &mut bytes);
            let heads = bytes.chunks_exact(length).zip(some);
            let told = heads.map(|(head, at)| tell(*at, head)).count();
            misses += usize::from(told < some.len());
            left = &left[(told + 1).min(some.len())..];
        }
    }

    /// All rows, with what the kernel counts. What has no owner is most likely this allocator's.
    pub(super) fn into_rows(mut self, likely: Option<String>) -> Result<Vec<Row>, ProcessError> {
        let areas = std::mem::take(&mut self.areas);
        let times = times_mapped(&areas);
        let mut unknown = Vec::new();
        for area in &areas {
            let left = self.share_out(area)?;
            if kernel::is_unknown(&area.mapping) {
                unknown.push((left, area));
            } else {
                let (kind, mut owner, evidence) = kernel::owner(&area.mapping);
                let is_shared = area.mapping.permissions.shared;
                if is_shared && times.get(&place_in_file(&area.mapping)) > Some(&1) {
                    owner += MAPPED_SEVERAL_TIMES;
                }
                if left.pieces > 0 {
                    let row = self.row(kind, &owner, evidence);
                    self.add(row, left);
                }
            }
        }
        self.add_unknown(unknown, likely);
        let mut rows = self.rows;
        for (row, used) in self.used {
            rows[row].free_bytes = Some(rows[row].rss_bytes.saturating_sub(used));
        }
        for row in &mut rows {
            let free = row.free_bytes.map(|free| free.min(row.rss_bytes));
            row.free_bytes = free;
            row.returnable_bytes = row.returnable_bytes.map(|one| one.min(free.unwrap_or(one)));
        }
        rows.retain(|row| row.rss_bytes > 0 || row.swap_bytes > 0);
        rows.sort_by_key(|row| (row.kind == Kind::Unknown, std::cmp::Reverse(row.rss_bytes)));
        Ok(rows)
    }

    /// Gives the owners within a mapping what is theirs, and returns what is left.
    fn share_out(&mut self, area: &WeighedMapping) -> Result<Weight, ProcessError> {
        let (start, end) = (area.mapping.start, area.mapping.end);
        let mut left = Weight {
            pieces: 0,
            rss: area.rss_bytes,
            private: area.private_bytes,
            swap: area.swap_bytes,
        };
        let before = self.claims.range(..start).next_back();
        let claims = before.into_iter().chain(self.claims.range(start..end));
        let claims: Vec<_> = claims
            .map(|(from, (to, row))| ((*from).max(start)..(*to).min(end), *row))
            .filter(|(range, _)| range.start < range.end)
            .collect();
        let whole = left;
        // A mapping with one owner is weighed already.
        let is_shared_out =
            claims.len() > 1 || claims.first().is_some_and(|(range, _)| *range != (start..end));
        let ranges: Vec<_> = claims.iter().map(|(range, _)| range.clone()).collect();
        let mut weigh = |state, bytes| match is_shared_out && bytes > 0 {
            true if state == PageState::Resident && is_looked_through(area) => {
                let one = |range| self.resident_bytes(std::slice::from_ref(range));
                Ok(ranges.iter().map(one).collect())
            }
            true => self.each(state, &ranges),
            false => Ok(vec![0; ranges.len()]),
        };
        let resident = weigh(PageState::Resident, whole.rss)?;
        let swapped = weigh(PageState::Swapped, whole.swap)?;
        for (number, (_, row)) in claims.into_iter().enumerate() {
            let weight = match is_shared_out {
                false => left,
                true => {
                    let rss = resident[number].min(left.rss);
                    let swap = swapped[number].min(left.swap);
                    let share = u128::from(whole.private) * u128::from(rss);
                    let private = (share / u128::from(whole.rss.max(1))) as u64;
                    Weight { pieces: 0, rss, private: private.min(left.private), swap }
                }
            };
            left.rss -= weight.rss;
            left.private -= weight.private;
            left.swap -= weight.swap;
            self.add(row, weight);
        }
        left.pieces = u64::from(left.rss > 0 || left.swap > 0);
        Ok(left)
    }

    /// Bytes of each of these ranges that are in this state.
    fn each(&mut self, state: PageState, ranges: &[Range<u64>]) -> Result<Vec<u64>, ProcessError> {
        let mut bytes = vec![0; ranges.len()];
        let mut first = 0;
        let told = self.pages.each(state, ranges, never, |found| {
            while first < ranges.len() && ranges[first].end <= found.start {
                first += 1;
            }
            let touched = ranges.iter().enumerate().skip(first);
            for (number, range) in touched.take_while(|(_, range)| range.start < found.end) {
                bytes[number] += range.end.min(found.end) - range.start.max(found.start);
            }
        });
        told.map_err(|errno| self.process.explain("pagemap", errno.into()))?;
        Ok(bytes)
    }

    fn add(&mut self, row: RowNumber, weight: Weight) {
        let row = &mut self.rows[row.0];
        row.pieces += weight.pieces;
        row.rss_bytes += weight.rss;
        row.private_bytes += weight.private;
        row.swap_bytes += weight.swap;
    }

    /// The largest each by itself, the others together.
    fn add_unknown(&mut self, mut unknown: Vec<(Weight, &WeighedMapping)>, likely: Option<String>) {
        let evidence = match &likely {
            Some(_) => "that allocator is in use; nothing in the memory proves it",
            None => "anonymous, and nothing in it tells whose it is",
        };
        unknown.sort_by_key(|(weight, _)| std::cmp::Reverse(weight.rss));
        for (number, (weight, area)) in unknown.into_iter().enumerate() {
            let is_shown = number < SHOWN && weight.rss >= SHOWN_BYTES;
            let owner = match &likely {
                Some(likely) => format!("unknown, likely {likely}'s"),
                None if is_shown => format!("unknown, at {:#x}", area.mapping.start),
                None => "unknown, small pieces".to_owned(),
            };
            let row = self.row(Kind::Unknown, &owner, evidence);
            self.add(row, weight);
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Weight {
    pieces: u64,
    rss: u64,
    private: u64,
    swap: u64,
}

/// Which file's bytes a mapping begins with: device, inode, offset.
fn place_in_file(mapping: &Mapping) -> (u32, u32, u64, u64) {
    (mapping.device.major, mapping.device.minor, mapping.inode, mapping.offset)
}

/// How often bytes are mapped that are shared.
fn times_mapped(areas: &[WeighedMapping]) -> HashMap<(u32, u32, u64, u64), u64> {
    let mut times = HashMap::new();
    for area in areas.iter().filter(|area| area.mapping.permissions.shared) {
        *times.entry(place_in_file(&area.mapping)).or_default() += 1;
    }
    times
}

fn is_looked_through(area: &WeighedMapping) -> bool {
    area.mapping.inode == 0 && !area.mapping.permissions.shared
}

fn never() -> Result<(), Errno> {
    Ok(())
}

#[cfg(test)]
mod tests;
