//! What is read of an ELF file that somebody's process has mapped: its unwind tables, its functions
//! and what tells it from others.
//!
//! The file is anybody's, may state anything and may change while it is read: billions of sections,
//! a table of symbols as long as a sparse file, names without an end. So it isn't mapped (whoever
//! shortens a mapped file ends its reader by SIGBUS), and each table is read once, within bounds.
//!
//! # References
//! elf(5)

mod sections;
mod symbols;
#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};
use object::read::{ReadCache, ReadRef};
use object::{Endianness, elf};

use self::sections::Sections;
pub use self::sections::Table;
use self::sections::{MOST_HEADERS, MOST_TABLE_BYTES, check, header, invalid};
pub use self::symbols::{Function, SymbolTable, Symbols};

/// What may be read of a section that holds a word or a number.
const MOST_SHORT_BYTES: u64 = 4096;
/// Of one in the table of symbols.
const SYMBOL_BYTES: u64 = size_of::<elf::Sym64<Endianness>>() as u64;

/// A 64-bit ELF file, as far as stacks need it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Elf {
    /// What is loaded of it.
    pub segments: Vec<Segment>,
    /// Where the kernel or the dynamic linker begins to run it; 0 for most libraries.
    pub entry: u64,
    /// `.eh_frame`: how to find each function's caller.
    pub eh_frame: Option<Table>,
    /// `.eh_frame_hdr`: which part of it is which function's.
    pub eh_frame_hdr: Option<Table>,
    /// Where `.text` is, as the file states it.
    pub text: Option<Range<u64>>,
    /// Where `.got` is, as the file states it.
    pub got: Option<Range<u64>>,
    /// The note that holds its build id, if it is loaded.
    pub build_id_note: Option<Table>,
    /// Its build id.
    pub build_id: Option<Box<[u8]>>,
    /// Has all its symbols: it was not stripped.
    pub has_symbols: bool,
    /// The file name of its debug information, where it names one.
    pub debug_link: Option<PathBuf>,
}

/// A part of a file that is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Segment {
    /// Addresses as the file states them.
    pub addresses: Range<u64>,
    /// Where it begins in the file, in bytes.
    pub offset: u64,
    /// Whether it is code.
    pub executable: bool,
}

impl Elf {
    /// Reads an open file.
    ///
    /// # Errors
    /// If it isn't a 64-bit ELF file, ends before what it states, or states more than is read.
    pub fn read(file: &File) -> io::Result<Self> {
        Self::parse(&ReadCache::new(file))
    }

    /// The same of a file's bytes.
    ///
    /// # Errors
    /// As [`read`](Self::read)'s.
    pub fn of_bytes(bytes: &[u8]) -> io::Result<Self> {
        Self::parse(bytes)
    }

    fn parse<'data>(data: impl ReadRef<'data>) -> io::Result<Self> {
        let (header, endian) = header(data)?;
        let count = header.phnum(endian, data).map_err(invalid)?;
        check("program headers", count, MOST_HEADERS)?;
        let headers = header.program_headers(endian, data).map_err(invalid)?;
        let loaded = headers.iter().filter(|header| header.p_type(endian) == elf::PT_LOAD);
        let segments = loaded.map(|header| {
            let start = header.p_vaddr(endian);
            Segment {
                addresses: start..start.saturating_add(header.p_filesz(endian)),
                offset: header.p_offset(endian),
                executable: header.p_flags(endian) & elf::PF_X != 0,
            }
        });
        let sections = Sections::of(header, endian, data)?;
        let addresses = |name: &[u8]| sections.named(name).map(|found| sections.addresses(found));
        let note = sections.table(b".note.gnu.build-id", MOST_SHORT_BYTES);
        let note = note.unwrap_or_default();
        let link = sections.table(b".gnu_debuglink", MOST_SHORT_BYTES);
        let link = link.unwrap_or_default();
        Ok(Self {
            segments: segments.collect(),
            entry: header.e_entry(endian),
            eh_frame: sections.table(b".eh_frame", MOST_TABLE_BYTES)?,
            eh_frame_hdr: sections.table(b".eh_frame_hdr", MOST_TABLE_BYTES)?,
            text: addresses(b".text"),
            got: addresses(b".got"),
            build_id: note.as_ref().and_then(|note| build_id(&note.bytes)),
            build_id_note: note.filter(|note| note.addresses.start > 0),
            // The first is nobody's.
            has_symbols: sections
                .named(b".symtab")
                .and_then(|table| table.file_range(endian))
                .is_some_and(|(_, bytes)| bytes > SYMBOL_BYTES),
            debug_link: link.and_then(|link| first_word(&link.bytes)),
        })
    }

    /// What has to be added to an address in the file to get the one in a process that has mapped
    /// the file as code from `offset` on at `start`; `None` if the file doesn't ask for such a
    /// mapping.
    pub fn bias(&self, start: u64, offset: u64) -> Option<u64> {
        bias(&self.segments, start, offset)
    }

    /// Bytes that it takes to keep its tables.
    pub fn table_bytes(&self) -> usize {
        let tables = [&self.eh_frame, &self.eh_frame_hdr].into_iter().flatten();
        tables.map(|table| table.bytes.len()).sum()
    }

    /// Where the bytes at an address (as the file states it) are in the file, up to `most`.
    pub fn file_range(&self, address: u64, most: u64) -> Option<Range<u64>> {
        let mut segments = self.segments.iter();
        let segment = segments.find(|segment| segment.addresses.contains(&address))?;
        let start = segment.offset.checked_add(address - segment.addresses.start)?;
        let length = most.min(segment.addresses.end - address);
        Some(start..start.checked_add(length)?)
    }
}

/// lld has the end of one segment and the beginning of the next on one page of the file, which is
/// mapped twice: code is looked for first, and what begins there before what goes on there.
fn bias(segments: &[Segment], start: u64, offset: u64) -> Option<u64> {
    const PAGE: u64 = 4096;
    let first_page = |segment: &Segment| segment.offset & !(PAGE - 1);
    let holds = |segment: &&Segment| {
        let bytes = segment.addresses.end - segment.addresses.start;
        (first_page(segment)..segment.offset.saturating_add(bytes)).contains(&offset)
    };
    let fits = |segment: &&Segment| (!segment.executable, first_page(segment) != offset);
    let segment = segments.iter().filter(holds).min_by_key(fits)?;
    let stated = segment.addresses.start.wrapping_sub(segment.offset).wrapping_add(offset);
    Some(start.wrapping_sub(stated))
}

/// The build id in a section of one note.
///
/// # References
/// elf(5), “Notes”
fn build_id(note: &[u8]) -> Option<Box<[u8]>> {
    const BEFORE: usize = 16;
    let length = u32::from_ne_bytes(note.get(4..8)?.try_into().ok()?) as usize;
    let name = note.get(12..BEFORE)?;
    let id = note.get(BEFORE..)?.get(..length)?;
    (name == b"GNU\0" && !id.is_empty()).then(|| id.into())
}

/// The name that a section begins with, if it is that of a file without directories.
fn first_word(bytes: &[u8]) -> Option<PathBuf> {
    let end = bytes.iter().position(|&byte| byte == 0)?;
    let name = PathBuf::from(OsStr::from_bytes(&bytes[..end]));
    (name.file_name() == Some(name.as_os_str())).then_some(name)
}
