//! The mappings of a process.

use std::ops::Range;

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

/// All mappings of a thread's process, lowest first; `None` if it has none any more.
pub(super) fn of(tid: i32) -> Option<Vec<Mapping>> {
    let list = std::fs::read(format!("/proc/{tid}/maps")).ok()?;
    let lines = list.split(|byte| *byte == b'\n');
    let mappings: Option<Vec<_>> = lines.filter(|line| !line.is_empty()).map(parse).collect();
    mappings.filter(|mappings| !mappings.is_empty())
}

/// The one that an address lies in.
pub(super) fn at(mappings: &[Mapping], address: u64) -> Option<&Mapping> {
    let index = mappings.partition_point(|mapping| mapping.range.end <= address);
    let mapping = mappings.get(index)?;
    mapping.range.contains(&address).then_some(mapping)
}

pub(super) fn parse(line: &[u8]) -> Option<Mapping> {
    let mut fields = line.split(|byte| *byte == b' ');
    let range = std::str::from_utf8(fields.next()?).ok()?;
    let (start, end) = range.split_once('-')?;
    let address = |digits| u64::from_str_radix(digits, 16).ok();
    let permissions = fields.next()?.try_into().ok()?;
    // Offset, device, inode.
    let inode = fields.nth(2)?;
    let name = line.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    Some(Mapping {
        range: address(start)?..address(end)?,
        permissions,
        has_file: inode != b"0",
        is_main_stack: line.ends_with(b" [stack]"),
        is_c_library: name.starts_with(b"libc.")
            || name.starts_with(b"libc-")
            || name.starts_with(b"ld-musl"),
    })
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

        let all = [code, vdso, stack];
        assert_eq!(at(&all, 0x7ffd_0003_5fff), Some(&all[0]));
        assert_eq!(at(&all, 0x7ffd_0003_6000), Some(&all[1]));
        assert_eq!(at(&all, 0x7ffd_0003_7000), None);
        assert_eq!(at(&all, 0x7ffd_0003_9000), None);
        assert_eq!(at(&all, 0), None);
    }
}
