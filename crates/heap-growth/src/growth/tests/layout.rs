//! Where memory lay when there was most.

use super::*;

fn keeping() -> Told {
    let mut told = Told::default();
    told.0.keep_layout();
    told
}

fn listed(layout: &MemoryLayout) -> Vec<(u64, u64, &'static str)> {
    let parts = layout.parts.iter();
    parts
        .map(|part| {
            let bytes = part.range.end - part.range.start;
            (part.range.start, bytes, part.kind.name())
        })
        .collect()
}

#[test]
fn nothing_is_kept_unless_it_is_wanted() {
    let mut told = Told::default();
    told.mmap(AREA, MIB, RW, ANONYMOUS);
    assert_eq!(told.0.layout(), None);
    assert_eq!(keeping().0.layout(), None, "nothing grew");
}

#[test]
fn it_is_that_of_the_peak_though_all_was_given_back() {
    let mut told = keeping();
    told.found(&[(0x40_0000, 8192)], Some(HEAP))
        .brk(HEAP + MIB, HEAP + MIB)
        .mmap(AREA, 8 * MIB, RW, ANONYMOUS)
        .mmap(AREA + 64 * MIB, MIB, libc::PROT_NONE, ANONYMOUS)
        .munmap(AREA, 8 * MIB)
        .mmap(AREA, 2 * MIB, RW, ANONYMOUS)
        .brk(HEAP, HEAP);
    for ended in [false, true] {
        if ended {
            told.event(1, 1, What::Exited(Ending::Code(0)));
        }
        let layout = told.0.layout().unwrap();
        assert_eq!(
            listed(&layout),
            [(0x40_0000, 8192, "earlier"), (HEAP, MIB, "break"), (AREA, 8 * MIB, "large_block"),]
        );
        assert_eq!(layout.growth_bytes, 9 * MIB as i64);
        assert_eq!(layout.greatest_growth_bytes, 9 * MIB as i64);
        assert_eq!(layout.program_break, Some(HEAP + MIB));
        assert!(layout.knows_earlier);
        assert_eq!(layout.bytes()[GrowthKind::Earlier], 8192);
        assert_eq!(layout.low_bytes().total(), 8192 + MIB as i64);
    }
}

#[test]
fn a_little_more_is_not_worth_a_copy() {
    let mut told = keeping();
    told.mmap(AREA, 64 * MIB, RW, ANONYMOUS)
        .munmap(AREA, 2 * MIB)
        .mmap(AREA, 3 * MIB, RW, ANONYMOUS)
        .munmap(AREA, 63 * MIB);
    let layout = told.0.layout().unwrap();
    assert_eq!(layout.growth_bytes, 64 * MIB as i64);
    assert_eq!(layout.greatest_growth_bytes, 64 * MIB as i64);
    told.mmap(AREA, 65 * MIB, RW, ANONYMOUS).munmap(AREA, 65 * MIB);
    let layout = told.0.layout().unwrap();
    assert_eq!(layout.growth_bytes, 64 * MIB as i64, "1/64 is not exceeded");
    assert_eq!(layout.greatest_growth_bytes, 65 * MIB as i64);
    told.mmap(AREA, 66 * MIB, RW, ANONYMOUS).munmap(AREA, 66 * MIB);
    assert_eq!(told.0.layout().unwrap().growth_bytes, 66 * MIB as i64);
}

#[test]
fn of_several_processes_it_is_the_one_that_grew_most() {
    let mut told = keeping();
    let child = What::Forked { child: 2, thread: false };
    let args = |bytes: u64| [0, bytes, RW as u64, ANONYMOUS as u64, u64::MAX, 0];
    told.mmap(AREA, 4 * MIB, RW, ANONYMOUS).event(1, 1, child).call_by(
        2,
        2,
        Syscall::Mmap,
        &args(3 * MIB),
        Ok(AREA - 3 * MIB),
        None,
    );
    // The child has more, but most of it was its maker's.
    assert_eq!(told.0.layout().unwrap().pid, 1);
    told.call_by(2, 2, Syscall::Mmap, &args(2 * MIB), Ok(AREA - 8 * MIB), None);
    let layout = told.0.layout().unwrap();
    assert_eq!((layout.pid, layout.growth_bytes), (2, 5 * MIB as i64));
    assert_eq!(layout.bytes()[GrowthKind::Earlier], 4 * MIB as i64);
    // Its number is given to another one, which is not it.
    told.event(2, 2, What::Exited(Ending::Code(0)))
        .call_by(2, 2, Syscall::Brk, &[HEAP], Ok(HEAP), None)
        .call_by(2, 2, Syscall::Brk, &[2 * HEAP], Ok(HEAP), None);
    let layout = told.0.layout().unwrap();
    assert_eq!((layout.pid, layout.refused_brks), (2, 0));
}

#[test]
fn a_break_that_is_refused_names_what_the_calls_tell_of_its_way() {
    let mut told = keeping();
    let flags = ANONYMOUS | libc::MAP_FIXED;
    told.brk(0, HEAP).mmap(HEAP + 8192, 4096, libc::PROT_READ, flags).brk(HEAP + 4096, HEAP + 4096);
    let layout = told.0.layout().unwrap();
    assert_eq!((layout.refused_brks, layout.blocker), (0, None));
    told.brk(HEAP + MIB, HEAP + 4096)
        .brk(HEAP + MIB, HEAP + 4096)
        // Less, not more.
        .brk(1, HEAP + 4096);
    let layout = told.0.layout().unwrap();
    assert_eq!(layout.refused_brks, 2);
    let blocker = layout.blocker.unwrap();
    assert_eq!(blocker.range, HEAP + 8192..HEAP + 12288);
    assert_eq!((blocker.kind, blocker.mapping), (Some(GrowthKind::Other), None));
    assert!(!layout.knows_earlier);
}

#[test]
fn a_page_that_the_watcher_made_is_there_though_nobody_asked() {
    let mut told = keeping();
    told.found(&[], Some(HEAP));
    told.0.foreign_page(1, HEAP..HEAP + 4096);
    told.mmap(AREA, MIB, RW, ANONYMOUS);
    let layout = told.0.layout().unwrap();
    assert_eq!(listed(&layout), [(AREA, MIB, "large_block")]);
    assert_eq!(layout.refused_brks, 0);
    assert_eq!(layout.blocker.unwrap().range, HEAP..HEAP + 4096);
}

/// However often memory comes and goes, one copy is kept, and hardly ever a new one made.
#[test]
fn copies_are_few() {
    let mut told = keeping();
    let mut kept = Vec::new();
    for number in 0..20_000_u64 {
        told.mmap(AREA + number * 3 * 4096, 2 * 4096, RW, ANONYMOUS)
            .munmap(AREA + number * 3 * 4096, 4096);
        kept.push(told.0.greatest.kept_growth_bytes());
    }
    kept.dedup();
    // From 2 pages to 20,001: 64 × ln(10,000) is 590.
    assert!((300..700).contains(&kept.len()), "{}", kept.len());
    let last = *kept.last().unwrap();
    assert!(last * 65 / 64 >= 20_000 * 4096, "{last}");
}
