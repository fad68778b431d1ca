//! The order in which the dynamic loader looks for symbols: that of its list of what it has loaded,
//! in which preloaded libraries come before those that the program names.
//!
//! # References
//! glibc 2.36: `elf/link.h` (`struct r_debug`, `struct link_map`); elf(5), `PT_DYNAMIC`, `DT_DEBUG`;
//! getauxval(3), `AT_PHDR`

use proc_memory::{AddressSpace, Process, word};

use super::allocator::{self, Allocator};
use super::error::Unreadable;
use super::memory::TargetMemory;

const AT_PHDR: u64 = 3;
const AT_PHNUM: u64 = 5;
const PT_DYNAMIC: u32 = 2;
const PT_PHDR: u32 = 6;
const DT_DEBUG: u64 = 21;

const PROGRAM_HEADER_BYTES: u64 = 56;
const LINK_MAP_BYTES: u64 = 40;
/// No program of 64 bits has more of them than this.
const MOST_HEADERS: u64 = 128;
const MOST_DYNAMIC: u64 = 256;
/// It may lead in a circle, too.
const MOST_LIBRARIES: usize = 4096;

/// What was seen of the list.
#[derive(Default)]
struct Seen {
    allocators: Vec<Allocator>,
    /// How many of them before glibc, once that was seen.
    before_glibc: Option<usize>,
}

/// Puts allocators that are libraries into the order of the loader's list: a name is taken from the
/// first that has it. Where there is no such list, or it doesn't have them, they stay as they are.
/// Gives how many of them stand before glibc.
pub(super) fn in_load_order(
    process: &Process,
    memory: &mut impl TargetMemory,
    allocators: &mut [Allocator],
) -> Result<usize, Unreadable> {
    let mut seen = Seen::default();
    match follow(process, memory, allocators.len(), &mut seen) {
        // The list is the process's own, and may lead anywhere.
        Ok(()) | Err(Unreadable::NotMapped) => {}
        Err(error) => return Err(error),
    }
    let place = |one: &Allocator| seen.allocators.iter().position(|other| other == one);
    allocators.sort_by_key(|one| place(one).unwrap_or(usize::MAX));
    // The list may have others than were looked for.
    let before_glibc = seen.before_glibc.unwrap_or(0);
    let is_before = |one: &&Allocator| place(one).is_some_and(|place| place < before_glibc);
    Ok(allocators.iter().filter(is_before).count())
}

/// Follows the list until glibc and so many allocators were seen.
fn follow(
    process: &Process,
    memory: &mut impl TargetMemory,
    wanted: usize,
    seen: &mut Seen,
) -> Result<(), Unreadable> {
    let mut map = first(process, memory)?.unwrap_or(0);
    for _ in 0..MOST_LIBRARIES {
        let is_all = seen.allocators.len() == wanted && seen.before_glibc.is_some();
        if map == 0 || is_all {
            break;
        }
        let entry = read(memory, map, LINK_MAP_BYTES)?;
        let (dynamic, next) = (word(&entry, 16), word(&entry, 24));
        if let Ok(Some(mapping)) = AddressSpace::mapping_at(process, dynamic) {
            let name = mapping.file_name();
            if allocator::is_glibc(name) {
                seen.before_glibc.get_or_insert(seen.allocators.len());
            }
            let one = Allocator::of_library(name);
            seen.allocators.extend(one.filter(|one| !seen.allocators.contains(one)));
        }
        map = next;
    }
    Ok(())
}

/// Where the list begins; `None` for a program that no loader has loaded.
fn first(process: &Process, memory: &mut impl TargetMemory) -> Result<Option<u64>, Unreadable> {
    let Ok(vector) = process.whole("auxv") else { return Ok(None) };
    let told = |kind| {
        let mut pairs = vector.chunks_exact(16);
        pairs.find(|pair| word(pair, 0) == kind).map(|pair| word(pair, 8))
    };
    let (Some(at), Some(count)) = (told(AT_PHDR), told(AT_PHNUM)) else { return Ok(None) };
    let headers = read(memory, at, count.min(MOST_HEADERS) * PROGRAM_HEADER_BYTES)?;
    let header = |kind: u32| {
        let mut headers = headers.chunks_exact(PROGRAM_HEADER_BYTES as usize);
        headers.find(|header| header[..4] == kind.to_le_bytes())
    };
    let Some(dynamic) = header(PT_DYNAMIC) else { return Ok(None) };
    let (address, size) = (word(dynamic, 16), word(dynamic, 40));
    // Where a program that may lie anywhere does lie.
    let bias = header(PT_PHDR).map_or(0, |own| at.wrapping_sub(word(own, 16)));
    let dynamic = read(memory, address.wrapping_add(bias), size.min(16 * MOST_DYNAMIC))?;
    let debug = dynamic.chunks_exact(16).find(|entry| word(entry, 0) == DT_DEBUG);
    match debug.map_or(0, |entry| word(entry, 8)) {
        0 => Ok(None),
        debug => Ok(Some(word(&read(memory, debug, 16)?, 8))),
    }
}

fn read(memory: &mut impl TargetMemory, at: u64, bytes: u64) -> Result<Vec<u8>, Unreadable> {
    let mut into = Vec::new();
    memory.read_one(at..at.saturating_add(bytes), &mut into)?;
    Ok(into)
}
