//! Commands for maps.

use std::ffi::c_long;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::{bpf, bpf_fd, short};

const MAP_CREATE: c_long = 0;
const MAP_LOOKUP_ELEM: c_long = 1;
const MAP_UPDATE_ELEM: c_long = 2;
const MAP_DELETE_ELEM: c_long = 3;

/// What a map is made of.
#[repr(C)]
pub struct MapShape {
    pub kind: u32,
    pub key_bytes: u32,
    pub value_bytes: u32,
    pub entries: u32,
    pub flags: u32,
}

pub fn create(shape: MapShape, name: &str) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Attribute {
        shape: MapShape,
        inner_map: u32,
        numa_node: u32,
        name: [u8; 16],
    }
    let mut attribute = Attribute { shape, inner_map: 0, numa_node: 0, name: short(name) };
    // SAFETY: no pointers.
    unsafe { bpf_fd(MAP_CREATE, &mut attribute) }
}

#[repr(C)]
struct Element {
    map: u32,
    unused: u32,
    key: u64,
    value: u64,
    flags: u64,
}

fn element(map: BorrowedFd<'_>, key: &u32, value: u64) -> Element {
    Element {
        map: map.as_raw_fd().cast_unsigned(),
        unused: 0,
        key: std::ptr::from_ref(key) as u64,
        value,
        flags: 0,
    }
}

/// # Safety
/// The map's keys have four bytes and its values eight.
pub unsafe fn lookup(map: BorrowedFd<'_>, key: u32) -> io::Result<u64> {
    let mut value: u64 = 0;
    let mut attribute = element(map, &key, (&raw mut value) as u64);
    // SAFETY: key and value live; the caller promises that they are as large as the map's.
    unsafe { bpf(MAP_LOOKUP_ELEM, &mut attribute) }?;
    Ok(value)
}

/// # Safety
/// The map's keys and values have four bytes.
pub unsafe fn update(map: BorrowedFd<'_>, key: u32, value: u32) -> io::Result<()> {
    let mut attribute = element(map, &key, std::ptr::from_ref(&value) as u64);
    // SAFETY: key and value live; the caller promises that they are as large as the map's.
    unsafe { bpf(MAP_UPDATE_ELEM, &mut attribute) }.map(drop)
}

/// # Safety
/// The map's keys have four bytes.
pub unsafe fn delete(map: BorrowedFd<'_>, key: u32) -> io::Result<()> {
    let mut attribute = element(map, &key, 0);
    // SAFETY: the key lives; the caller promises that it is as large as the map's.
    unsafe { bpf(MAP_DELETE_ELEM, &mut attribute) }.map(drop)
}
