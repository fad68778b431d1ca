//! What a call changes in one process's private writable memory.

use std::ops::Range;
use std::sync::Arc;

use super::kind::{ByKind, GrowthKind, got_low, lies_low};
use super::layout::LayoutPart;
use super::ranges::{Overtaken, Ranges, Tag};
use memory_event::{Call, Syscall};
use proc_memory::page_size_bytes;

/// From this size on an anonymous mapping counts as a large block: the lowest that malloc's mmap
/// threshold has by default.
///
/// # References
/// glibc `malloc/malloc.c`, `DEFAULT_MMAP_THRESHOLD_MIN`
const LARGE_BLOCK_BYTES: u64 = 128 * 1024;

/// What a thread's arena reserves for its heap, and twice that, of which the ill-aligned part is
/// given back at once.
///
/// # References
/// glibc `malloc/arena.c`, `new_heap` and `HEAP_MAX_SIZE`: twice `DEFAULT_MMAP_THRESHOLD_MAX`,
/// which is 32 MiB on 64-bit machines
const ARENA_RESERVATIONS_BYTES: [u64; 2] = [64 << 20, 128 << 20];

/// A guard below a thread's stack is a page or a few; a greater gap is somebody else's reservation.
///
/// # References
/// pthread_attr_setguardsize(3): one page by default; musl `src/thread/pthread_create.c`: 8 KiB
const LARGEST_GUARD_BYTES: u64 = 64 * 1024;

/// No program's memory lies above: what a log says of higher addresses is no memory.
///
/// # References
/// Linux `Documentation/arch/x86/x86_64/5level-paging.rst`: 56 bits; aarch64 has 52
const END_OF_ADDRESSES: u64 = 1 << 56;

/// What a call did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// The difference that it made.
    pub(super) by_kind: ByKind,
    /// Bytes that became writable.
    pub(super) asked_bytes: u64,
    /// Bytes that ceased to be.
    pub(super) returned_bytes: u64,
}

impl Change {
    fn gained(&mut self, range: &Range<u64>, tag: Tag) {
        if tag.counts() {
            let bytes = length(range);
            self.by_kind[tag.kind] += bytes as i64;
            self.asked_bytes += bytes;
        }
    }

    fn lost(&mut self, range: &Range<u64>, tag: Tag) {
        if tag.counts() {
            self.returned(tag.kind, length(range));
        }
    }

    fn returned(&mut self, kind: GrowthKind, bytes: u64) {
        self.by_kind[kind] -= bytes as i64;
        self.returned_bytes += bytes;
    }

    /// Without thread stacks, which are made for their own sake.
    pub(super) fn without_stacks(&self) -> Self {
        let mut rest = *self;
        let stacks = std::mem::take(&mut rest.by_kind[GrowthKind::Stack]);
        if stacks != 0 {
            let asked = rest.asked_bytes as i64 - stacks.max(0);
            // A move may have made a stack of something else.
            let asked = asked.max(rest.by_kind.total()).max(0);
            rest.asked_bytes = asked as u64;
            rest.returned_bytes = (asked - rest.by_kind.total()) as u64;
        }
        rest
    }
}

/// Calls of two threads that are told in a wrong order move a break by less; two programs' breaks are
/// mostly further apart, as the kernel places them at random.
const FAR_BYTES: u64 = 1 << 30;

/// The private memory of one process.
#[derive(Clone, Debug, Default)]
pub(super) struct TrackedMemory {
    /// Shared with the process that it was forked from until one of them changes it.
    ranges: Arc<Ranges>,
    program_break: Option<u64>,
    /// Where nobody told what was there before: below this the heap is as old as the log, as far as
    /// the break has not been lower yet.
    unseen_heap_below: Option<u64>,
    overtaken: Overtaken,
    knows_earlier: bool,
}

impl TrackedMemory {
    /// Memory that was there before: it doesn't count, but giving it back does.
    pub(super) fn found(ranges: &[Range<u64>], program_break: Option<u64>) -> Self {
        let mut found = Ranges::default();
        for range in ranges {
            let range = within_addresses(range);
            found.cut(range.clone(), |_, _| {});
            found.put(range, Tag::writable(GrowthKind::Earlier));
        }
        Self { ranges: Arc::new(found), program_break, knows_earlier: true, ..Self::default() }
    }

