//! Memory that was asked for below 2 GiB.

use super::*;
use crate::growth::kind::MAP_32BIT;
use crate::refusals::BrkFailure;
use proc_memory::AddressSpace;

/// Where the kernel begins to serve `MAP_32BIT`.
const SECOND_GIB: u64 = 0x4000_0000;

impl Told {
    fn low_mmap(&mut self, hint: u64, bytes: u64, more_flags: i32, at: u64) -> &mut Self {
        let flags = (ANONYMOUS | more_flags) as u64;
        let args = [hint, bytes, RW as u64, flags, u64::MAX, 0];
        self.call(Syscall::Mmap, &args, at)
    }
}

#[test]
fn by_flag_and_by_hint() {
    let mut told = Told::default();
    told.low_mmap(0, 128 * KIB, MAP_32BIT, SECOND_GIB)
        .low_mmap(0x1000_0000, MIB, 0, 0x1000_0000)
        // A size that would be nothing worth a kind of its own elsewhere.
        .low_mmap(0x2000_0000, 4096, 0, 0x2000_0000);
    assert_eq!(told.kinds(), [("low_memory", (128 * KIB + MIB + 4096) as i64)]);
}

#[test]
fn what_lies_elsewhere_or_was_not_asked_for_is_none() {
    let mut told = Told::default();
    // A hint that was not taken; a low place that nobody asked for; one that reaches beyond.
    told.low_mmap(0x1000_0000, MIB, 0, AREA)
        .low_mmap(0, MIB, 0, 0x3000_0000)
        .low_mmap(0x7fff_0000, MIB, 0, 0x7fff_0000)
        .munmap(0x7fff_0000, MIB)
        // One that ends exactly there counts.
        .low_mmap(0x7ff0_0000, MIB, 0, 0x7ff0_0000);
    assert_eq!(told.kinds(), [("large_block", 2 * MIB as i64), ("low_memory", MIB as i64)]);
}

#[test]
fn lua_probing_for_a_place_leaves_what_it_keeps() {
    let mut told = Told::default();
    // `mmap_probe` of lj_alloc.c: given something high, it gives it back and tries a hint.
    told.low_mmap(0, MIB, 0, AREA)
        .munmap(AREA, MIB)
        .low_mmap(0x0100_0000, MIB, 0, AREA)
        .munmap(AREA, MIB)
        .low_mmap(0x0200_0000, MIB, 0, 0x0200_0000);
    assert_eq!(told.kinds(), [("low_memory", MIB as i64)]);
}

#[test]
fn an_exact_place_is_not_asking_for_low_memory() {
    let mut told = Told::default();
    let page = [HEAP, 4096, libc::PROT_READ as u64];
    let no_replace = (ANONYMOUS | libc::MAP_FIXED_NOREPLACE) as u64;
    // A hole at the break, made writable later; and a program's image that is mapped over.
    told.call(Syscall::Mmap, &[page[0], page[1], page[2], no_replace, u64::MAX, 0], HEAP)
        .mprotect(HEAP, 4096, RW)
        .found(&[(0x40_0000, 8192)], None)
        .mmap(0x40_0000, 8192, RW, ANONYMOUS | libc::MAP_FIXED);
    // The same for data, where something may not be replaced.
    told.low_mmap(0x50_0000, MIB, libc::MAP_FIXED_NOREPLACE, 0x50_0000);
    assert_eq!(told.0.by_kind()[GrowthKind::LowMemory], 0);
}

#[test]
fn a_file_at_a_low_address_is_none() {
    let mut told = Told::default();
    let flags = (libc::MAP_PRIVATE | MAP_32BIT) as u64;
    let args = [0, MIB, RW as u64, flags, 3, 0];
    told.call(Syscall::Mmap, &args, SECOND_GIB);
    assert_eq!(told.kinds(), [("other", MIB as i64)]);
}

