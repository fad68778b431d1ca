//! bpf(2), one function a command. No library has it without libelf.
//!
//! # Safety
//! The kernel reads and writes what the pointers in an attribute point to, so each function builds
//! its attribute itself, of slices that live until the call is back and are as long as is said.
//! All attributes are `repr(C)` without padding, as `union bpf_attr` lays them out.
//!
//! # References
//! bpf(2); `include/uapi/linux/bpf.h`, `union bpf_attr`; `kernel/bpf/syscall.c`

#![allow(unsafe_code)]

pub mod map;
pub mod program;

use std::ffi::c_long;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

const OBJ_GET_INFO_BY_FD: c_long = 15;

/// # Safety
/// Every pointer in `attribute` is null or valid for what the command does with it, and `A` has no
/// padding.
unsafe fn bpf<A>(command: c_long, attribute: &mut A) -> io::Result<i32> {
    let attribute: *mut A = attribute;
    // SAFETY: the attribute is valid for its own size; its pointers are the caller's promise.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attribute, size_of::<A>()) };
    match result {
        0.. => Ok(result as i32),
        _ => Err(io::Error::last_os_error()),
    }
}

/// # Safety
/// As for [`bpf`]; and the command makes a descriptor.
unsafe fn bpf_fd<A>(command: c_long, attribute: &mut A) -> io::Result<OwnedFd> {
    // SAFETY: the caller's promise.
    let fd = unsafe { bpf(command, attribute) }?;
    // SAFETY: the kernel has just made it, close-on-exec, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A name as the kernel takes it: at most 15 bytes, then zeros.
fn short(name: &str) -> [u8; 16] {
    let mut short = [0; 16];
    let bytes = name.bytes().take(15);
    short.iter_mut().zip(bytes).for_each(|(to, byte)| *to = byte);
    short
}

/// What the kernel tells of a program or a link, as far as `N * 8` bytes go; younger fields than
/// the kernel's are 0.
pub fn info<const N: usize>(object: BorrowedFd<'_>) -> io::Result<[u64; N]> {
    #[repr(C)]
    struct Attribute {
        object: u32,
        bytes: u32,
        info: u64,
    }
    let mut info = [0; N];
    let mut attribute = Attribute {
        object: object.as_raw_fd().cast_unsigned(),
        bytes: N as u32 * 8,
        info: info.as_mut_ptr() as u64,
    };
    // SAFETY: the array lives and is as long as is said. All zeros: nothing else is asked for.
    unsafe { bpf(OBJ_GET_INFO_BY_FD, &mut attribute) }?;
    Ok(info)
}

/// Makes a call that changes nothing and that programs tell of.
pub fn ask_for_the_break() -> u64 {
    // SAFETY: brk(0) only asks.
    unsafe { libc::syscall(libc::SYS_brk, 0) }.cast_unsigned()
}
