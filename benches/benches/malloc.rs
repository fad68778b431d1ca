//! How fast malloc grows and shrinks with the break free and blocked: 4,096 blocks of 16 KiB.
//!
//! A malloc that has met a blocked break doesn't go back to the break even when that is free again,
//! so each sample is taken in a fork that is thrown away. The fork's only thread uses malloc's main
//! arena, the one that grows at the break.

use std::hint::black_box;
use std::time::{Duration, Instant};

use benches::kernel;
use brk_hole::{Hole, program_break};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};

/// As large as the blocks of request pools; below malloc's mmap threshold of 128 KiB.
const BLOCK_BYTES: usize = 16 << 10;
const BLOCKS: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Break {
    Free,
    Blocked,
}

const ARMS: [(&str, Break); 2] = [("control", Break::Free), ("hole", Break::Blocked)];

fn main() {
    let mut criterion =
        Criterion::default().configure_from_args().warm_up_time(Duration::from_secs(1));
    if !cfg!(target_env = "gnu") {
        eprintln!("malloc: skipped: only glibc's malloc grows at the break");
        return;
    }
    arms_are_what_they_say();

    let mut group = criterion.benchmark_group("malloc");
    group.sample_size(50);
    group.throughput(Throughput::Elements(BLOCKS as u64));
    bench(&mut group, "take", || growth(untouched));
    bench(&mut group, "take_and_write", || growth(written));
    bench(&mut group, "free", || {
        let blocks = take(written);
        let began = Instant::now();
        drop(blocks);
        began.elapsed()
    });
    group.finish();
    criterion.final_summary();
}

/// Times `work` in forks of their own, in both arms.
fn bench(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, work: fn() -> Duration) {
    for (arm, state) in ARMS {
        group.bench_function(BenchmarkId::new(name, arm), |bencher| {
            bencher.iter_custom(|forks| {
                let sample = |_| kernel::timed(|| prepared(state, work)).expect("a fork");
                (0..forks).map(sample).sum()
            });
        });
    }
}

/// In a fork: makes the arm's condition, then does the work.
fn prepared(state: Break, work: impl FnOnce() -> Duration) -> Duration {
    if state == Break::Blocked {
        Hole::punch().expect("a hole can be made").keep();
    }
    work()
}

/// malloc writes its own 16 bytes into a block, so that one page in four is faulted in.
fn untouched() -> impl Sized {
    Box::<[u8]>::new_uninit_slice(BLOCK_BYTES)
}

fn written() -> impl Sized {
    vec![0xA5_u8; BLOCK_BYTES]
}

/// The list is there before the first block, so that it doesn't move while it grows.
fn take<T>(make: fn() -> T) -> Vec<T> {
    let mut blocks = Vec::with_capacity(BLOCKS);
    fill(&mut blocks, make);
    blocks
}

fn fill<T>(blocks: &mut Vec<T>, make: fn() -> T) {
    for _ in 0..BLOCKS {
        blocks.push(black_box(make()));
    }
}

fn growth<T>(make: fn() -> T) -> Duration {
    let mut blocks = Vec::with_capacity(BLOCKS);
    let began = Instant::now();
    fill(&mut blocks, make);
    let time = began.elapsed();
    // The fork ends now, and freeing isn't what is measured.
    std::mem::forget(blocks);
    time
}

/// The blocks come from the break in one arm, and none of them in the other.
fn arms_are_what_they_say() {
    for (arm, state) in ARMS {
        let checked = kernel::timed(|| {
            prepared(state, || {
                let before = program_break();
                let blocks = take(written);
                let grown = program_break() - before;
                drop(blocks);
                match state {
                    Break::Free => assert!(grown >= BLOCKS * BLOCK_BYTES, "{grown} bytes"),
                    Break::Blocked => assert_eq!(grown, 0, "the break is blocked"),
                }
                Duration::ZERO
            })
        });
        if let Err(error) = checked {
            panic!("{arm}: {error}: what these benches measure doesn't hold on this machine");
        }
    }
}
