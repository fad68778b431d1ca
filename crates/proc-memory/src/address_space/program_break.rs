//! The break, the room above it, and the mapping that ends it.
//!
//! References: `brk(2)`; `mm/mmap.c` (`SYSCALL_DEFINE1(brk`), `include/linux/mm.h`
//! (`vm_start_gap`, `vma_is_initial_heap`), checked on Linux 6.18; glibc `malloc/malloc.c`
//! (`sysmalloc`, `DEFAULT_TOP_PAD`).

use serde::Serialize;

use super::mapping::Mapping;
use crate::{hexadecimal, page_size_bytes};

/// The smallest step by which glibc's malloc grows the heap, with 4 KiB pages and its default
/// settings: 128 KiB of padding (`M_TOP_PAD`) and the request that made it grow, rounded up to a
/// page.
pub const GLIBC_GROWTH_STEP_BYTES: u64 = 132 * 1024;

/// Pages that the kernel keeps free below a stack that grows downwards (`stack_guard_gap`, 256
/// unless the machine was booted with another).
const STACK_GUARD_PAGES: u64 = 256;

/// Addresses from here up are the kernel's; `[vsyscall]` is shown there, but no break can reach it.
const USER_END: u64 = 1 << 63;

/// Where the heap is and how far it can grow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProgramBreak {
    /// Where the heap starts.
    #[serde(with = "hexadecimal")]
    pub start: u64,
    /// The break, rounded up to a page; equal to [`start`](Self::start) when it has never moved.
    ///
    /// It is the end of the last `[heap]` mapping: the kernel does not tell the break itself to
    /// others. A mapping right at the break with the heap's own permissions (private, anonymous,
    /// `rw-`) is merged into the heap by the kernel and then looks like a part of it.
    #[serde(with = "hexadecimal")]
    pub end: u64,
    /// Bytes between the break and the next mapping above it; `None` when nothing lies above.
    pub room_bytes: Option<u64>,
    /// The part of the room that brk can take. The kernel keeps one page free below the next
    /// mapping, and 1 MiB more when that is the stack, so the last page of the room is never had.
    pub growable_bytes: Option<u64>,
    /// Whether the break has less to grow into than one step of glibc's malloc
    /// ([`GLIBC_GROWTH_STEP_BYTES`]): the next time the heap must grow, it cannot.
    pub blocked: bool,
    /// The mapping that ends the room.
    pub blocker: Option<Mapping>,
}

/// Finds the break in mappings that are shown to it in rising order.
pub(super) struct BreakFinder {
    start: Option<u64>,
    end: Option<u64>,
    blocker: Option<Mapping>,
}

impl BreakFinder {
    pub(super) fn new(start_brk: Option<u64>) -> Self {
        Self { start: start_brk, end: None, blocker: None }
    }

    /// Takes the next mapping into account.
    ///
    /// Two things that a kernel may call `[heap]` are not the heap. Linux up to 6.1 at least
    /// compares with `<=` and so names its two neighbours that way too: the program's own data,
    /// if it ends where the heap starts, and a hole punched right at the break. The first ends at
    /// or below the start; the second is told by not being writable, which malloc's heap always is
    /// (a program that write-protects the last pages of its own heap is mistaken for it).
    pub(super) fn see<N: AsRef<[u8]>>(&mut self, mapping: &Mapping<N>) {
        let below_heap = self.start.is_some_and(|start| mapping.end <= start);
        if below_heap || mapping.start >= USER_END {
            return;
        }
        if mapping.is_heap() && mapping.permissions.write {
            self.start.get_or_insert(mapping.start);
            self.end = Some(mapping.end);
            // What lay between two parts of the heap lies inside it.
            self.blocker = None;
        } else if self.start.is_some() && self.blocker.is_none() {
            self.blocker = Some(mapping.to_owned());
        }
    }

