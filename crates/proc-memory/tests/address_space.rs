//! Mappings and the break of a process that does what it is told.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use suite::skipped;

use proc_memory::page_size_bytes;
use proc_memory::{AddressSpace, GLIBC_GROWTH_STEP_BYTES, ProgramBreak};

use super::child::Child;
use super::written::write_line;

fn program_break(child: &Child) -> ProgramBreak {
    let space = AddressSpace::of(child.pid()).unwrap();
    space.program_break().expect("the start of the heap can be read").clone()
}

#[test]
fn the_list_is_the_kernels_byte_for_byte() {
    let mut child = Child::start();
    child.tell("g 4096");
    let space = AddressSpace::of(child.pid()).unwrap();
    let mut printed = Vec::new();
    for mapping in space.mappings() {
        write_line(mapping, &mut printed).unwrap();
    }
    let original = fs::read(format!("/proc/{}/maps", child.pid())).unwrap();
    let lines =
        |list: &[u8]| list.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
    for (ours, kernels) in lines(&printed).iter().zip(lines(&original)) {
        assert_eq!(String::from_utf8_lossy(ours), String::from_utf8_lossy(&kernels));
    }
    assert_eq!(printed.len(), original.len());
}

#[test]
fn the_break_is_where_the_process_sees_it() {
    let mut child = Child::start();
    let heap = program_break(&child);
    assert_eq!(heap.end, child.tell("b"));
    assert!(!heap.blocked, "{heap:?}");

    // Not a whole page: the mapping ends at the page's end.
    let start = heap.start;
    child.tell("g 5000");
    let heap = program_break(&child);
    assert_eq!(heap.start, start);
    assert_eq!(heap.end, child.tell("b").next_multiple_of(page_size_bytes()));
}

#[test]
fn a_break_that_never_moved_has_a_start() {
    let mut child = Child::start();
    let space = AddressSpace::of(child.pid()).unwrap();
    if space.mappings().iter().any(|mapping| mapping.is_heap()) {
        skipped("this C library moves the break before main");
        return;
    }
    let heap = space.program_break().unwrap();
    assert_eq!((heap.start, heap.end), (child.tell("b"), child.tell("b")));

    assert_eq!(child.tell("h 0"), 1);
    let heap = program_break(&child);
    assert_eq!((heap.room_bytes, heap.growable_bytes), (Some(0), Some(0)));
    assert!(heap.blocked);
}

/// The kernel keeps a page free below the next mapping (`mm/mmap.c`, `SYSCALL_DEFINE1(brk`), so of
/// a room of n pages n-1 can be had.
#[test]
fn the_last_page_of_the_room_cannot_be_had() {
    let page = page_size_bytes();
    for pages in [1, 2, 10] {
        let mut child = Child::start();
        assert_eq!(child.tell(format!("h {}", pages * page)), 1);
        let heap = program_break(&child);
        assert_eq!(heap.room_bytes, Some(pages * page));
        assert_eq!(heap.growable_bytes, Some((pages - 1) * page));
        let blocker = heap.blocker.expect("the hole");
        assert_eq!(blocker.start, heap.end + pages * page);
        assert_eq!(blocker.permissions.to_string(), "r--p");

        assert_eq!(child.tell(format!("g {}", pages * page)), 0, "all {pages} pages");
        assert_eq!(child.tell(format!("g {}", (pages - 1) * page)), 1, "all but one of {pages}");
        assert_eq!(child.tell("g 1"), 0, "one byte more");
    }
}

#[test]
fn blocked_agrees_with_what_the_kernel_grants() {
    let page = page_size_bytes();
    for (room_bytes, blocked) in [
        (GLIBC_GROWTH_STEP_BYTES.next_multiple_of(page), true),
        (GLIBC_GROWTH_STEP_BYTES.next_multiple_of(page) + page, false),
    ] {
        let mut child = Child::start();
        assert_eq!(child.tell(format!("h {room_bytes}")), 1);
        assert_eq!(program_break(&child).blocked, blocked);
        let granted = child.tell(format!("g {GLIBC_GROWTH_STEP_BYTES}")) == 1;
        assert_eq!(granted, !blocked);
    }
}

#[test]
fn names_of_any_bytes_are_read() {
    let directory = tempfile::tempdir().unwrap();
    for name in [&b"plain"[..], b"caf\xe9 \xff", b"two\nlines\n", b" [heap]", b"x (deleted)"] {
        let path = directory.path().join(OsStr::from_bytes(name));
        fs::write(&path, "content").unwrap();
        let mut child = Child::start();
        let told: Vec<u8> = path
            .as_os_str()
            .as_bytes()
            .iter()
            .map(|&byte| if byte == b'\n' { b'|' } else { byte })
            .collect();
        assert_eq!(child.tell([b"o ", &*told].concat()), 1);

        let really_deleted = [false, true];
        for deleted in really_deleted {
            if deleted {
                fs::remove_file(&path).unwrap();
            }
            let space = AddressSpace::of(child.pid()).unwrap();
            let wanted = if name.ends_with(b" (deleted)") && !deleted {
                // The kernel writes it as it would an unlinked "x".
                directory.path().join("x")
            } else {
                path.clone()
            };
            let found = space
                .mappings()
                .iter()
                .find(|mapping| mapping.path().is_some_and(|path| *path == *wanted))
                .unwrap_or_else(|| panic!("{wanted:?} is missing"));
            assert_eq!(found.deleted, deleted || name.ends_with(b" (deleted)"));
            assert_eq!(found.length_bytes(), page_size_bytes());
        }
    }
}

#[test]
fn an_exec_gives_a_new_list() {
    let mut child = Child::start();
    child.tell("g 1048576");
    let before = program_break(&child);
    child.exec();
    let after = program_break(&child);
    assert!(after.end - after.start < before.end - before.start);
    assert_eq!(after.end, child.tell("b"));
}