    /// The memory of a process that was forked from this one: all of it was there before.
    pub(super) fn inherited(&self) -> Self {
        let own = |(_, tag): (_, Tag)| tag.counts();
        if !self.ranges.iter().any(own) {
            return self.with_ranges(Arc::clone(&self.ranges));
        }
        let mut ranges = Ranges::default();
        for (range, tag) in self.ranges.iter() {
            // What isn't writable yet hasn't come yet.
            let tag = match tag.writable {
                true => Tag { kind: GrowthKind::Earlier, inherited: true, ..tag },
                false => tag,
            };
            ranges.put(range, tag);
        }
        self.with_ranges(Arc::new(ranges))
    }

    fn with_ranges(&self, ranges: Arc<Ranges>) -> Self {
        Self { ranges, overtaken: Overtaken::default(), unseen_heap_below: None, ..*self }
    }

    /// A page that was put here by somebody else: it doesn't count, but is there.
    pub(super) fn foreign(&mut self, range: Range<u64>) {
        let range = within_addresses(&range);
        let ranges = Arc::make_mut(&mut self.ranges);
        ranges.cut(range.clone(), |_, _| {});
        let (writable, shared) = (false, true);
        let tag = Tag { writable, shared, ..Tag::writable(GrowthKind::Other) };
        ranges.put(range, tag);
    }

    /// What is writable, by address, with neighbours of one kind as one.
    pub(super) fn parts(&self) -> Vec<LayoutPart> {
        let writable = self.ranges.iter().filter(|(_, tag)| tag.writable);
        writable.map(|(range, Tag { kind, .. })| LayoutPart { range, kind }).collect()
    }

    /// The break, rounded up to a page, once it is known.
    pub(super) fn program_break(&self) -> Option<u64> {
        self.program_break.map(page_up)
    }

    /// How many bytes are mapped, and how many of them are private and writable, as far as it was
    /// told.
    pub(super) fn bytes(&self) -> (u64, u64) {
        self.ranges.bytes()
    }

    /// Whether it was told what was there before the first call.
    pub(super) fn knows_earlier(&self) -> bool {
        self.knows_earlier
    }

    /// How the memory at an address came, writable or not.
    pub(super) fn kind_at(&self, address: u64) -> Option<GrowthKind> {
        self.ranges.kind_at(address)
    }

    /// What is known to lie in the way of a break that is to grow to `wanted`, the lowest first.
    ///
    /// # References
    /// `mm/mmap.c`, `SYSCALL_DEFINE1(brk)`: the page above the new break has to be free as well
    pub(super) fn above_break(&self, wanted: u64) -> Option<Range<u64>> {
        let way = self.program_break()?..page_up(wanted).saturating_add(page_size_bytes());
        self.ranges.first_from(&way)
    }

    /// Whether a call that came back can have made memory go.
    pub(super) fn may_go(&self, call: &Call) -> bool {
        let [_, second, third, flags, ..] = call.args;
        match (call.syscall, call.result) {
            (_, Err(_)) => false,
            (Syscall::Brk, Ok(to)) => self.program_break.is_some_and(|from| to < from),
            (Syscall::Mmap, Ok(_)) => has(flags, libc::MAP_FIXED),
            (Syscall::Mprotect, Ok(_)) => !has(third, libc::PROT_WRITE),
            (Syscall::Mremap, Ok(_)) => third < second,
            (syscall, Ok(_)) => syscall == Syscall::Munmap,
        }
    }

    /// Takes a call that came back. `is_fallback`: it stands in for a refused `brk`.
    pub(super) fn take(&mut self, call: &Call, is_fallback: bool) -> Change {
        let mut change = Change::default();
        let Ok(result) = call.result else {
            return change;
        };
        let [first, second, third, ..] = call.args;
        match call.syscall {
            Syscall::Brk => self.moved_break(first, result, &mut change),
            Syscall::Mmap => self.mapped(call, result, is_fallback, &mut change),
            Syscall::Munmap if self.overtaken.is_empty() => {
                self.unmapped(pages(first, second), &mut change);
            }
            Syscall::Munmap => {
                for range in self.overtaken.still_to_unmap(pages(first, second)) {
                    self.unmapped(range, &mut change);
                }
            }
            Syscall::Mprotect => self.protected(pages(first, second), third, &mut change),
            Syscall::Mremap => self.remapped(call, result, &mut change),
            _ => {}
        }
        change
    }

