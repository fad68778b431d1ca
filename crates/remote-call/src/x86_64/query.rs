//! One mapping at a time, straight from the kernel: `PROCMAP_QUERY`.
//!
//! A process with 60,000 mappings would stand still for as long as it takes to write and to read
//! megabytes of text, and a call is interested in three of them.
//!
//! # Safety
//! The one call hands the kernel a structure and the buffer that the structure points to. Both are
//! borrowed mutably for the whole call, and the structure says how long each is.
//!
//! # References
//! `include/uapi/linux/fs.h` (`struct procmap_query`) and `fs/proc/task_mmu.c`
//! (`do_procmap_query`), since Linux 6.11
#![allow(unsafe_code)]

use std::fs::File;
use std::os::fd::AsRawFd;

use super::maps::Mapping;

/// `_IOWR('f', 17, struct procmap_query)`.
const PROCMAP_QUERY: u32 = 0xc068_6611;
const COVERING_OR_NEXT: u64 = 0x10;
/// Of the answer's flags: may be read, written, executed, and is shared.
const ANSWERED: [(u64, u8); 3] = [(0x01, b'r'), (0x02, b'w'), (0x04, b'x')];
const SHARED: u64 = 0x08;
/// Longest name that the kernel gives this way, its final zero included.
const PATH_MAX: usize = 4096;

/// `struct procmap_query`.
#[repr(C)]
#[derive(Default)]
struct Request {
    size: u64,
    query_flags: u64,
    query_address: u64,
    start: u64,
    end: u64,
    flags: u64,
    page_size: u64,
    offset: u64,
    inode: u64,
    device_major: u32,
    device_minor: u32,
    name_size: u32,
    build_id_size: u32,
    name_address: u64,
    build_id_address: u64,
}

/// What the kernel answers.
pub(super) enum Answer {
    /// The mapping at the address or, if there is none, the first above it.
    Mapping(Option<Mapping>),
    /// It doesn't answer such questions: it is older, or a filter forbids them.
    UseTheList,
}

/// Asks through an open `/proc/PID/maps`, for the memory that the process had when that was opened.
pub(super) fn at_or_above(maps: &File, address: u64) -> Answer {
    let mut name = vec![0_u8; PATH_MAX];
    let mut request = Request {
        size: size_of::<Request>() as u64,
        query_flags: COVERING_OR_NEXT,
        query_address: address,
        name_size: name.len() as u32,
        name_address: name.as_mut_ptr() as u64,
        ..Request::default()
    };
    let file = maps.as_raw_fd();
    // SAFETY: `request` is a procmap_query that states its own size, and its name is a buffer of
    // name_size bytes; both outlive the call and nothing else refers to them.
    let outcome = unsafe { libc::ioctl(file, PROCMAP_QUERY as _, &raw mut request) };
    if outcome == -1 {
        return match std::io::Error::last_os_error().raw_os_error() {
            // There is none, or it has no memory any more.
            Some(libc::ENOENT | libc::ESRCH) => Answer::Mapping(None),
            _ => Answer::UseTheList,
        };
    }
    // The size counts the final zero; without a name it is 0.
    name.truncate((request.name_size as usize).saturating_sub(1));
    let mut permissions = *b"---p";
    for (place, (flag, letter)) in permissions.iter_mut().zip(ANSWERED) {
        if request.flags & flag != 0 {
            *place = letter;
        }
    }
    if request.flags & SHARED != 0 {
        permissions[3] = b's';
    }
    let range = request.start..request.end;
    Answer::Mapping(Some(Mapping::new(
        range,
        permissions,
        request.inode != 0,
        &name,
    )))
}

#[cfg(test)]
mod tests {
    use super::super::maps;
    use super::*;

    #[test]
    fn it_tells_what_the_list_tells() {
        let maps = File::open("/proc/self/maps").unwrap();
        let list = maps::of(std::process::id() as i32).unwrap();
        // The program's own lie still, whatever other tests map and unmap.
        for listed in list.iter().take(3) {
            for address in [listed.range.start, listed.range.end - 1] {
                match at_or_above(&maps, address) {
                    Answer::Mapping(found) => assert_eq!(found.as_ref(), Some(listed)),
                    Answer::UseTheList => return,
                }
            }
        }
        let stack = list.iter().find(|mapping| mapping.is_main_stack).unwrap();
        let Answer::Mapping(Some(found)) = at_or_above(&maps, stack.range.end - 1) else {
            panic!("it answered before");
        };
        assert!(found.is_main_stack && found.is_data());
        let nothing = at_or_above(&maps, u64::MAX - 1);
        assert!(matches!(nothing, Answer::Mapping(None)));
    }

    #[test]
    fn a_file_that_is_no_list_offers_no_query() {
        let other = File::open("/proc/self/stat").unwrap();
        assert!(matches!(at_or_above(&other, 0), Answer::UseTheList));
    }
}
