//! Walks `/proc/self/maps` without touching the heap.
//!
//! A reader that allocates could move the very break it asks about, so lines are put together in a
//! buffer on the stack.
//!
//! # References
//! proc_pid_maps(5): `start-end perms offset major:minor inode   path`, addresses in hex, sorted.

use std::fs::File;
use std::io::{self, Read};

/// Longest line that is kept whole; a longer path is cut, its addresses are read all the same.
const LINE_BYTES: usize = 4352;

/// One line of `/proc/self/maps`.
pub(crate) struct MapsLine<'a> {
    pub start: usize,
    pub end: usize,
    /// `rwxp` as the kernel writes it.
    pub permissions: &'a [u8],
    /// Path or pseudo-path such as `[heap]`; empty for an anonymous mapping.
    pub name: &'a [u8],
}

/// The first value that `wanted` makes of a line of this process's maps, lowest address first.
pub(crate) fn find<T>(mut wanted: impl FnMut(&MapsLine<'_>) -> Option<T>) -> io::Result<Option<T>> {
    find_in(File::open("/proc/self/maps")?, &mut wanted)
}

fn find_in<T>(
    mut maps: impl Read,
    wanted: &mut impl FnMut(&MapsLine<'_>) -> Option<T>,
) -> io::Result<Option<T>> {
    let mut chunk = [0_u8; 4096];
    let mut line = [0_u8; LINE_BYTES];
    let mut filled = 0;
    loop {
        let got = match maps.read(&mut chunk) {
            Ok(0) => return Ok(None),
            Ok(got) => got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        for &byte in &chunk[..got] {
            if byte != b'\n' {
                if filled < line.len() {
                    line[filled] = byte;
                    filled += 1;
                }
                continue;
            }
            let parsed = parse(&line[..filled]).ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, "/proc/self/maps: not a mapping")
            })?;
            filled = 0;
            if let Some(found) = wanted(&parsed) {
                return Ok(Some(found));
            }
        }
    }
}

fn parse(line: &[u8]) -> Option<MapsLine<'_>> {
    let mut fields = line.splitn(6, |byte| *byte == b' ');
    let mut range = fields.next()?.splitn(2, |byte| *byte == b'-');
    let start = hex(range.next()?)?;
    let end = hex(range.next()?)?;
    let permissions = fields.next()?;
    let name = fields.nth(3).unwrap_or_default();
    Some(MapsLine { start, end, permissions, name: name.trim_ascii_start() })
}

fn hex(digits: &[u8]) -> Option<usize> {
    usize::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(maps: &[u8]) -> Vec<String> {
        let mut names = Vec::new();
        find_in(maps, &mut |line: &MapsLine<'_>| -> Option<()> {
            names.push(String::from_utf8_lossy(line.name).into_owned());
            None
        })
        .unwrap();
        names
    }

    #[test]
    fn names_keep_their_spaces_and_may_be_missing() {
        let maps = b"00400000-00401000 r-xp 00000000 fe:00 1   /opt/a b (deleted)\n\
                     00602000-00623000 rw-p 00000000 00:00 0                  [heap]\n\
                     7f00-8f00 rw-p 00000000 00:00 0 \n";
        assert_eq!(names(maps), ["/opt/a b (deleted)", "[heap]", ""]);
    }

    #[test]
    fn a_path_longer_than_the_buffer_does_not_spoil_the_next_line() {
        let mut maps = b"1000-2000 r--p 00000000 fe:00 1 /".to_vec();
        maps.resize(maps.len() + 3 * LINE_BYTES, b'x');
        maps.extend_from_slice(b"\n3000-4000 rw-p 00000000 00:00 0 [heap]\n");
        assert_eq!(names(&maps)[1], "[heap]");
    }

    #[test]
    fn what_is_no_mapping_is_an_error() {
        let found = find_in(&b"nonsense\n"[..], &mut |_: &MapsLine<'_>| Some(()));
        assert_eq!(found.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
