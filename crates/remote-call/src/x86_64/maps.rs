//! The mappings of a process.

use std::cell::OnceCell;
use std::fs::File;
use std::io::Read;
use std::ops::Range;

use super::query::{self, Answer};

/// A line of `/proc/PID/maps`.
///
/// # References
///
/// proc_pid_maps(5)
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) range: Range<u64>,
    permissions: [u8; 4],
    has_file: bool,
    pub(super) is_main_stack: bool,
    /// By its file's name, so a hint only.
    pub(super) is_c_library: bool,
}

impl Mapping {
    pub(super) fn new(
        range: Range<u64>,
        permissions: [u8; 4],
        has_file: bool,
        name: &[u8],
    ) -> Self {
        let last = name.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        Self {
            range,
            permissions,
            has_file,
            is_main_stack: name == b"[stack]",
            is_c_library: has_file
                && (last.starts_with(b"libc.")
                    || last.starts_with(b"libc-")
                    || last.starts_with(b"ld-musl")),
        }
    }

    /// Code that came from a file and that the process can't write to.
    pub(super) fn is_program(&self) -> bool {
        self.is_code()
            && self.permissions[0] == b'r'
            && self.permissions[1] == b'-'
            && self.has_file
    }

    pub(super) fn is_code(&self) -> bool {
        self.permissions[2] == b'x'
    }

    /// Private memory that can be read and written.
    pub(super) fn is_data(&self) -> bool {
        self.permissions[..2] == *b"rw" && self.permissions[3] == b'p'
    }
}

/// The mappings of a process that stands still.
///
/// The kernel is asked for those that matter. One that can't be asked (before Linux 6.11) is read
/// the whole list of, once: what a function that was called has mapped or unmapped since isn't known
/// then.
#[derive(Debug)]
pub(super) struct Mappings {
    file: File,
    list: OnceCell<Vec<Mapping>>,
}

impl Mappings {
    /// Those of a thread's process.
    pub(super) fn open(tid: i32) -> std::io::Result<Self> {
        Ok(Self {
            file: File::open(format!("/proc/{tid}/maps"))?,
            list: OnceCell::new(),
        })
    }

    /// The one that an address lies in.
    pub(super) fn at(&self, address: u64) -> Option<Mapping> {
        let found = self.at_or_above(address)?;
        found.range.contains(&address).then_some(found)
    }

    /// The same or, if there is none, the first above it.
    pub(super) fn at_or_above(&self, address: u64) -> Option<Mapping> {
        if self.list.get().is_none()
            && let Answer::Mapping(found) = query::at_or_above(&self.file, address)
        {
            return found;
        }
        let list = self.all();
        let index = list.partition_point(|mapping| mapping.range.end <= address);
        list.get(index).cloned()
    }

    /// All, lowest first; none if it has none any more.
    pub(super) fn all(&self) -> &[Mapping] {
        self.list.get_or_init(|| {
            let mut list = Vec::new();
            let read = (&self.file).read_to_end(&mut list).ok();
            read.and_then(|_| parsed(&list)).unwrap_or_default()
        })
    }
}

/// All mappings of a thread's process, lowest first; `None` if it has none any more.
pub(super) fn of(tid: i32) -> Option<Vec<Mapping>> {
    parsed(&std::fs::read(format!("/proc/{tid}/maps")).ok()?)
}

fn parsed(list: &[u8]) -> Option<Vec<Mapping>> {
    let lines = list.split(|byte| *byte == b'\n');
    let mappings: Option<Vec<_>> = lines.filter(|line| !line.is_empty()).map(parse).collect();
    mappings.filter(|mappings| !mappings.is_empty())
}

pub(super) fn parse(line: &[u8]) -> Option<Mapping> {
    let mut fields = line.split(|byte| *byte == b' ');
    let range = std::str::from_utf8(fields.next()?).ok()?;
    let (start, end) = range.split_once('-')?;
    let address = |digits| u64::from_str_radix(digits, 16).ok();
    let permissions = fields.next()?.try_into().ok()?;
    // Offset, device, inode.
    let inode = fields.nth(2)?;
    // Then spaces up to the name.
    let name = line.iter().enumerate().filter(|(_, byte)| **byte == b' ');
    let name = name.map(|(at, _)| at).nth(4);
    let name = name.map_or(&[][..], |at| line[at..].trim_ascii_start());
    let range = address(start)?..address(end)?;
    Some(Mapping::new(range, permissions, inode != b"0", name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_maps() {
        let code = b"7ffd00034000-7ffd00036000 r-xp 00002000 fe:00 4711    /a name";
        let code = parse(code).unwrap();
        assert!(code.is_program() && code.is_code() && !code.is_data());
        let vdso = parse(b"7ffd00036000-7ffd00037000 r-xp 00000000 00:00 0    [vdso]").unwrap();
        assert!(vdso.is_code() && !vdso.is_program(), "no file");
        let stack = parse(b"7ffd00038000-7ffd00039000 rw-p 00000000 00:00 0    [stack]").unwrap();
        assert!(stack.is_main_stack && stack.is_data());
        assert_eq!(parse(b"nonsense"), None);

        let library = b"7ffd0003a000-7ffd0003b000 r-xp 00000000 fe:00 4711    /lib/libc.so.6";
        let library = parse(library).unwrap();
        assert!(library.is_c_library && !code.is_c_library && !stack.is_c_library);
    }

    #[test]
    fn the_list_and_the_kernel_tell_the_same() {
        let tid = std::process::id() as i32;
        let (asked, listed) = (Mappings::open(tid).unwrap(), Mappings::open(tid).unwrap());
        assert!(!listed.all().is_empty());
        let code = super::of as *const () as u64;
        for address in [0, code] {
            assert_eq!(asked.at_or_above(address), listed.at_or_above(address));
        }
        assert!(asked.at(code).is_some_and(|mapping| mapping.is_program()));
        assert_eq!((asked.at(0), listed.at(0)), (None, None));
    }
}
