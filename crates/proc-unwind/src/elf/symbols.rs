//! The functions that a file names.

use std::cmp::Reverse;
use std::fs::File;
use std::io;
use std::ops::Range;

use object::read::elf::Sym;
use object::read::{ReadCache, ReadRef};
use object::{Endianness, elf};

use super::sections::Sections;
use super::sections::{MOST_TABLE_BYTES, header};

/// The beginning of a name. Those of C++ get as long as this; a file may state any.
const MOST_NAME_BYTES: usize = 4096;
/// A function that holds an address may have so many others, or their parts, within it.
const MOST_WITHIN: usize = 64;

/// Which of a file's tables of symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SymbolTable {
    /// `.dynsym`: what it offers to others, and needs of them.
    Dynsym,
    /// `.symtab`: all, if the file was not stripped.
    Symtab,
}

/// The functions that a table of symbols names, by address. Those that the file needs of others
/// aren't among them.
#[derive(Clone, Debug, Default)]
pub struct Symbols {
    names: Vec<u8>,
    entries: Vec<Entry>,
}

/// A function as a table of symbols has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function<'a> {
    /// Its name, as the linker knows it.
    pub name: &'a str,
    /// Its addresses as the file states them.
    pub addresses: Range<u64>,
    /// Other files, or other parts of this one, may use it.
    pub is_global: bool,
}

#[derive(Clone, Debug)]
struct Entry {
    start: u64,
    size_bytes: u64,
    /// Where its name begins.
    name: u32,
    is_global: bool,
}

impl Symbols {
    /// Reads a table of an open file; none of them if it has no such table.
    ///
    /// # Errors
    /// If the file isn't a 64-bit ELF file, ends before what it states, or states more than is
    /// read.
    pub fn read(file: &File, table: SymbolTable) -> io::Result<Self> {
        Self::parse(&ReadCache::new(file), table)
    }

    /// The same of a file's bytes.
    ///
    /// # Errors
    /// As [`read`](Self::read)'s.
    pub fn of_bytes(bytes: &[u8], table: SymbolTable) -> io::Result<Self> {
        Self::parse(bytes, table)
    }

    fn parse<'data>(data: impl ReadRef<'data>, table: SymbolTable) -> io::Result<Self> {
        let (header, endian) = header(data)?;
        let sections = Sections::of(header, endian, data)?;
        let kind = match table {
            SymbolTable::Dynsym => elf::SHT_DYNSYM,
            SymbolTable::Symtab => elf::SHT_SYMTAB,
        };
        let Some(table) = sections.of_kind(kind) else {
            return Ok(Self::default());
        };
        let names = sections.linked(table).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "its symbols have no names")
        })?;
        let names = sections.bytes(names, MOST_TABLE_BYTES)?.to_vec();
        let symbols = sections.array(table, MOST_TABLE_BYTES)?;
        let entries = symbols.iter().filter_map(|symbol| entry(symbol, endian));
        let mut symbols = Self { entries: entries.collect(), names };
        symbols.sort();
        Ok(symbols)
    }

    /// By address; of several names for one, the one to tell comes last.
    fn sort(&mut self) {
        let Self { names, entries } = self;
        entries.sort_by_cached_key(|entry| {
            let name = name(names, entry.name).unwrap_or_default();
            // As perf chooses: `puts`, not `_IO_puts`.
            let underscores = name.len() - name.trim_start_matches('_').len();
            (
                entry.start,
                entry.size_bytes > 0,
                Reverse(underscores),
                entry.is_global,
                Reverse(name.len()),
                entry.name,
            )
        });
    }

    /// All of them that have a name, by address.
    pub fn functions(&self) -> impl Iterator<Item = Function<'_>> {
        self.entries.iter().filter_map(|entry| {
            Some(Function {
                name: name(&self.names, entry.name)?,
                addresses: entry.start..entry.start.checked_add(entry.size_bytes)?,
                is_global: entry.is_global,
            })
        })
    }

    /// The name of the function that an address (as the file states it) is in. One without a size
    /// goes on to where the next one begins.
    pub fn at(&self, address: u64) -> Option<&str> {
        let after = self.entries.partition_point(|entry| entry.start <= address);
        let before = self.entries[..after].iter().rev();
        let nearest = before.clone().next()?.start;
        let mut holding = before.take(MOST_WITHIN).filter(|entry| {
            let open = entry.size_bytes == 0 && entry.start == nearest;
            open || address - entry.start < entry.size_bytes
        });
        holding.find_map(|entry| name(&self.names, entry.name))
    }

    /// Bytes that it takes to keep them.
    pub fn table_bytes(&self) -> usize {
        self.names.len() + size_of_val(&self.entries[..])
    }
}

fn entry(symbol: &elf::Sym64<Endianness>, endian: Endianness) -> Option<Entry> {
    let is_function = matches!(symbol.st_type(), elf::STT_FUNC | elf::STT_GNU_IFUNC);
    (is_function && !symbol.is_undefined(endian)).then(|| Entry {
        start: symbol.st_value(endian),
        size_bytes: symbol.st_size(endian),
        name: symbol.st_name(endian),
        is_global: !symbol.is_local(),
    })
}

fn name(names: &[u8], at: u32) -> Option<&str> {
    let name = names.get(at as usize..)?;
    let name = &name[..name.len().min(MOST_NAME_BYTES)];
    let end = name.iter().position(|&byte| byte == 0);
    let name = &name[..end.unwrap_or(name.len())];
    let name = match std::str::from_utf8(name) {
        Ok(name) => name,
        // Cut within a character.
        Err(error) if end.is_none() && error.error_len().is_none() => {
            std::str::from_utf8(&name[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    (!name.is_empty()).then_some(name)
}
