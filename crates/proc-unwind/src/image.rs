//! An ELF file that is mapped into a watched process: its unwind tables and its code.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::elf::{Elf, SymbolTable, Symbols};

/// What is known of a mapped file, or of the kernel's own library.
pub(super) struct UnwindImage {
    /// Tells it from all others for as long as the program runs.
    pub(super) id: u64,
    /// What it is called in a frame: the file's own name without directories.
    pub(super) name: Box<str>,
    pub(super) elf: Elf,
    content: Content,
    /// Its functions' first addresses and their entries in `eh_frame`, once somebody has asked.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "only requests are found by it")
    )]
    pub(super) functions: OnceLock<Vec<(u64, usize)>>,
}

pub(super) enum Content {
    File(File),
    /// What is mapped without a file: the kernel's `[vdso]`.
    Copy(Vec<u8>),
}

impl UnwindImage {
    /// # Errors
    /// If it isn't a 64-bit ELF file, or states more than is read of one.
    pub(super) fn of(content: Content, id: u64, name: Box<str>) -> io::Result<Self> {
        let elf = match &content {
            Content::File(file) => Elf::read(file),
            Content::Copy(bytes) => Elf::of_bytes(bytes),
        }?;
        Ok(Self { id, name, elf, content, functions: OnceLock::new() })
    }

    /// Whether it is a copy of these bytes.
    pub(super) fn is_copy_of(&self, bytes: &[u8]) -> bool {
        matches!(&self.content, Content::Copy(own) if own == bytes)
    }

    /// The functions that one of its tables names.
    ///
    /// # Errors
    /// If it can't be read, or states more than is read.
    pub(super) fn symbols(&self, table: SymbolTable) -> io::Result<Symbols> {
        match &self.content {
            Content::File(file) => Symbols::read(file, table),
            Content::Copy(bytes) => Symbols::of_bytes(bytes, table),
        }
    }

    /// Bytes by which the file can be known in memory, and their address as the file states it:
    /// its build id or, without one, its code at `address`.
    pub(super) fn mark(&self, address: u64) -> Option<(u64, Cow<'_, [u8]>)> {
        const CODE_BYTES: u64 = 32;
        match &self.elf.build_id_note {
            Some(note) => Some((note.addresses.start, note.bytes[..].into())),
            None => Some((address, self.code(address, CODE_BYTES)?.into())),
        }
    }

    /// Up to `most` bytes of code from an address as the file states it.
    pub(super) fn code(&self, address: u64, most: u64) -> Option<Vec<u8>> {
        let range = self.elf.file_range(address, most)?;
        match &self.content {
            Content::Copy(bytes) => {
                let (start, end) = (range.start.try_into().ok()?, range.end.try_into().ok()?);
                bytes.get::<std::ops::Range<usize>>(start..end).map(Vec::from)
            }
            Content::File(file) => {
                let mut code = vec![0; (range.end - range.start) as usize];
                file.read_exact_at(&mut code, range.start).ok()?;
                Some(code)
            }
        }
    }

    /// Whether an address as the file states it is in the code that begins the program: nothing
    /// has called it. (The dynamic linker's has no unwind table that would say so.)
    pub(super) fn is_beginning(&self, address: u64) -> bool {
        const ENTRY_BYTES: u64 = 64;
        self.elf.entry != 0 && address.wrapping_sub(self.elf.entry) < ENTRY_BYTES
    }

    /// A path by which this program can open the file again, wherever it came from.
    pub(super) fn path(&self) -> Option<PathBuf> {
        match &self.content {
            Content::File(file) => Some(format!("/proc/self/fd/{}", file.as_raw_fd()).into()),
            Content::Copy(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
