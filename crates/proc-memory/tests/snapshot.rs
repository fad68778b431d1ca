//! Known amounts, taken and given back.

use proc_memory::page_size_bytes;
use proc_memory::{Snapshot, Weigher};

use super::child::{Child, MIB};

const BLOCK_BYTES: u64 = 64 * MIB;
/// More than the child's program has. The compiler has just written it, so its pages are dirty;
/// they are private as long as no other test's child maps them too.
const PROGRAM_BYTES: u64 = 64 * 1024;

#[test]
fn a_block_is_weighed_to_the_byte() {
    let mut child = Child::start();
    let mut weigher = Weigher::open(child.pid()).unwrap();
    let empty = weigher.weigh().unwrap();

    child.tell(format!("m {BLOCK_BYTES}"));
    let mapped = weigher.weigh().unwrap();
    assert_eq!(mapped.address_space_bytes, empty.address_space_bytes + BLOCK_BYTES);
    assert_eq!(mapped.rss_bytes, empty.rss_bytes);
    assert_eq!(mapped.minor_faults, empty.minor_faults);

    let pages = child.tell("t");
    let touched = weigher.weigh().unwrap();
    assert_eq!(pages, BLOCK_BYTES / page_size_bytes());
    assert_eq!(touched.rss_bytes, empty.rss_bytes + BLOCK_BYTES);
    let dirty_bytes = touched.private_dirty_bytes.abs_diff(empty.private_dirty_bytes);
    assert!(dirty_bytes.abs_diff(BLOCK_BYTES) <= PROGRAM_BYTES);
    assert_eq!(touched.address_space_bytes, mapped.address_space_bytes);
    assert_eq!(touched.minor_faults, empty.minor_faults + pages);
    assert_eq!(touched.major_faults, empty.major_faults);
    assert_eq!(touched.swap_bytes, empty.swap_bytes);
    // Other processes may come to share its program and libraries, or cease to, while this runs.
    let private = touched.private_dirty_bytes..=touched.rss_bytes;
    assert!(private.contains(&touched.private_bytes));
    assert!(touched.pss_bytes >= BLOCK_BYTES && touched.pss_bytes <= touched.rss_bytes);
    assert!(touched.peak_rss_bytes >= touched.rss_bytes);

    child.tell("u");
    let unmapped = weigher.weigh().unwrap();
    assert_eq!(unmapped.rss_bytes, empty.rss_bytes);
    let dirty_bytes = unmapped.private_dirty_bytes.abs_diff(empty.private_dirty_bytes);
    assert!(dirty_bytes <= PROGRAM_BYTES);
    assert_eq!(unmapped.address_space_bytes, empty.address_space_bytes);
}

#[test]
fn the_heap_segment_follows_the_break() {
    let mut child = Child::start();
    let before = Snapshot::of(child.pid()).unwrap();
    assert_eq!(child.tell("g 1048576"), 1);
    let grown = Snapshot::of(child.pid()).unwrap();
    assert_eq!(grown.heap_segment_bytes, before.heap_segment_bytes + MIB);
    assert_eq!(grown.rss_bytes, before.rss_bytes, "not touched, so not resident");

    // Memory from mmap, even in the way of the break, is no heap segment.
    assert_eq!(child.tell("h 0"), 1);
    assert_eq!(Snapshot::of(child.pid()).unwrap().heap_segment_bytes, grown.heap_segment_bytes);
}

#[test]
fn threads_are_counted() {
    let mut child = Child::start();
    assert_eq!(Snapshot::of(child.pid()).unwrap().threads, 1);
    child.tell("p");
    assert_eq!(Snapshot::of(child.pid()).unwrap().threads, 2);
}

#[test]
fn weighing_leaves_the_process_as_it_was() {
    let child = Child::start();
    let mut weigher = Weigher::open(child.pid()).unwrap();
    let first = weigher.weigh().unwrap();
    for _ in 0..100 {
        let again = weigher.weigh().unwrap();
        assert_eq!(again.rss_bytes, first.rss_bytes);
        assert_eq!(again.minor_faults, first.minor_faults);
        assert_eq!(again.address_space_bytes, first.address_space_bytes);
    }
}

#[test]
fn a_snapshot_survives_json() {
    let snapshot = Snapshot::of(std::process::id().cast_signed()).unwrap();
    let json = serde_json::to_string(&snapshot).unwrap();
    assert!(json.contains("\"peak_rss_bytes\":"));
    assert_eq!(serde_json::from_str::<Snapshot>(&json).unwrap(), snapshot);
}
