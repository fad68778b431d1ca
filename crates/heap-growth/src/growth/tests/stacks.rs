//! Thread stacks are told apart, and are nobody's reading.

use super::*;

/// As glibc makes one.
fn glibc(told: &mut Told, at: u64) {
    let stack = ANONYMOUS | libc::MAP_STACK;
    told.mmap(at, 8 * MIB + 4096, libc::PROT_NONE, stack).mprotect(at + 4096, 8 * MIB, RW);
}

/// As musl does.
fn musl(told: &mut Told, at: u64) {
    told.mmap(at, 136 * KIB, libc::PROT_NONE, ANONYMOUS).mprotect(at + 8 * KIB, 128 * KIB, RW);
}

#[test]
fn they_are_no_files_growth() {
    let mut told = Told::default();
    told.open("my.db", 5);
    for number in 0..8 {
        glibc(&mut told, AREA + number * 16 * MIB);
    }
    assert_eq!(told.kinds(), [("stack", 64 * MIB as i64)]);
    told.close(5);
    assert_eq!(told.0.by_file()[0].bytes(), 0);
    assert_eq!(told.0.without_file_bytes(), 64 * MIB as i64);
}

#[test]
fn without_the_flag_the_guard_shows_them() {
    let mut told = Told::default();
    // Each directly below the one before it, as the kernel places them.
    for number in 1..=4 {
        musl(&mut told, AREA - number * 136 * KIB);
    }
    assert_eq!(told.kinds(), [("stack", 4 * 128 * 1024)]);
    told.munmap(AREA - 136 * KIB, 136 * KIB);
    assert_eq!(told.kinds(), [("stack", 3 * 128 * 1024)]);
}

#[test]
fn a_reservation_that_is_filled_from_below_is_none() {
    let mut told = Told::default();
    told.mmap(AREA, MIB, libc::PROT_NONE, ANONYMOUS).mprotect(AREA, 128 * KIB, RW).mprotect(
        AREA + 128 * KIB,
        128 * KIB,
        RW,
    );
    assert_eq!(told.kinds(), [("other", 256 * 1024)]);
    let mut told = Told::default();
    told.mmap(AREA, 64 * MIB, libc::PROT_NONE, ANONYMOUS).mprotect(AREA + 32 * MIB, 32 * MIB, RW);
    assert_eq!(told.kinds(), [("other", 32 * MIB as i64)], "half of it is no guard");
}