    pub(super) fn finish(self) -> Option<ProgramBreak> {
        let start = self.start?;
        let end = self.end.unwrap_or(start);
        let room_bytes = self.blocker.as_ref().map(|next| next.start.saturating_sub(end));
        let kept_bytes = match &self.blocker {
            Some(next) if next.is_stack() => (STACK_GUARD_PAGES + 1) * page_size_bytes(),
            _ => page_size_bytes(),
        };
        let growable_bytes = room_bytes.map(|room| room.saturating_sub(kept_bytes));
        Some(ProgramBreak {
            start,
            end,
            room_bytes,
            growable_bytes,
            blocked: growable_bytes.is_some_and(|bytes| bytes < GLIBC_GROWTH_STEP_BYTES),
            blocker: self.blocker,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::AddressSpace;
    use super::*;

    const DATA: &str = "00600000-00602000 rw-p 00000000 fe:00 7    /bin/x\n";
    const HEAP: &str = "02691000-026b2000 rw-p 00000000 00:00 0    [heap]\n";
    const STACK: &str = "7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0    [stack]\n";
    const VSYSCALL: &str = "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n";

    fn find(list: &[&str], start_brk: Option<u64>) -> Option<ProgramBreak> {
        let list = list.concat();
        AddressSpace::parse(list.as_bytes(), start_brk).unwrap().program_break
    }

    #[test]
    fn a_free_break_has_room_up_to_the_next_mapping() {
        let library = "7f0000000000-7f0000001000 r--p 00000000 fe:00 8    /lib/y\n";
        let heap = find(&[DATA, HEAP, library, STACK, VSYSCALL], Some(0x0269_1000)).unwrap();
        assert_eq!((heap.start, heap.end), (0x0269_1000, 0x026b_2000));
        assert_eq!(heap.room_bytes, Some(0x7f00_0000_0000 - 0x026b_2000));
        assert_eq!(heap.growable_bytes, heap.room_bytes.map(|room| room - page_size_bytes()));
        assert!(!heap.blocked);
        assert_eq!(&*heap.blocker.unwrap().name, b"/lib/y");
    }

    #[test]
    fn a_hole_at_the_break_leaves_no_room() {
        for name in ["", "[heap]"] {
            let hole = format!("026b2000-026b3000 r--p 00000000 00:00 0    {name}\n");
            let heap = find(&[DATA, HEAP, &hole, STACK], None).unwrap();
            assert_eq!((heap.start, heap.end), (0x0269_1000, 0x026b_2000), "{name}");
            assert_eq!((heap.room_bytes, heap.growable_bytes), (Some(0), Some(0)));
            assert!(heap.blocked);
            assert_eq!(heap.blocker.unwrap().start, heap.end);
        }
    }

    #[test]
    fn a_hole_before_the_first_growth_needs_the_start() {
        for name in ["", "[heap]"] {
            let hole = format!("02691000-02692000 r--p 00000000 00:00 0    {name}\n");
            let heap = find(&[DATA, &hole, STACK], Some(0x0269_1000)).unwrap();
            assert_eq!((heap.start, heap.end), (0x0269_1000, 0x0269_1000), "{name}");
            assert!(heap.blocked);
            assert_eq!(find(&[DATA, &hole, STACK], None), None);
        }
    }

    #[test]
    fn blocked_means_less_than_one_step_of_malloc() {
        let page = page_size_bytes();
        for (room, blocked) in [
            (0, true),
            (GLIBC_GROWTH_STEP_BYTES, true),
            (GLIBC_GROWTH_STEP_BYTES + page - 1, true),
            (GLIBC_GROWTH_STEP_BYTES + page, false),
        ] {
            let start = 0x026b_2000 + room;
            let next = format!("{start:x}-{:x} r--p 00000000 00:00 0\n", start + page);
            assert_eq!(find(&[HEAP, &next], None).unwrap().blocked, blocked, "{room}");
        }
    }

    #[test]
    fn the_stack_keeps_its_guard_gap() {
        let heap = find(&[HEAP, STACK], None).unwrap();
        let kept_bytes = heap.room_bytes.unwrap() - heap.growable_bytes.unwrap();
        assert_eq!(kept_bytes, 257 * page_size_bytes());
    }

    #[test]
    fn program_data_that_touches_the_heap_is_not_heap() {
        let data = "02690000-02691000 rw-p 00000000 00:00 0    [heap]\n";
        let heap = find(&[data, HEAP, STACK], Some(0x0269_1000)).unwrap();
        assert_eq!((heap.start, heap.end), (0x0269_1000, 0x026b_2000));
    }

    #[test]
    fn a_heap_in_pieces_ends_with_the_last() {
        let pieces = [
            "02691000-026a0000 rw-p 00000000 00:00 0    [heap]\n",
            "026a0000-026a1000 r--p 00000000 00:00 0    [heap]\n",
            "026a1000-026a2000 rw-p 00000000 fe:00 9    /mapped over it\n",
            "026a2000-026b2000 rw-p 00000000 00:00 0    [heap]\n",
            STACK,
        ];
        let heap = find(&pieces, None).unwrap();
        assert_eq!((heap.start, heap.end), (0x0269_1000, 0x026b_2000));
        assert!(heap.blocker.unwrap().is_stack());
    }

    #[test]
    fn nothing_above_is_not_a_blocker() {
        let heap = find(&[DATA, HEAP, VSYSCALL], None).unwrap();
        assert_eq!((heap.room_bytes, heap.blocked, heap.blocker), (None, false, None));
        assert_eq!(find(&[], None), None);
        assert_eq!(find(&[DATA, STACK], None), None);
    }
}
