//! The mappings of another process, and a `syscall` instruction among them.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use super::RemoteError;

/// `syscall` on x86-64.
const SYSCALL: [u8; 2] = [0x0f, 0x05];

/// How much is read at once.
const PIECE_BYTES: u64 = 64 * 1024;

/// A line of `/proc/TID/maps`. The name is left out: the kernel may call a mapping `[heap]` for
/// where the break is next to it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) range: Range<u64>,
    permissions: Box<[u8]>,
    is_vdso: bool,
}

impl Mapping {
    /// Whether these are its permissions, as `r--p`.
    pub(super) fn is(&self, permissions: &str) -> bool {
        *self.permissions == *permissions.as_bytes()
    }

    fn is_executable(&self) -> bool {
        self.permissions.get(2) == Some(&b'x')
    }
}

/// All mappings of a thread's process, lowest first.
///
/// # References
///
/// proc_pid_maps(5)
pub(super) fn mappings(tid: i32) -> Result<Vec<Mapping>, RemoteError> {
    let failed = |source| RemoteError::of(tid, "read the mappings", source);
    let list = fs::read(format!("/proc/{tid}/maps")).map_err(failed)?;
    if list.is_empty() {
        return Err(RemoteError::Gone { tid });
    }
    let lines = list.split(|byte| *byte == b'\n');
    let mappings = lines.filter(|line| !line.is_empty()).map(parse);
    let mappings: Option<Vec<_>> = mappings.collect();
    mappings.ok_or_else(|| failed(io::ErrorKind::InvalidData.into()))
}

fn parse(line: &[u8]) -> Option<Mapping> {
    let mut fields = line.split(|byte| *byte == b' ');
    let range = std::str::from_utf8(fields.next()?).ok()?;
    let (start, end) = range.split_once('-')?;
    let address = |digits| u64::from_str_radix(digits, 16).ok();
    Some(Mapping {
        range: address(start)?..address(end)?,
        permissions: fields.next()?.into(),
        is_vdso: line.ends_with(b"[vdso]"),
    })
}

/// The address of a `syscall` instruction that the process may execute: in the vdso if there is
/// one, else wherever the first is found. Every program has one somewhere, or it could not end.
pub(super) fn syscall_instruction(tid: i32, mappings: &[Mapping]) -> Result<u64, RemoteError> {
    let failed = |source| RemoteError::of(tid, "read the memory", source);
    let memory = File::open(format!("/proc/{tid}/mem")).map_err(failed)?;
    let executable = || mappings.iter().filter(|mapping| mapping.is_executable());
    let first = executable().filter(|mapping| mapping.is_vdso);
    let rest = executable().filter(|mapping| !mapping.is_vdso);
    first
        .chain(rest)
        .find_map(|mapping| find_in(&memory, &mapping.range))
        .ok_or(RemoteError::NoInstruction { tid })
}

/// `None` also for memory that can't be read, such as the old vsyscall page.
fn find_in(memory: &File, range: &Range<u64>) -> Option<u64> {
    let mut piece = vec![0; PIECE_BYTES as usize];
    let mut start = range.start;
    while start < range.end {
        let length = PIECE_BYTES.min(range.end - start);
        let piece = &mut piece[..length as usize];
        memory.read_exact_at(piece, start).ok()?;
        let found = piece.windows(2).position(|two| two == SYSCALL);
        if let Some(offset) = found {
            return Some(start + offset as u64);
        }
        // One byte again, as the two may lie on both sides of the border.
        start += (length - 1).max(1);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_maps() {
        let line = b"7ffd00034000-7ffd00036000 r-xp 00000000 00:00 0    [vdso]";
        let mapping = parse(line).unwrap();
        assert_eq!(mapping.range, 0x7ffd_0003_4000..0x7ffd_0003_6000);
        assert!(mapping.is("r-xp") && mapping.is_executable() && mapping.is_vdso);
        assert_eq!(parse(b"nonsense"), None);
    }

    #[test]
    fn the_instruction_is_found_across_a_border_and_in_the_last_bytes() {
        use std::io::Write;
        for offset in [0, 5, PIECE_BYTES - 1, PIECE_BYTES, 2 * PIECE_BYTES - 2] {
            let mut bytes = vec![0x90; 2 * PIECE_BYTES as usize];
            bytes[offset as usize..][..2].copy_from_slice(&SYSCALL);
            let path = std::env::temp_dir().join(format!("brk-hole-{}", std::process::id()));
            File::create(&path).unwrap().write_all(&bytes).unwrap();
            let file = File::open(&path).unwrap();
            fs::remove_file(&path).unwrap();
            let found = find_in(&file, &(0..bytes.len() as u64));
            assert_eq!(found, Some(offset));
        }
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn this_process_has_one() {
        let tid = std::process::id() as i32;
        let mappings = mappings(tid).unwrap();
        assert!(syscall_instruction(tid, &mappings).is_ok());
    }
}