    fn moved_break(&mut self, asked: u64, to: u64, change: &mut Change) {
        // A program asks where its break is when it begins: if that is far from the known one, the known
        // one was another program's, whose end wasn't told.
        let known = self.program_break.replace(to);
        let Some(from) = known.filter(|from| asked != 0 || to.abs_diff(*from) < FAR_BYTES) else {
            if !self.knows_earlier {
                self.unseen_heap_below = Some(page_up(to));
            }
            return;
        };
        let (from, to) = (page_up(from), page_up(to));
        if to < from {
            self.unseen_heap_shrank(to, change);
            self.unmapped(to..from, change);
        } else {
            self.replaced(from..to, Tag::writable(GrowthKind::Break), change);
        }
    }

    /// The break fell to `to`: below the lowest one that the log told of lay heap as well.
    fn unseen_heap_shrank(&mut self, to: u64, change: &mut Change) {
        let Some(below) = self.unseen_heap_below.filter(|below| to < *below) else {
            return;
        };
        self.unseen_heap_below = Some(to);
        let unseen = to..below;
        let known: u64 = self.ranges.within(&unseen).iter().map(length).sum();
        change.returned(GrowthKind::Earlier, length(&unseen) - known);
    }

    fn mapped(&mut self, call: &Call, at: u64, is_fallback: bool, change: &mut Change) {
        let [hint, length, protection, flags, ..] = call.args;
        let range = pages(at, length);
        let shared = !has(flags, libc::MAP_PRIVATE) || has(flags, libc::MAP_SHARED);
        let writable = has(protection, libc::PROT_WRITE) && !shared;
        let kind = if shared {
            GrowthKind::Other
        } else if self.is_low(hint, &range, protection, flags) {
            GrowthKind::LowMemory
        } else if is_fallback {
            GrowthKind::Fallback
        } else {
            self.kind_of_mapping(&range, protection, flags)
        };
        if !has(flags, libc::MAP_FIXED) {
            self.overtaken.by(&range, &self.ranges);
        }
        let tag = Tag { writable, shared, ..Tag::writable(kind) };
        self.replaced(range, tag, change);
    }

    /// Memory for data, or a reservation of it, wanted below 2 GiB. One at an exact place counts if
    /// it takes up what had been wanted there: a page that is mapped to be in somebody's way, or
    /// over a program's image, is nobody's wish for low memory.
    fn is_low(&self, hint: u64, range: &Range<u64>, protection: u64, flags: u64) -> bool {
        let for_data = protection == 0 || has(protection, libc::PROT_WRITE);
        if !for_data || !has(flags, libc::MAP_ANONYMOUS) {
            return false;
        }
        if has(flags, libc::MAP_FIXED | libc::MAP_FIXED_NOREPLACE) {
            return self.ranges.kind_at(range.start) == Some(GrowthKind::LowMemory);
        }
        got_low(hint, flags, range)
    }

    fn kind_of_mapping(&self, range: &Range<u64>, protection: u64, flags: u64) -> GrowthKind {
        let bytes = length(range);
        let anonymous = has(flags, libc::MAP_ANONYMOUS);
        if has(flags, libc::MAP_STACK | libc::MAP_GROWSDOWN) {
            return GrowthKind::Stack;
        }
        if has(flags, libc::MAP_FIXED) && anonymous && protection == 0 {
            // Given back, but kept in reserve: an arena shrinks in this way.
            return self.ranges.kind_at(range.start).unwrap_or(GrowthKind::Other);
        }
        let reserved = anonymous && protection == 0 && has(flags, libc::MAP_NORESERVE);
        if reserved && ARENA_RESERVATIONS_BYTES.contains(&bytes) {
            return GrowthKind::Arena;
        }
        let plain = !has(flags, libc::MAP_FIXED);
        if anonymous && plain && has(protection, libc::PROT_WRITE) {
            return kind_by_size(range);
        }
        GrowthKind::Other
    }

    fn protected(&mut self, range: Range<u64>, protection: u64, change: &mut Change) {
        let writable = has(protection, libc::PROT_WRITE);
        let mut pieces = Vec::new();
        let guard = self.guard_below(&range).filter(|_| writable);
        let ranges = Arc::make_mut(&mut self.ranges);
        if let Some(guard) = &guard {
            // From now on both are a stack's, and apart from what is reserved directly below.
            let whole = guard.start..range.end;
            ranges.cut(whole.clone(), |_, _| {});
            let writable = false;
            let stack = Tag::writable(GrowthKind::Stack);
            ranges.put(whole, Tag { writable, ..stack });
        }
        ranges.cut(range, |piece, tag| pieces.push((piece, tag)));
        for (piece, tag) in pieces {
            let writable = writable && !tag.shared;
            let after = Tag { writable, ..tag };
            if writable && !tag.writable {
                change.gained(&piece, after);
            } else if tag.writable && !writable {
                change.lost(&piece, tag);
            }
            ranges.put(piece, after);
        }
    }

