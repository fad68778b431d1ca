//! The functions that an ELF file names.
//!
//! The file is one that a process has mapped, so anybody's, and may say anything: a section of
//! gigabytes of holes, tables that overlap, names without an end. Of all that, two tables are read,
//! each within bounds.
//!
//! # References
//! elf(5)

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use anyhow::{Context, bail, ensure};
use object::elf;

/// A table that is bigger isn't read. Of programs with all their symbols the biggest have some ten
/// MiB, a C library less than one.
const MOST_TABLE_BYTES: u64 = 64 << 20;
const HEADER_BYTES: usize = 64;
const SECTION_BYTES: usize = 64;
const SYMBOL_BYTES: usize = 24;
/// Longer names are none of malloc's.
const MOST_NAME_BYTES: usize = 256;

/// A function as a symbol table has it.
#[derive(Clone, Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) range: Range<u64>,
}

/// The functions that a 64-bit ELF file names to others; those of a static program, to itself.
///
/// # Errors
/// If it can't be read, or isn't such a file.
pub(super) fn functions(file: &File) -> anyhow::Result<Vec<Function>> {
    let sections = sections(file)?;
    let of_kind = |kind| {
        let table = sections.iter().find(|section| section.kind == kind);
        table.map_or(Ok(Vec::new()), |table| defined(file, table, &sections))
    };
    let exported = of_kind(elf::SHT_DYNSYM)?;
    if exported.iter().any(|function| function.name == "malloc") {
        return Ok(exported);
    }
    of_kind(elf::SHT_SYMTAB)
}

/// A section's header.
struct Section {
    kind: u32,
    offset: u64,
    bytes: u64,
    /// Of a table of symbols, the section with their names.
    link: usize,
}

fn sections(file: &File) -> anyhow::Result<Vec<Section>> {
    let header = read(file, 0, HEADER_BYTES as u64)?;
    let is_elf = header.starts_with(&elf::ELFMAG)
        && header.get(4) == Some(&elf::ELFCLASS64)
        && header.get(5) == Some(&elf::ELFDATA2LSB);
    ensure!(is_elf, "it is not a 64-bit ELF file");
    let (offset, size, count) = (
        number::<8>(&header, 40),
        number::<2>(&header, 58),
        number::<2>(&header, 60),
    );
    ensure!(size == SECTION_BYTES as u64, "it has no table of sections");
    let table = read(file, offset, count * size)?;
    let headers = table.chunks_exact(SECTION_BYTES);
    Ok(headers
        .map(|header| Section {
            kind: number::<4>(header, 4) as u32,
            offset: number::<8>(header, 24),
            bytes: number::<8>(header, 32),
            link: number::<4>(header, 40) as usize,
        })
        .collect())
}

fn defined(file: &File, table: &Section, sections: &[Section]) -> anyhow::Result<Vec<Function>> {
    let names = sections
        .get(table.link)
        .context("its symbols have no names")?;
    let names = read(file, names.offset, names.bytes)?;
    let symbols = read(file, table.offset, table.bytes)?;
    let symbols = symbols.chunks_exact(SYMBOL_BYTES);
    Ok(symbols
        .filter_map(|symbol| function(symbol, &names))
        .collect())
}

/// A function that the file defines and that others may use.
fn function(symbol: &[u8], names: &[u8]) -> Option<Function> {
    let (kind, binding) = (symbol.get(4)? & 0xf, symbol.get(4)? >> 4);
    let is_function = matches!(kind, elf::STT_FUNC | elf::STT_GNU_IFUNC);
    let is_global = binding != elf::STB_LOCAL;
    if !is_function || !is_global || number::<2>(symbol, 6) == u64::from(elf::SHN_UNDEF) {
        return None;
    }
    let name = names.get(number::<4>(symbol, 0) as usize..)?;
    let length = name
        .iter()
        .take(MOST_NAME_BYTES)
        .position(|byte| *byte == 0)?;
    let start = number::<8>(symbol, 8);
    Some(Function {
        name: std::str::from_utf8(name.get(..length)?).ok()?.to_owned(),
        range: start..start.checked_add(number::<8>(symbol, 16))?,
    })
}

/// Little-endian; 0 beyond the end.
fn number<const BYTES: usize>(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    if let Some(bytes) = bytes.get(at..at + BYTES) {
        number[..BYTES].copy_from_slice(bytes);
    }
    u64::from_le_bytes(number)
}

fn read(file: &File, offset: u64, bytes: u64) -> anyhow::Result<Vec<u8>> {
    if bytes > MOST_TABLE_BYTES {
        bail!("one of its tables has {bytes} bytes, more than any that is read");
    }
    let end = offset.checked_add(bytes);
    let is_inside = end.is_some_and(|end| file.metadata().is_ok_and(|file| end <= file.len()));
    if !is_inside {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof)).context("it is cut off");
    }
    let mut content = vec![0; bytes as usize];
    file.read_exact_at(&mut content, offset)?;
    Ok(content)
}

#[cfg(test)]
mod tests;
