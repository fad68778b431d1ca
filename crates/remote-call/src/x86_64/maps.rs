//! The mappings of a process that stands still, and what they are good for.

use std::cell::RefCell;
use std::fs::File;
use std::io;

use proc_memory::Mapping;

/// The kernel is asked for those that matter. One that can't be asked (before Linux 6.11) is read
/// the whole list of, once: what a function that was called has mapped or unmapped since isn't known
/// then.
#[derive(Debug)]
pub(super) struct StoppedMappings(RefCell<proc_memory::Mappings>);

impl StoppedMappings {
    /// Those of a thread's process.
    pub(super) fn open(tid: i32) -> io::Result<Self> {
        let list = File::open(format!("/proc/{tid}/maps"))?;
        Ok(Self(RefCell::new(proc_memory::Mappings::of_list(list))))
    }

    /// The one that an address lies in.
    pub(super) fn at(&self, address: u64) -> Option<Mapping> {
        self.0.borrow_mut().at(address).ok().flatten()
    }

    /// The same or, if there is none, the first above it.
    pub(super) fn at_or_above(&self, address: u64) -> Option<Mapping> {
        self.0.borrow_mut().at_or_above(address).ok().flatten()
    }

    /// All, lowest first; none if it has none any more.
    pub(super) fn all(&self) -> Vec<Mapping> {
        let mut mappings = self.0.borrow_mut();
        mappings.listed().map(<[_]>::to_vec).unwrap_or_default()
    }
}

/// Code that came from a file and that the process can't write to.
pub(super) fn is_program(mapping: &Mapping) -> bool {
    let allowed = mapping.permissions;
    allowed.read && !allowed.write && allowed.execute && mapping.inode != 0
}

/// Private memory that can be read and written.
pub(super) fn is_data(mapping: &Mapping) -> bool {
    let allowed = mapping.permissions;
    allowed.read && allowed.write && !allowed.shared
}

/// By its file's name, so a hint only.
pub(super) fn is_c_library(mapping: &Mapping) -> bool {
    let name = mapping.name.rsplit(|byte| *byte == b'/').next();
    let name = name.unwrap_or_default();
    let is_like = |start: &str| name.starts_with(start.as_bytes());
    mapping.inode != 0 && ["libc.", "libc-", "ld-musl"].into_iter().any(is_like)
}

#[cfg(test)]
mod tests {
    use proc_memory::parse_line;

    use super::*;

    #[test]
    fn what_lines_are() {
        let line = |line: &[u8]| parse_line(line).unwrap().to_owned();
        let code = line(b"7ffd00034000-7ffd00036000 r-xp 00002000 fe:00 4711    /a name");
        assert!(is_program(&code) && !is_data(&code) && !is_c_library(&code));
        let vdso = line(b"7ffd00036000-7ffd00037000 r-xp 00000000 00:00 0    [vdso]");
        assert!(vdso.permissions.execute && !is_program(&vdso), "no file");
        let stack = line(b"7ffd00038000-7ffd00039000 rw-p 00000000 00:00 0    [stack]");
        assert!(stack.is_stack() && is_data(&stack));
        let library = line(b"7ffd0003a000-7ffd0003b000 r-xp 00000000 fe:00 4711    /lib/libc.so.6");
        assert!(is_c_library(&library));
    }

    #[test]
    fn the_list_and_the_kernel_tell_the_same() {
        let tid = std::process::id() as i32;
        let (asked, listed) =
            (StoppedMappings::open(tid).unwrap(), StoppedMappings::open(tid).unwrap());
        assert!(!listed.all().is_empty());
        let code = is_data as *const () as u64;
        for address in [0, code] {
            assert_eq!(asked.at_or_above(address), listed.at_or_above(address));
        }
        assert!(asked.at(code).is_some_and(|mapping| is_program(&mapping)));
        assert_eq!((asked.at(0), listed.at(0)), (None, None));
    }
}
