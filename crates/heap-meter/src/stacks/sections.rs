//! Where the parts of an ELF file are that stacks are read from.
//!
//! A target's file may state anything: billions of sections, a table of symbols as long as a sparse
//! file. What is read of it is bounded here, once for all who read.

use std::io;
use std::ops::Range;

use object::read::elf::{ElfFile64, FileHeader, SectionHeader};
use object::{Endianness, SectionIndex};

/// Program headers and sections; programs have some dozens.
pub(super) const MOST_HEADERS: usize = 4096;
/// Names of sections. Each may be read to its end.
const MOST_NAME_BYTES: usize = 256 << 10;
/// What may be read of a section that holds a word or a number.
const SHORT_BYTES: usize = 4096;
/// Unwind tables, and symbols with their names: those of a browser take some ten MiB.
const MOST_TABLE_BYTES: usize = 64 << 20;

/// Those that are bounded by [`MOST_TABLE_BYTES`]: they are read whole.
const TABLES: [&str; 6] = [
    ".eh_frame",
    ".eh_frame_hdr",
    ".symtab",
    ".strtab",
    ".dynsym",
    ".dynstr",
];
/// The others that are of use.
const OTHERS: [&str; 4] = [".text", ".got", ".note.gnu.build-id", ".gnu_debuglink"];

/// Where a section is: addresses as the file states them, and bytes of the file.
#[derive(Clone, Debug)]
pub(super) struct Section {
    pub(super) addresses: Range<u64>,
    pub(super) bytes: Range<usize>,
}

impl Section {
    /// Whether it is no longer than what may be read of a word or a number.
    pub(super) fn is_short(&self) -> bool {
        self.bytes.len() <= SHORT_BYTES
    }
}

/// The sections of use, by name; of several with one name the first.
pub(super) struct Sections(Vec<(&'static str, Section)>);

impl Sections {
    /// Those of a file of so many bytes.
    ///
    /// # Errors
    /// If there are too many, or one is too large.
    pub(super) fn of(elf: &ElfFile64<'_, Endianness>, length: usize) -> io::Result<Self> {
        let endian = elf.endian();
        let table = elf.elf_section_table();
        check("sections", table.len(), MOST_HEADERS)?;
        let mut found: Vec<(&'static str, Section)> = Vec::new();
        let names = elf.elf_header().shstrndx(endian, elf.data()).ok();
        let names = names.and_then(|index| table.section(SectionIndex(index as usize)).ok());
        let names = names.map_or(0, |names| names.sh_size(endian));
        check("bytes of section names", names as usize, MOST_NAME_BYTES)?;
        for header in table.iter() {
            let Ok(name) = table.section_name(endian, header) else {
                continue;
            };
            let mut of_use = TABLES.into_iter().chain(OTHERS);
            let Some(name) = of_use.find(|of_use| of_use.as_bytes() == name) else {
                continue;
            };
            let Some(section) = section(endian, header, length) else {
                continue;
            };
            if TABLES.contains(&name) {
                check(name, section.bytes.len(), MOST_TABLE_BYTES)?;
            }
            if !found.iter().any(|(other, _)| *other == name) {
                found.push((name, section));
            }
        }
        Ok(Self(found))
    }

    pub(super) fn get(&self, name: &str) -> Option<Section> {
        let (_, section) = self.0.iter().find(|(own, _)| *own == name)?;
        Some(section.clone())
    }
}

fn section(
    endian: Endianness,
    header: &object::elf::SectionHeader64<Endianness>,
    length: usize,
) -> Option<Section> {
    let (offset, size) = header.file_range(endian)?;
    let start = usize::try_from(offset).ok()?;
    let end = start.checked_add(usize::try_from(size).ok()?)?;
    let address = header.sh_addr(endian);
    (end <= length).then_some(Section {
        addresses: address..address.saturating_add(size),
        bytes: start..end,
    })
}

/// # Errors
/// If there is more of something than is read.
pub(super) fn check(what: &str, count: usize, most: usize) -> io::Result<()> {
    match count <= most {
        true => Ok(()),
        false => Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it states {count} for its {what}; no more than {most} are read"),
        )),
    }
}