    /// What is left below a range if that is the upper end of a reservation, all but a guard: a
    /// thread's stack is made in this way by C libraries that don't say `MAP_STACK`.
    fn guard_below(&self, range: &Range<u64>) -> Option<Range<u64>> {
        let (whole, tag) = self.ranges.at(range.start)?;
        let guard = whole.start..range.start;
        let is_reserved = tag.kind == GrowthKind::Other && !tag.writable;
        let is_stack = is_reserved && whole.end == range.end && !guard.is_empty();
        (is_stack && length(&guard) <= LARGEST_GUARD_BYTES).then_some(guard)
    }

    fn remapped(&mut self, call: &Call, to: u64, change: &mut Change) {
        let [from, old_length, new_length, flags, ..] = call.args;
        let (old, new) = (pages(from, old_length), pages(to, new_length));
        if to == from && new.end <= old.end {
            // What stays may be several mappings, each as it was.
            return self.unmapped(new.end..old.end, change);
        }
        if old.is_empty() {
            // A shared mapping, mapped a second time.
            let (writable, shared) = (false, true);
            let tag = Tag { writable, shared, ..Tag::writable(GrowthKind::Other) };
            return self.replaced(new, tag, change);
        }
        let mut moved = None;
        let ranges = Arc::make_mut(&mut self.ranges);
        ranges.cut(old.clone(), |piece, tag| {
            moved.get_or_insert(tag);
            change.lost(&piece, tag);
        });
        if let Some(tag) = moved {
            if flags & libc::MREMAP_DONTUNMAP as u64 != 0 {
                self.replaced(old, tag, change);
            }
            if flags & libc::MREMAP_FIXED as u64 == 0 {
                self.overtaken.by(&new, &self.ranges);
            }
            let range = new;
            let kind = match tag.kind {
                GrowthKind::LowMemory if !lies_low(&range) => kind_by_size(&range),
                kind => kind,
            };
            // What was inherited stays so; what it grew by is this process's.
            let inherited = if tag.inherited { page_up(old_length) } else { 0 };
            let grown = range.start.saturating_add(inherited).min(range.end);
            self.replaced(range.start..grown, Tag { kind, ..tag }, change);
            self.replaced(grown..range.end, Tag { kind, inherited: false, ..tag }, change);
        }
        // What merely moved was neither asked for nor given back.
        let moved_bytes = change.asked_bytes.min(change.returned_bytes);
        change.asked_bytes -= moved_bytes;
        change.returned_bytes -= moved_bytes;
    }

    fn unmapped(&mut self, range: Range<u64>, change: &mut Change) {
        Arc::make_mut(&mut self.ranges).cut(range, |piece, tag| change.lost(&piece, tag));
    }

    fn replaced(&mut self, range: Range<u64>, tag: Tag, change: &mut Change) {
        self.unmapped(range.clone(), change);
        change.gained(&range, tag);
        Arc::make_mut(&mut self.ranges).put(range, tag);
    }
}

/// What an anonymous mapping is of which nothing else is known.
fn kind_by_size(range: &Range<u64>) -> GrowthKind {
    match length(range) >= LARGE_BLOCK_BYTES {
        true => GrowthKind::LargeBlock,
        false => GrowthKind::Other,
    }
}

fn has(bits: u64, flag: i32) -> bool {
    bits & flag as u64 != 0
}

/// An address, rounded up to a page.
pub(super) fn page_up(address: u64) -> u64 {
    // A page's size is a power of two.
    let within = page_size_bytes() - 1;
    (address.saturating_add(within) & !within).min(END_OF_ADDRESSES)
}

fn within_addresses(range: &Range<u64>) -> Range<u64> {
    range.start.min(END_OF_ADDRESSES)..range.end.min(END_OF_ADDRESSES)
}

/// Bytes of a range; none if it is empty.
fn length(range: &Range<u64>) -> u64 {
    range.end.saturating_sub(range.start)
}

/// The whole pages that a call on `length` bytes at `start` is about.
fn pages(start: u64, length: u64) -> Range<u64> {
    let end = page_up(start.saturating_add(length));
    start.min(end)..end
}
