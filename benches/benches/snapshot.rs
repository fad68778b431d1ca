//! What weighing a process and reading its mappings cost, for a small one, one with much memory and
//! one with many mappings. The kernel walks the page tables for it, so it depends on both.

use std::ffi::OsString;
use std::io::Read;
use std::time::Duration;

use benches::program;
use benches::waiting::Waiting;
use criterion::{BenchmarkId, Criterion};
use memmap2::MmapMut;
use proc_memory::{AddressSpace, Snapshot, Weigher};

/// What the weighed processes hold: a name, bytes of memory, mappings beside those of any program.
const HELD: [(&str, usize, usize); 3] =
    [("small", 0, 0), ("256_MiB", 256 << 20, 0), ("4000_mappings", 0, 4000)];

const ROLE: &str = "hold";
const BLOCK_BYTES: usize = 16 << 10;

fn main() {
    if let Some((_, arguments)) = program::role() {
        return hold(&arguments);
    }
    let mut criterion = Criterion::default()
        .configure_from_args()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3));
    for (name, bytes, mappings) in HELD {
        let mut holder = program::in_role(ROLE).expect("this program can be run again");
        holder.args([bytes.to_string(), mappings.to_string()]);
        let holder = Waiting::of(&mut holder).expect("it holds all");
        bench(&mut criterion, name, holder.pid());
    }
    criterion.final_summary();
}

fn bench(criterion: &mut Criterion, name: &str, pid: i32) {
    let mut group = criterion.benchmark_group("snapshot");
    group.bench_function(BenchmarkId::new("Snapshot::of", name), |bencher| {
        bencher.iter(|| Snapshot::of(pid).expect("weighed"));
    });
    let mut weigher = Weigher::open(pid).expect("opened");
    group.bench_function(BenchmarkId::new("Weigher::weigh", name), |bencher| {
        bencher.iter(|| weigher.weigh().expect("weighed"));
    });
    group.bench_function(BenchmarkId::new("AddressSpace::of", name), |bencher| {
        bencher.iter(|| AddressSpace::of(pid).expect("read"));
    });
    group.finish();
}

fn hold(arguments: &[OsString]) {
    let number = |index: usize| {
        let text = arguments[index].to_str().expect("a number");
        text.parse::<usize>().expect("a number")
    };
    let blocks: Vec<Vec<u8>> =
        (0..number(0) / BLOCK_BYTES).map(|_| vec![0xA5; BLOCK_BYTES]).collect();
    // Every second one is writable: neighbours that are alike would become one mapping.
    let mappings: Vec<_> = (0..number(1))
        .map(|index| {
            let writable = MmapMut::map_anon(4096).expect("mapped");
            if index % 2 == 0 {
                (Some(writable), None)
            } else {
                (None, Some(writable.make_read_only().expect("protected")))
            }
        })
        .collect();
    println!("ready");
    let _ = std::io::stdin().read(&mut [0]);
    drop((blocks, mappings));
}
