//! The safe hole: it stops the break, it doesn't overwrite, it goes away.

use suite as _;

use brk_hole::{BreakGrowth, Hole, HoleError, HoleOptions, Room, program_break};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// The break belongs to the process, so one test at a time may ask about it.
static THE_BREAK: Mutex<()> = Mutex::new(());

fn alone() -> std::sync::MutexGuard<'static, ()> {
    THE_BREAK.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[test]
fn growth_is_refused_while_the_hole_is_there_and_granted_again_afterwards() {
    let _alone = alone();
    assert_eq!(BreakGrowth::probe(1 << 20).unwrap(), BreakGrowth::Granted);
    let hole = Hole::punch().unwrap();
    assert_eq!(BreakGrowth::probe(1 << 20).unwrap(), BreakGrowth::Refused);
    assert_eq!(
        BreakGrowth::probe(proc_memory::page_size_bytes() as usize).unwrap(),
        BreakGrowth::Refused
    );
    drop(hole);
    assert_eq!(BreakGrowth::probe(1 << 20).unwrap(), BreakGrowth::Granted);
}

#[test]
fn probing_leaves_the_break_where_it_is() {
    let _alone = alone();
    let before = program_break();
    assert_eq!(BreakGrowth::probe(64 << 20).unwrap(), BreakGrowth::Granted);
    assert_eq!(program_break(), before);
}

#[test]
fn room_ends_at_the_hole_and_its_last_page_can_not_be_used() {
    let _alone = alone();
    let page = proc_memory::page_size_bytes() as usize;
    let hole = HoleOptions::new().pages(3).offset_pages(4).punch().unwrap();
    assert_eq!(hole.range().len(), 3 * page);

    let room = Room::now().unwrap();
    assert_eq!(room.bytes, 4 * page);
    let blocker = room.blocker.expect("the hole is above the break");
    assert_eq!(blocker.range, hole.range());
    assert_eq!(blocker.permissions, "---p");

    assert_eq!(BreakGrowth::probe(3 * page).unwrap(), BreakGrowth::Granted);
    assert_eq!(BreakGrowth::probe(4 * page).unwrap(), BreakGrowth::Refused);
}

/// As LuaJIT's memory may come to lie where a heap has grown past 1 GiB.
#[test]
fn a_mapping_that_the_kernel_joins_to_the_heap_ends_the_room_too() {
    let _alone = alone();
    let page = proc_memory::page_size_bytes() as usize;
    let end = program_break().next_multiple_of(page);
    // SAFETY: NOREPLACE maps over nothing; the break is nobody's but this test's.
    let mapped = unsafe {
        libc::mmap(
            std::ptr::without_provenance_mut(end),
            2 * page,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE,
            -1,
            0,
        )
    };
    assert_eq!(mapped.addr(), end);

    let room = Room::now();
    let growth = BreakGrowth::probe(page);
    // SAFETY: the two pages from above, which nobody uses.
    assert_eq!(unsafe { libc::munmap(mapped, 2 * page) }, 0);

    let room = room.unwrap();
    assert_eq!(room.bytes, 0, "{room:?}");
    assert_eq!(room.blocker.unwrap().range.end, end + 2 * page);
    assert_eq!(growth.unwrap(), BreakGrowth::Refused);
}

#[test]
fn a_second_hole_says_that_the_break_is_blocked_already() {
    let _alone = alone();
    let first = Hole::punch().unwrap();
    match Hole::punch() {
        Err(HoleError::Taken { range }) => assert_eq!(range, first.range()),
        other => panic!("expected Taken, got {other:?}"),
    }
    assert_eq!(BreakGrowth::probe(1 << 20).unwrap(), BreakGrowth::Refused);
}

#[test]
fn sizes_that_make_no_sense_are_refused() {
    let _alone = alone();
    let none = HoleOptions::new().pages(0).punch();
    assert!(matches!(none, Err(HoleError::NoPages)), "{none:?}");
    for options in [
        HoleOptions::new().pages(usize::MAX),
        HoleOptions::new().offset_pages(usize::MAX),
        HoleOptions::new().pages(usize::MAX / proc_memory::page_size_bytes() as usize),
    ] {
        let beyond = options.punch();
        assert!(matches!(beyond, Err(HoleError::BeyondAddressSpace)), "{beyond:?}");
    }
    let above_user_space = HoleOptions::new().offset_pages(1 << 40).punch();
    assert!(matches!(above_user_space, Err(HoleError::Map { .. })), "{above_user_space:?}");
}

/// Other threads move the break as fast as they can: a hole is either at the break or is an error,
/// never a page over somebody's memory.
#[test]
fn punching_while_the_break_moves_overwrites_nothing() {
    let _alone = alone();
    let stop = AtomicBool::new(false);
    let mut made = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: nobody else in this process moves the break: malloc of a thread other than
            // the first works in an arena of its own, and the first one waits.
            unsafe { move_the_break_until(&stop) }
        });
        for _ in 0..2_000 {
            match Hole::punch() {
                Ok(hole) => {
                    made += 1;
                    drop(hole);
                }
                Err(HoleError::BreakMoves { .. } | HoleError::Taken { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(made > 0, "no hole was ever made");
}

/// # Safety
/// Only one thread of the process may move the break meanwhile.
unsafe fn move_the_break_until(stop: &AtomicBool) {
    const GROWTH: usize = 16 << 12;
    while !stop.load(Ordering::Relaxed) {
        // SAFETY: as the caller promises.
        let grown = unsafe { libc::sbrk(GROWTH as isize) };
        if grown as isize == -1 {
            continue;
        }
        // SAFETY: sbrk has just given these bytes to us.
        unsafe { grown.cast::<u8>().write_bytes(0xA5, GROWTH) };
        // SAFETY: within what was given.
        let given = unsafe { std::slice::from_raw_parts(grown.cast::<u8>(), GROWTH) };
        assert!(given.iter().all(|byte| *byte == 0xA5), "overwritten");
        // SAFETY: gives back exactly what was taken.
        unsafe { libc::sbrk(-(GROWTH as isize)) };
    }
}
