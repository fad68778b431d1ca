//! A peak belongs to one program: neither to its predecessor nor to its siblings.

use proc_memory::{Snapshot, Weigher};

use super::child::{Child, MIB};

const BIG_BYTES: u64 = 200 * MIB;
const SMALL_BYTES: u64 = 30 * MIB;

/// The kernel's own figure for a peak that has passed is short by up to a batch of pages per CPU
/// and kind of page.
const ROUGHLY_BYTES: u64 = 8 * MIB;

fn big_child() -> Child {
    let mut child = Child::start();
    child.tell(format!("m {BIG_BYTES}"));
    child.tell("t");
    child
}

#[test]
fn a_peak_stays_when_the_memory_is_gone() {
    let mut child = big_child();
    let full = Snapshot::of(child.pid()).unwrap();
    assert!(full.peak_rss_bytes >= BIG_BYTES);
    child.tell("u");
    let after = Snapshot::of(child.pid()).unwrap();
    assert!(after.rss_bytes < SMALL_BYTES);
    assert!(after.peak_rss_bytes + ROUGHLY_BYTES >= full.rss_bytes, "{after:?}");
    // Since Linux 6.2 both are sums over processors that may lag behind.
    let most = full.peak_rss_bytes + ROUGHLY_BYTES;
    assert!(after.peak_rss_bytes <= most, "{after:?}");
}

/// `getrusage(RUSAGE_CHILDREN)` gives the maximum over all children that were waited for.
#[test]
fn a_small_process_after_a_big_one_is_small() {
    let big = big_child();
    drop(big);
    assert!(children_maxrss_bytes() >= BIG_BYTES, "the trap is there");

    let small = Child::start();
    let snapshot = Snapshot::of(small.pid()).unwrap();
    assert!(snapshot.peak_rss_bytes < SMALL_BYTES, "{snapshot:?}");
}

/// `ru_maxrss` of a process itself keeps what its program before the exec took.
#[test]
fn a_small_program_in_a_process_that_was_big_is_small() {
    let mut child = big_child();
    let mut weigher = Weigher::open(child.pid()).unwrap();
    assert!(weigher.weigh().unwrap().peak_rss_bytes >= BIG_BYTES);
    child.exec();
    assert!(child.tell("r") >= BIG_BYTES, "the trap is there");

    let snapshot = weigher.weigh().unwrap();
    assert!(snapshot.peak_rss_bytes < SMALL_BYTES, "{snapshot:?}");
    assert!(snapshot.rss_bytes < SMALL_BYTES, "{snapshot:?}");
}

fn children_maxrss_bytes() -> u64 {
    // SAFETY: all-zero bytes are a valid rusage, which holds only integers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is a whole rusage that the kernel may write to during the call.
    let result = unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage) };
    assert_eq!(result, 0);
    u64::try_from(usage.ru_maxrss).unwrap() * 1024
}
