//! One mapping at a time, straight from the kernel: `PROCMAP_QUERY`.
//!
//! The list of a process with 60,000 mappings is four megabytes of text that the kernel writes and
//! the reader takes apart again; a query names an address and gets the one mapping there.
//!
//! # Safety
//! The one call hands the kernel a structure and the buffer that the structure points to. Both are
//! borrowed mutably for the whole call, and the structure says how long each is.
//!
//! # References
//! `include/uapi/linux/fs.h` (`struct procmap_query`) and `fs/proc/task_mmu.c`
//! (`do_procmap_query`, `query_matching_vma`), since Linux 6.11.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;

use nix::errno::Errno;

use super::mapping::{Device, Mapping, Permissions, split_deleted};

/// `_IOWR('f', 17, struct procmap_query)`, as x86-64 and aarch64 encode it.
const PROCMAP_QUERY: u32 = 0xc068_6611;

const READABLE: u64 = 0x01;
const WRITABLE: u64 = 0x02;
const EXECUTABLE: u64 = 0x04;
const SHARED: u64 = 0x08;
const COVERING_OR_NEXT: u64 = 0x10;
const OF_A_FILE: u64 = 0x20;

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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Any,
    Writable,
    /// Writable ones of files, shared ones among them.
    WritableFile,
}

/// Memory at some address.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryRange {
    /// Its addresses.
    pub range: Range<u64>,
    /// Whether it is private and may be read and written.
    pub is_private_data: bool,
    /// Whether it is of the hugetlb file system's pages.
    pub is_huge: bool,
}

#[derive(Debug)]
pub(super) enum QueryError {
    /// The kernel doesn't offer it, or not here.
    UseTheList,
    /// As for any file below `/proc/PID`.
    Io(io::Error),
}

/// Asks for the mappings of one memory. It is that of the moment at which the file was opened: once
/// the process has replaced it (exec) or ended, every query fails with `ESRCH`.
#[derive(Debug)]
pub(super) struct MappingQuery {
    maps: File,
    name: Vec<u8>,
}

impl MappingQuery {
    pub(super) fn new(maps: File) -> Self {
        Self { maps, name: Vec::new() }
    }

    /// The file; only who asks no more may read from it.
    pub(super) fn file(&self) -> &File {
        &self.maps
    }

    /// The mapping of this kind at `address` or, if there is none, the first above it; as a line of
    /// the list would give it. `None` when none lies there or above. Unlike the list it never has
    /// `[vsyscall]`, which is the kernel's.
    pub(super) fn at_or_above(
        &mut self,
        address: u64,
        kind: Kind,
    ) -> Result<Option<Mapping<&[u8]>>, QueryError> {
        let flags = match kind {
            Kind::Any => COVERING_OR_NEXT,
            Kind::Writable => COVERING_OR_NEXT | WRITABLE,
            Kind::WritableFile => COVERING_OR_NEXT | OF_A_FILE | WRITABLE,
        };
        self.name.clear();
        self.name.resize(PATH_MAX, 0);
        let Some(request) = self.ask(address, flags)? else {
            return Ok(None);
        };
        // The size counts the final zero; without a name it is 0.
        let length = (request.name_size as usize).saturating_sub(1);
        self.name.truncate(length);
        escape_newlines(&mut self.name);
        let (name, deleted) = split_deleted(&self.name);
        Ok(Some(Mapping {
            start: request.start,
            end: request.end,
            permissions: Permissions {
                read: request.flags & READABLE != 0,
                write: request.flags & WRITABLE != 0,
                execute: request.flags & EXECUTABLE != 0,
                shared: request.flags & SHARED != 0,
            },
            offset: request.offset,
            device: Device { major: request.device_major, minor: request.device_minor },
            inode: request.inode,
            name,
            deleted,
        }))
    }

    /// The memory at `address` or the first above it, without asking for a name.
    pub(super) fn memory(
        &mut self,
        address: u64,
        page_bytes: u64,
    ) -> Result<Option<MemoryRange>, QueryError> {
        const PRIVATE_DATA: u64 = READABLE | WRITABLE;
        self.name.clear();
        let answer = self.ask(address, COVERING_OR_NEXT)?;
        Ok(answer.map(|answer| MemoryRange {
            range: answer.start..answer.end,
            is_private_data: answer.flags & (PRIVATE_DATA | SHARED) == PRIVATE_DATA,
            is_huge: answer.page_size > page_bytes,
        }))
    }

    /// Asks; the name is wanted as far as there is room for it.
    fn ask(&mut self, address: u64, flags: u64) -> Result<Option<Request>, QueryError> {
        let mut request = Request {
            size: size_of::<Request>() as u64,
            query_flags: flags,
            query_address: address,
            name_size: self.name.len() as u32,
            name_address: match self.name.is_empty() {
                true => 0,
                false => self.name.as_mut_ptr() as u64,
            },
            ..Request::default()
        };
        let file = self.maps.as_raw_fd();
        // SAFETY: `request` is a procmap_query that states its own size, and its name is a buffer
        // of name_size bytes; both outlive the call and nothing else refers to them.
        let outcome = unsafe { libc::ioctl(file, PROCMAP_QUERY as _, &raw mut request) };
        match Errno::result(outcome) {
            Ok(_) => Ok(Some(request)),
            Err(Errno::ENOENT) => Ok(None),
            // No such request (ENOTTY), forbidden by a seccomp filter (EPERM, ENOSYS), or a path
            // longer than PATH_MAX, which the list does show.
            Err(Errno::ENOTTY | Errno::EPERM | Errno::ENOSYS | Errno::ENAMETOOLONG) => {
                Err(QueryError::UseTheList)
            }
            Err(errno) => Err(QueryError::Io(errno.into())),
        }
    }
}

/// The list writes a newline in a path as `\012`; a query gives it as it is.
fn escape_newlines(name: &mut Vec<u8>) {
    if name.contains(&b'\n') {
        *name = name.split(|&byte| byte == b'\n').collect::<Vec<_>>().join(&b"\\012"[..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_list_offers_no_query() {
        let mut query = MappingQuery::new(File::open("/proc/self/stat").unwrap());
        assert!(matches!(query.at_or_above(0, Kind::Any), Err(QueryError::UseTheList)));
    }

    #[test]
    fn newlines_are_written_as_in_the_list() {
        let mut name = b"/a\n\nb\n".to_vec();
        escape_newlines(&mut name);
        assert_eq!(name, b"/a\\012\\012b\\012");
    }
}
