//! A program of which the size of each owner's memory is known.

use std::process::Command;
use std::time::{Duration, Instant};

use memory_account::{Account, Kind};
use ptmalloc::Unknown;

use super::compiled;
use super::target::{MIB, Target, about, of, row};

fn owners(arguments: &[&str]) -> Target {
    let program = compiled("programs/owners.c", "memory-account-owners", &["-O1"]);
    Target::start(Command::new(program).args(arguments))
}

#[test]
fn each_owner_has_what_is_its_own() {
    let target = owners(&[]);
    let account = target.account();
    println!("{account:#?}");
    // Static data beyond the file; the C library is beside it.
    assert!((11 * MIB..15 * MIB).contains(&of(&account, Kind::File)));
    assert!(about(2).contains(&of(&account, Kind::FileShared)));
    assert!(about(5).contains(&of(&account, Kind::SharedMemory)));
    let blocks = row(&account, "glibc's mmapped blocks");
    assert_eq!(blocks.pieces, 8);
    assert!(about(7).contains(&blocks.rss_bytes));
    // 1,000 bytes in chunks of 1,008.
    let main = row(&account, "glibc's main arena");
    assert!((12 * MIB..14 * MIB).contains(&main.rss_bytes));
    assert!(main.free_bytes.is_some_and(|free| free < MIB / 4));
    let threads = row(&account, "glibc's thread arenas");
    assert!((4 * MIB - MIB / 8..5 * MIB).contains(&threads.rss_bytes));
    assert_eq!((main.kind, threads.kind), (Kind::MallocArena, Kind::MallocArena));
    // One thread's 3 MiB are in use, the other's once were.
    let stacks = row(&account, "other threads' stacks");
    assert_eq!(stacks.pieces, 2);
    assert!(about(6).contains(&stacks.rss_bytes));
    assert!((3 * MIB - MIB / 8..=3 * MIB + MIB / 8).contains(&stacks.free_bytes.unwrap()));
    // And what nothing tells of.
    assert!(about(17).contains(&of(&account, Kind::Unknown)));
    let last = account.rows.iter().rev().find(|row| row.rss_bytes > MIB).unwrap();
    assert!(last.owner.starts_with("unknown, at 0x"), "{account:#?}");
}

#[test]
fn what_a_fork_shares_is_not_what_the_machine_would_get_back() {
    let target = owners(&["fork"]);
    let account = target.account();
    // Of memory that is shared by its nature the child has touched nothing.
    let by_fork = |kind| !matches!(kind, Kind::FileShared | Kind::SharedMemory);
    let by_fork = account.rows.iter().filter(|row| by_fork(row.kind));
    let private: u64 = by_fork.map(|row| row.private_bytes).sum();
    assert!(private < MIB, "{account:#?}");
    assert!(account.rss_bytes() > 60 * MIB);
}

/// Here, where most owners are told by lists, an account costs about twice what the kernel takes to
/// write `smaps`; with room for a machine that does something else beside it.
#[test]
fn it_costs_little_more_than_to_read_smaps() {
    let target = owners(&[]);
    let smaps = format!("/proc/{}/smaps", target.program.pid());
    let (mut read, mut account) = (Duration::MAX, Duration::MAX);
    for _ in 0..50 {
        let since = Instant::now();
        std::hint::black_box(std::fs::read(&smaps).unwrap());
        read = read.min(since.elapsed());
        let since = Instant::now();
        std::hint::black_box(Account::of(&target.process, &target.malloc).unwrap());
        account = account.min(since.elapsed());
    }
    println!("{account:?} to {read:?}");
    assert!(account < 8 * read, "{account:?} to {read:?}");
}

/// Without what malloc says, its memory is unknown, and the sum is the same.
#[test]
fn malloc_that_is_not_known_has_no_row() {
    let mut target = owners(&[]);
    target.malloc.state = Err(Unknown::NotFound);
    let account = target.account();
    assert_eq!(of(&account, Kind::MallocArena) + of(&account, Kind::MallocBlock), 0);
    assert!(of(&account, Kind::Unknown) > 40 * MIB);
}

/// As ZGC has its heap, which the kernel counts as often as it is mapped.
#[test]
fn shared_memory_that_is_mapped_several_times() {
    const PYTHON: &str = "/usr/bin/python3";
    const SCRIPT: &str = "import mmap, os, time\n\
        def shared(name, mib, times):\n\
        \x20   fd = os.memfd_create(name)\n\
        \x20   os.ftruncate(fd, mib << 20)\n\
        \x20   return [mmap.mmap(fd, mib << 20) for _ in range(times)]\n\
        kept = shared('java_heap', 8, 3) + shared('another', 4, 1)\n\
        for memory in kept:\n\
        \x20   for page in range(0, len(memory), 4096): memory[page] = 1\n\
        print('ready', flush=True)\n\
        time.sleep(1000)\n";
    if !suite::installed(PYTHON) {
        return;
    }
    let target = Target::start(Command::new(PYTHON).args(["-c", SCRIPT]));
    let account = target.account();
    let heap = row(&account, "Java's heap (ZGC), mapped several times");
    assert_eq!((heap.kind, heap.pieces, heap.rss_bytes), (Kind::Runtime, 3, 24 * MIB));
    assert_eq!(row(&account, "shared memory").rss_bytes, 4 * MIB);
}
