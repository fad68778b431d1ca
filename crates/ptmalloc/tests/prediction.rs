//! What `malloc_trim(0)` would give back, against what it does give back. The parent weighs; the
//! target only trims.

use std::process::Command;

use super::target::{KIB, Target};
use suite::installed;
use suite::skipped;

/// 1 %, or what the target's first call of malloc_trim itself costs: its code's pages.
fn assert_close(predicted_bytes: u64, before_bytes: u64, after_bytes: u64) {
    let real = before_bytes as i64 - after_bytes as i64;
    let difference = (predicted_bytes as i64 - real).unsigned_abs();
    assert!(
        difference <= (predicted_bytes / 100).max(256 * KIB),
        "predicted {} KiB, given back {} KiB",
        predicted_bytes / KIB,
        real / KIB as i64
    );
}

/// Runs these commands, predicts, trims and weighs; gives the prediction.
fn predicted(target: &mut Target, commands: &[&str], trim: &str) -> u64 {
    for command in commands {
        target.told(command);
    }
    let predicted = target.state().returnable_bytes.expect("a quiet process is readable");
    let before = target.rss_bytes();
    target.tell(trim);
    assert_close(predicted, before, target.rss_bytes());
    let left = target.state().returnable_bytes.unwrap();
    assert!(left <= 256 * KIB, "{left} bytes are left to be given back");
    predicted
}

#[test]
fn with_the_break_free() {
    let mut target = Target::start();
    let bytes = predicted(&mut target, &["c 20000 20 20000 50"], "T");
    assert!(bytes > 150_000 * KIB, "{bytes}");
}

#[test]
fn with_the_break_blocked() {
    let mut target = Target::start();
    let bytes = predicted(&mut target, &["h", "c 20000 20 20000 50"], "T");
    assert!(bytes > 150_000 * KIB, "{bytes}");
    assert!(target.state().non_contiguous);
}

#[test]
fn with_fast_bins_full() {
    // All but every 300th of 200,000 blocks that fit into fast bins: put together, they are pages.
    let mut target = Target::start();
    target.told("c 200000 20 100 300");
    let state = target.state();
    let fast_bytes = state.arenas[0].free.unwrap().fast_bytes;
    let bytes = predicted(&mut target, &[], "T");
    assert!(bytes > 10_000 * KIB, "{bytes}");
    if version(&target) < (2, 43) {
        assert!(fast_bytes > 10_000 * KIB, "{fast_bytes}");
    }
}

#[test]
fn with_fast_bins_full_of_holes() {
    let mut target = Target::start();
    predicted(&mut target, &["c 200000 20 100 3"], "T");
    predicted(&mut target, &["c 100000 20 4000 9"], "T");
}

#[test]
fn of_eight_threads_with_an_arena_each() {
    let mut target = Target::start();
    target.told("t 8");
    let arenas = target.state().arenas;
    assert!(arenas.len() >= 8, "{arenas:?}");
    let bytes = predicted(&mut target, &[], "T");
    assert!(bytes > 150_000 * KIB, "{bytes}");
}

#[test]
fn of_memory_that_somebody_took_behind_the_heap() {
    // Then the break is not the heap's end, and the top can't be given back.
    let mut target = Target::start();
    predicted(&mut target, &["c 20000 20 20000 1000000", "s 4096"], "T");
}

#[test]
fn of_locked_memory_only_the_top() {
    let mut target = Target::start();
    target.told("c 20000 20 20000 50");
    if target.tell("l") != "ok" {
        return skipped("so much memory can't be locked here (ulimit -l)");
    }
    let predicted = target.state().returnable_bytes.unwrap();
    let before = target.rss_bytes();
    target.tell("T");
    assert_close(predicted, before, target.rss_bytes());
}

/// madvise goes from mapping to mapping up to the first that it refuses.
#[test]
fn of_a_chunk_with_a_locked_page_what_lies_before_it() {
    let mut target = Target::start();
    if target.tell("k 16777216") != "ok" {
        return skipped("no page can be locked here (ulimit -l)");
    }
    let half = 8 * 1024 * KIB - 64 * KIB..8 * 1024 * KIB + 64 * KIB;
    let locked = |target: &Target| {
        let free = target.state().arenas.into_iter().filter_map(|arena| arena.free);
        free.map(|free| free.locked_bytes).sum::<u64>()
    };
    assert!(half.contains(&locked(&target)), "{}", locked(&target));
    let bytes = predicted(&mut target, &[], "T");
    assert!(half.contains(&bytes), "{bytes}");
}

#[test]
fn of_python_after_a_big_structure() {
    if !installed("python3") {
        return;
    }
    let mut target = Target::of(Command::new("python3").args(["-u", "-c", PYTHON]));
    assert_eq!(target.hear(), "ready");
    let bytes = predicted(&mut target, &[], "trim");
    assert!(bytes > 1000 * KIB, "{bytes}");
}

/// Text of all sizes, most of which dies.
const PYTHON: &str = "
import ctypes, gc, sys
libc = ctypes.CDLL(None)
kept = ['x' * (600 + i * 37 % 9000) for i in range(40000)]
kept = kept[::40]
gc.collect()
print('ready')
for line in sys.stdin:
    libc.malloc_trim(0)
    print('done')
";

#[test]
fn of_perl_after_a_big_structure() {
    if !installed("perl") || !installed("gdb") {
        return;
    }
    let mut target = Target::of(Command::new("perl").args(["-e", PERL]));
    assert_eq!(target.hear(), "ready");
    let predicted = target.state().returnable_bytes.unwrap();
    assert!(predicted > 1000 * KIB, "{predicted}");
    let before = target.rss_bytes();
    // perl has nothing that would call malloc_trim.
    let gdb = Command::new("gdb")
        .args(["-nx", "-batch", "-p", &target.pid().to_string()])
        .args(["-ex", "call (int) malloc_trim(0)"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&gdb.stdout);
    assert!(said.contains("$1 = 1"), "{said}{}", String::from_utf8_lossy(&gdb.stderr));
    assert_close(predicted, before, target.rss_bytes());
}

const PERL: &str = "
$| = 1;
my @kept = map { 'x' x (600 + $_ * 37 % 9000) } 0..39999;
my @few = @kept[map { $_ * 40 } 0..999];
undef @kept;
print qq(ready\n);
<STDIN>;
";

fn version(target: &Target) -> (u32, u32) {
    let allocator = target.examine().allocator.unwrap().to_string();
    let number = allocator.rsplit(' ').next().unwrap();
    let mut parts = number.split('.').map(|part| part.parse().unwrap());
    (parts.next().unwrap(), parts.next().unwrap())
}
