//! Only what is resident could be given back: not what is swapped out, nor what has been given up.
//!
//! Without swap nothing can be swapped out, and those pages stay. So what is expected is worked out
//! from the kernel's page map, where the blocks lie that the process freed: the same on any machine.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::target::{KIB, Target};

/// Bytes of a block; as many as it takes in the answer's line.
const BYTES: u64 = 100_000;
const BLOCKS: u64 = 15;

/// What malloc has in front of a block, and in a free one in all.
const BEFORE: u64 = 16;
const HEADER: u64 = 48;

/// Bits of an entry of the page map (proc_pid_pagemap(5)).
const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;

/// How many pages of these addresses have this bit.
fn pages(pagemap: &File, page: u64, from: u64, to: u64, bit: u64) -> u64 {
    let mut entries = vec![0; ((to - from) / page * 8) as usize];
    pagemap.read_exact_at(&mut entries, from / page * 8).unwrap();
    let entries = entries.chunks_exact(8);
    let entries = entries.map(|entry| u64::from_ne_bytes(entry.try_into().unwrap()));
    entries.filter(|entry| entry & bit != 0).count() as u64
}

#[test]
fn pages_alone_are_counted() {
    let mut target = Target::start();
    let told = target.tell(&format!("a {BLOCKS} {BYTES}"));
    // Somebody else's break: the top can't be given back, and only the blocks are left.
    target.told("s 4096");
    let page = proc_memory::page_size_bytes();
    let pagemap = File::open(format!("/proc/{}/pagemap", target.pid())).unwrap();
    let (mut resident, mut swapped, mut all) = (0, 0, 0);
    for block in told.split(' ') {
        let chunk = u64::from_str_radix(block, 16).unwrap() - BEFORE;
        let from = (chunk + HEADER).next_multiple_of(page);
        // Each is followed at once by one in use, whose size stands in this one's last 8 bytes.
        let to = (chunk + (BYTES + 8).next_multiple_of(16)) / page * page;
        resident += pages(&pagemap, page, from, to, PRESENT);
        swapped += pages(&pagemap, page, from, to, SWAPPED);
        all += (to - from) / page;
    }
    println!("{resident} pages resident, {swapped} swapped out, of {all}");
    let returnable = target.state().returnable_bytes;
    assert_eq!(returnable, Some(resident * page));
    // A third of them have been given up, and a third at least are there.
    assert!(resident + swapped <= all * 2 / 3 + BLOCKS, "{resident} of {all}");
    assert!(resident >= all / 3 - BLOCKS, "{resident} of {all}");

    let before = target.rss_bytes();
    target.tell("T");
    let given = before.saturating_sub(target.rss_bytes());
    let difference = given.abs_diff(resident * page);
    assert!(difference <= 256 * KIB, "{given} given back, {resident} pages");
}
