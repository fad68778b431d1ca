//! A file's headers and sections, and how much of them is read at most.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use object::read::ReadRef;
use object::read::elf::{FileHeader, SectionHeader};
use object::{Endianness, Pod, elf};

/// Program headers and sections; programs have some dozens.
pub(super) const MOST_HEADERS: usize = 4096;
/// Unwind tables, and symbols with their names: those of a browser take some ten MiB.
pub(super) const MOST_TABLE_BYTES: u64 = 64 << 20;

/// A section that has been read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Table {
    /// Addresses as the file states them.
    pub addresses: Range<u64>,
    /// What is in it.
    pub bytes: Arc<[u8]>,
}

pub(super) type Header = elf::FileHeader64<Endianness>;

pub(super) fn header<'data>(data: impl ReadRef<'data>) -> io::Result<(&'data Header, Endianness)> {
    let header = Header::parse(data).map_err(invalid)?;
    Ok((header, header.endian().map_err(invalid)?))
}

pub(super) fn invalid(error: object::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// # Errors
/// If there is more of something than is read.
pub(super) fn check<N: PartialOrd + std::fmt::Display>(
    what: &str,
    count: N,
    most: N,
) -> io::Result<()> {
    match count <= most {
        true => Ok(()),
        false => Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it states {count} {what}; no more than {most} are read"),
        )),
    }
}

/// Names of sections; programs have some hundred bytes of them.
const MOST_NAME_BYTES: u64 = 256 << 10;

pub(super) type Section = elf::SectionHeader64<Endianness>;

pub(super) struct Sections<'data, R: ReadRef<'data>> {
    endian: Endianness,
    data: R,
    headers: &'data [Section],
    names: &'data [u8],
}

impl<'data, R: ReadRef<'data>> Sections<'data, R> {
    /// # Errors
    /// If there are too many, or they can't be read.
    pub(super) fn of(header: &Header, endian: Endianness, data: R) -> io::Result<Self> {
        let count = header.shnum(endian, data).map_err(invalid)?;
        check("sections", count, MOST_HEADERS)?;
        let headers = header.section_headers(endian, data).map_err(invalid)?;
        let index = header.shstrndx(endian, data).ok();
        let names = match index.and_then(|index| headers.get(index as usize)) {
            // Without names there is none to be found by its own.
            None => &[][..],
            Some(names) => {
                check("bytes of section names", names.sh_size(endian), MOST_NAME_BYTES)?;
                names.data(endian, data).map_err(invalid)?
            }
        };
        Ok(Self { endian, data, headers, names })
    }

    /// The first of that name that has bytes in the file.
    pub(super) fn named(&self, name: &[u8]) -> Option<&'data Section> {
        self.headers.iter().find(|header| {
            let own = self.names.get(header.sh_name(self.endian) as usize..);
            own.and_then(|own| own.strip_prefix(name))
                .is_some_and(|after| after.first() == Some(&0))
                && header.file_range(self.endian).is_some()
        })
    }

    /// The first of that kind (`SHT_DYNSYM`).
    pub(super) fn of_kind(&self, kind: u32) -> Option<&'data Section> {
        let mut headers = self.headers.iter();
        headers.find(|header| header.sh_type(self.endian) == kind)
    }

    /// The one that another is linked to: of a table of symbols, the one with their names.
    pub(super) fn linked(&self, section: &Section) -> Option<&'data Section> {
        self.headers.get(section.sh_link(self.endian) as usize)
    }

    /// Addresses as the file states them.
    pub(super) fn addresses(&self, section: &Section) -> Range<u64> {
        let start = section.sh_addr(self.endian);
        start..start.saturating_add(section.sh_size(self.endian))
    }

    /// What is in a section of the file.
    ///
    /// # Errors
    /// If it has more bytes than `most`, or the file doesn't have them.
    pub(super) fn bytes(&self, section: &Section, most: u64) -> io::Result<&'data [u8]> {
        check("bytes in a table", section.sh_size(self.endian), most)?;
        section.data(self.endian, self.data).map_err(invalid)
    }

    /// The same of a section of equal parts.
    ///
    /// # Errors
    /// As those of [`bytes`](Self::bytes).
    pub(super) fn array<T: Pod>(&self, section: &Section, most: u64) -> io::Result<&'data [T]> {
        check("bytes in a table", section.sh_size(self.endian), most)?;
        let parts = section.data_as_array(self.endian, self.data);
        parts.map_err(invalid)
    }

    /// One that is kept, if there is one of that name.
    ///
    /// # Errors
    /// As those of [`bytes`](Self::bytes).
    pub(super) fn table(&self, name: &[u8], most: u64) -> io::Result<Option<Table>> {
        let table = |section| {
            Ok(Table {
                addresses: self.addresses(section),
                bytes: self.bytes(section, most)?.into(),
            })
        };
        self.named(name).map(table).transpose()
    }
}