#[test]
fn a_reservation_counts_as_far_as_it_is_writable() {
    let mut told = Told::default();
    let flags = (ANONYMOUS | MAP_32BIT | libc::MAP_NORESERVE) as u64;
    let args = [0, 64 * MIB, libc::PROT_NONE as u64, flags, u64::MAX, 0];
    told.call(Syscall::Mmap, &args, SECOND_GIB);
    assert_eq!(told.kinds(), []);
    told.mprotect(SECOND_GIB, 5 * MIB, RW);
    // Taken up by a mapping instead of mprotect.
    told.mmap(SECOND_GIB + 8 * MIB, 2 * MIB, RW, ANONYMOUS | libc::MAP_FIXED);
    assert_eq!(told.kinds(), [("low_memory", 7 * MIB as i64)]);
    told.mprotect(SECOND_GIB, MIB, libc::PROT_READ).munmap(SECOND_GIB + 8 * MIB, MIB);
    assert_eq!(told.kinds(), [("low_memory", 5 * MIB as i64)]);
}

#[test]
fn it_grows_and_shrinks_in_place_and_may_leave() {
    let mut told = Told::default();
    told.low_mmap(0, MIB, MAP_32BIT, SECOND_GIB);
    let remap = |told: &mut Told, from: u64, old: u64, new: u64, to: u64| {
        let flags = libc::MREMAP_MAYMOVE as u64;
        told.call(Syscall::Mremap, &[from, old, new, flags, 0], to);
    };
    remap(&mut told, SECOND_GIB, MIB, 3 * MIB, SECOND_GIB);
    assert_eq!(told.kinds(), [("low_memory", 3 * MIB as i64)]);
    remap(&mut told, SECOND_GIB, 3 * MIB, 2 * MIB, SECOND_GIB);
    assert_eq!(told.kinds(), [("low_memory", 2 * MIB as i64)]);
    remap(&mut told, SECOND_GIB, 2 * MIB, 4 * MIB, AREA);
    assert_eq!(told.kinds(), [("large_block", 4 * MIB as i64)]);
}

#[test]
fn it_is_no_fallback_even_after_a_refused_break() {
    let mut told = Told::default();
    told.brk(0, HEAP).brk(HEAP + 132 * KIB, HEAP).low_mmap(0, 128 * KIB, MAP_32BIT, SECOND_GIB);
    assert_eq!(told.kinds(), [("low_memory", 128 * 1024)]);
}

/// What a refusal shows of the surroundings.
fn above(mapping: &str) -> What {
    let list = format!("00600000-00601000 rw-p 00000000 00:00 0    [heap]\n{mapping}\n");
    let space = AddressSpace::parse(list.as_bytes(), None).unwrap();
    let mut around = memory_event::Refusal::default();
    around.program_break = space.program_break().cloned();
    around.data_bytes = 4096;
    around.address_space_bytes = MIB;
    What::Refused(Box::new(around))
}

/// How the blocker came that the only refused break met.
fn kind_of_blocker(told: &Told) -> Option<GrowthKind> {
    let refused = told.0.refused();
    match &refused[..] {
        [refused] => match &refused.cause {
            BrkFailure::Blocked(by) => by.kind,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_break_that_it_blocks_is_told_by_what() {
    let mut told = Told::default();
    let at = HEAP + 64 * KIB;
    told.brk(0, HEAP)
        .brk(HEAP + 4096, HEAP + 4096)
        .low_mmap(at, MIB, 0, at)
        .brk(HEAP + MIB, HEAP + 4096);
    told.event(1, 1, above("00610000-00710000 rw-p 00000000 00:00 0"));
    assert_eq!(kind_of_blocker(&told), Some(GrowthKind::LowMemory));
    // A page that nothing can be written to is nobody's memory.
    let mut told = Told::default();
    told.brk(0, HEAP)
        .brk(HEAP + 4096, HEAP + 4096)
        .mmap(at, 4096, libc::PROT_READ, ANONYMOUS | libc::MAP_FIXED)
        .brk(HEAP + MIB, HEAP + 4096);
    told.event(1, 1, above("00610000-00611000 r--p 00000000 00:00 0"));
    assert_eq!(kind_of_blocker(&told), Some(GrowthKind::Other));
}
