//! What is read of a file's headers, and how much at most.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use object::read::ReadRef;
use object::read::elf::FileHeader;
use object::{Endianness, elf};

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
