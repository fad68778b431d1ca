//! The mappings of another process, and a `syscall` instruction among them.

use std::fs::File;
use std::io;
use std::ops::Range;

use proc_memory::{Mapping, Mappings};

use super::RemoteError;

/// `syscall` on x86-64.
const SYSCALL: [u8; 2] = [0x0f, 0x05];

/// All mappings of a thread's process, lowest first.
///
/// # References
/// proc_pid_maps(5)
pub(super) fn mappings(tid: i32) -> Result<Vec<Mapping>, RemoteError> {
    let failed = |source| RemoteError::of(tid, "read the mappings", source);
    let maps = File::open(format!("/proc/{tid}/maps")).map_err(failed)?;
    let mut mappings = Mappings::of_list(maps);
    let list = mappings.listed();
    let list = list.map_err(|error| failed(io::Error::other(error)))?;
    match list.is_empty() {
        true => Err(RemoteError::Gone { tid }),
        false => Ok(list.to_vec()),
    }
}

/// The address of a `syscall` instruction that the process may execute: in the vdso if there is
/// one, else wherever the first is found. Every program has one somewhere, or it could not end.
pub(super) fn syscall_instruction(tid: i32, mappings: &[Mapping]) -> Result<u64, RemoteError> {
    let failed = |source| RemoteError::of(tid, "read the memory", source);
    let memory = File::open(format!("/proc/{tid}/mem")).map_err(failed)?;
    let executable = || mappings.iter().filter(|one| one.permissions.execute);
    let is_vdso = |mapping: &&Mapping| *mapping.name == *b"[vdso]";
    let first = executable().filter(is_vdso);
    let rest = executable().filter(|mapping| !is_vdso(mapping));
    first
        .chain(rest)
        .find_map(|mapping| find_in(&memory, &(mapping.start..mapping.end)))
        .ok_or(RemoteError::NoInstruction { tid })
}

fn find_in(memory: &File, range: &Range<u64>) -> Option<u64> {
    let found = |address, bytes: &[u8]| (bytes == SYSCALL).then_some(address);
    tracee::find_in_memory(memory, range, SYSCALL.len(), found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instruction_is_found_across_a_border_and_in_the_last_bytes() {
        use std::io::Write;
        // What is read at once.
        const PIECE_BYTES: u64 = 256 << 10;
        for offset in [0, 5, PIECE_BYTES - 1, PIECE_BYTES, 2 * PIECE_BYTES - 2] {
            let mut bytes = vec![0x90; 2 * PIECE_BYTES as usize];
            bytes[offset as usize..][..2].copy_from_slice(&SYSCALL);
            let path = std::env::temp_dir().join(format!("brk-hole-{}", std::process::id()));
            File::create(&path).unwrap().write_all(&bytes).unwrap();
            let file = File::open(&path).unwrap();
            std::fs::remove_file(&path).unwrap();
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
