//! The Java virtual machine: its heap and its code, where the tables say that HotSpot keeps for
//! debuggers.
//!
//! # References
//! OpenJDK 8 to 21, `src/hotspot/share/runtime/vmStructs.hpp` (`gHotSpotVMStructs`), as the
//! Serviceability Agent reads it; elf(5), `DT_SYMTAB`

use std::collections::HashMap;
use std::ops::Range;

use proc_memory::word;

use super::elf_bss::{HEAD_BYTES, segments};
use super::row::Kind;
use super::space::Space;

const DYNAMIC: u32 = 2;
/// Longest name of a type or a field that is wanted, and its zero.
const NAME_BYTES: usize = 24;
const SYMBOL_BYTES: u64 = 24;
const MOST_SYMBOLS: u64 = 1 << 16;
/// `sizeof(VMStructEntry)`: type, field, type of the field, whether it is static, offset, address.
const ENTRY_BYTES: u64 = 48;
const MOST_ENTRIES: u64 = 8192;
const MOST_CODE_HEAPS: u64 = 16;

/// Claims heap and code.
pub(super) fn claim(space: &mut Space<'_>) {
    let Some(fields) = fields(space) else { return };
    if let Some(heap) = heap(space, &fields) {
        let row = space.row(Kind::Runtime, "Java's heap", "the bounds that HotSpot's tables name");
        claim_anonymous(space, heap, row);
    }
    let code = code(space, &fields).unwrap_or_default();
    for range in code {
        let row = space.row(Kind::Runtime, "Java's code", "the bounds that HotSpot's tables name");
        claim_anonymous(space, range, row);
    }
}

/// Claims what is anonymous of a range; parts of it may be a file's.
fn claim_anonymous(space: &mut Space<'_>, range: Range<u64>, row: super::space::RowNumber) {
    for gap in space.unclaimed() {
        let part = gap.start.max(range.start)..gap.end.min(range.end);
        if part.start < part.end {
            space.claim(part, row);
        }
    }
}

type Fields = HashMap<(&'static str, &'static str), [u64; 2]>;

const WANTED: [(&str, &str); 8] = [
    ("Universe", "_collectedHeap"),
    ("CollectedHeap", "_reserved"),
    ("CodeCache", "_heaps"),
    ("GrowableArrayBase", "_len"),
    ("GrowableArray<int>", "_data"),
    ("CodeHeap", "_memory"),
    ("VirtualSpace", "_low_boundary"),
    ("VirtualSpace", "_high_boundary"),
];

/// Offset and address of the fields that are wanted.
fn fields(space: &Space<'_>) -> Option<Fields> {
    let files = space.areas().iter().map(|area| &area.mapping);
    let library =
        files.filter(|mapping| mapping.offset == 0 && mapping.name.ends_with(b"/libjvm.so"));
    let start = library.map(|mapping| mapping.start).min()?;
    let table = pointer(space, symbol(space, start, b"gHotSpotVMStructs\0")?)?;
    let mut bytes = Vec::new();
    // No page of it more than there is.
    for entry in (0..MOST_ENTRIES).step_by(64) {
        let at = table.checked_add(entry * ENTRY_BYTES)?;
        bytes.extend(space.read(at..at.checked_add(64 * ENTRY_BYTES)?).unwrap_or_default());
        if bytes.chunks_exact(ENTRY_BYTES as usize).any(|entry| word(entry, 0) == 0) {
            break;
        }
    }
    let entries = bytes.chunks_exact(ENTRY_BYTES as usize);
    let entries: Vec<&[u8]> = entries.take_while(|entry| word(entry, 0) != 0).collect();
    let names = |at: usize| {
        let mut places: Vec<u64> = entries.iter().map(|entry| word(entry, at)).collect();
        places.sort_unstable();
        places.dedup();
        let mut names = HashMap::new();
        space.heads(&places, NAME_BYTES, |place, name| {
            names.insert(place, name.to_vec());
        });
        names
    };
    let (types, members) = (names(0), names(8));
    let is = |names: &HashMap<u64, Vec<u8>>, at: u64, wanted: &str| {
        names.get(&at).is_some_and(|name| {
            name.starts_with(wanted.as_bytes()) && name.get(wanted.len()) == Some(&0)
        })
    };
    let found = WANTED.into_iter().filter_map(|(kind, member)| {
        let entry = entries.iter().find(|entry| {
            is(&types, word(entry, 0), kind) && is(&members, word(entry, 8), member)
        })?;
        Some(((kind, member), [word(entry, 32), word(entry, 40)]))
    });
    Some(found.collect())
}

fn heap(space: &Space<'_>, fields: &Fields) -> Option<Range<u64>> {
    let heap = pointer(space, fields.get(&WANTED[0])?[1])?;
    let reserved = heap.checked_add(fields.get(&WANTED[1])?[0])?;
    let start = pointer(space, reserved)?;
    let words = pointer(space, reserved.checked_add(8)?)?;
    Some(start..start.checked_add(words.checked_mul(8)?)?)
}

fn code(space: &Space<'_>, fields: &Fields) -> Option<Vec<Range<u64>>> {
    let array = pointer(space, fields.get(&WANTED[2])?[1])?;
    let length = pointer(space, array.checked_add(fields.get(&WANTED[3])?[0])?)? & 0xffff_ffff;
    let data = pointer(space, array.checked_add(fields.get(&WANTED[4])?[0])?)?;
    let [memory, low, high] = [5, 6, 7].map(|field| fields.get(&WANTED[field]).map(|one| one[0]));
    let (memory, low, high) = (memory?, low?, high?);
    let heaps = (0..length.min(MOST_CODE_HEAPS)).filter_map(|number| {
        let heap = pointer(space, data.checked_add(number * 8)?)?.checked_add(memory)?;
        Some(pointer(space, heap.checked_add(low)?)?..pointer(space, heap.checked_add(high)?)?)
    });
    Some(heaps.collect())
}

fn pointer(space: &Space<'_>, at: u64) -> Option<u64> {
    Some(word(&space.read(at..at.checked_add(8)?)?, 0))
}

/// Where a library that is mapped from here on has what it calls so.
fn symbol(space: &Space<'_>, start: u64, name: &[u8]) -> Option<u64> {
    let head = space.read(start..start.checked_add(HEAD_BYTES as u64)?)?;
    let (bias, segments) = segments(&head, start)?;
    let dynamic = segments.iter().find(|segment| segment.kind == DYNAMIC)?;
    let at = bias.wrapping_add(dynamic.address);
    let table = space.read(at..at.checked_add(1024)?)?;
    let entry = |tag: u64| {
        let mut entries = table.chunks_exact(16).take_while(|entry| word(entry, 0) != 0);
        entries.find(|entry| word(entry, 0) == tag).map(|entry| word(entry, 8))
    };
    // `DT_STRTAB`, which follows `DT_SYMTAB`, and its size.
    let (strings, symbols, length) = (entry(5)?, entry(6)?, entry(10)?);
    let count = strings.checked_sub(symbols)? / SYMBOL_BYTES;
    if count > MOST_SYMBOLS || length > MOST_SYMBOLS * 64 {
        return None;
    }
    let names = space.read(strings..strings.checked_add(length)?)?;
    let symbols = space.read(symbols..symbols + count * SYMBOL_BYTES)?;
    let mut each = symbols.chunks_exact(SYMBOL_BYTES as usize);
    let found = each.find(|symbol| {
        let at = (word(symbol, 0) & 0xffff_ffff) as usize;
        names.get(at..).is_some_and(|rest| rest.starts_with(name))
    })?;
    Some(bias.wrapping_add(word(found, 8)))
}
