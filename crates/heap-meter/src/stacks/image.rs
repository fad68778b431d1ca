//! An ELF file that is mapped into a watched process: its unwind tables and its code.
//!
//! # Safety
//! The file is mapped into this process, too, and read as a slice. Should somebody shorten it
//! meanwhile, reading ends this process by SIGBUS; should somebody write to it, what is read is
//! wrong, but it is checked like any input. Programs and libraries that are in use are replaced,
//! not written to: for a running program the kernel forbids it (`ETXTBSY`), and a library that is
//! written to takes its users down with it.
#![allow(unsafe_code)]

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::ops::{Deref, Range};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use memmap2::Mmap;
use object::Object;
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};

use super::sections::{self as limits, Section, Sections};

/// Of one in the table of symbols.
const SYMBOL_BYTES: usize = size_of::<object::elf::Sym64<object::Endianness>>();

/// Contents of a mapped file, or of the kernel's own library.
pub(super) struct Image {
    /// Tells it from all others for as long as the program runs.
    pub(super) id: u64,
    /// What it is called in a frame: the file's own name without directories.
    pub(super) name: Box<str>,
    bytes: Bytes,
    /// Loaded parts: addresses as the file states them, and where in the file they start.
    segments: Vec<(Range<u64>, u64)>,
    pub(super) eh_frame: Option<Section>,
    pub(super) eh_frame_hdr: Option<Section>,
    pub(super) text: Option<Range<u64>>,
    pub(super) got: Option<Range<u64>>,
    /// Where the kernel or the dynamic linker begins to run it; 0 for most libraries.
    entry: u64,
    pub(super) build_id: Option<Box<[u8]>>,
    build_id_note: Option<Section>,
    /// Has all its symbols: it was not stripped.
    pub(super) has_symbols: bool,
    /// The file name of its debug information, where it names one.
    pub(super) debug_link: Option<PathBuf>,
    /// Its functions' first addresses and their entries in `eh_frame`, once somebody has asked.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "only requests are found by it")
    )]
    pub(super) functions: OnceLock<Vec<(u64, usize)>>,
}

enum Bytes {
    File { file: File, map: Mmap },
    Copy(Vec<u8>),
}

/// A section's bytes, which keep their file mapped.
#[derive(Clone)]
pub(super) struct SectionBytes {
    image: Arc<Image>,
    bytes: Range<usize>,
}

impl Deref for SectionBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.image.bytes()[self.bytes.clone()]
    }
}

impl Image {
    /// Maps a file.
    ///
    /// # Errors
    /// If it can't be mapped, or isn't a 64-bit ELF file of this machine's byte order.
    pub(super) fn open(file: File, id: u64, name: Box<str>) -> io::Result<Self> {
        // SAFETY: nobody shortens or writes to it, as far as that can be known (see above).
        let map = unsafe { Mmap::map(&file) }?;
        Self::parse(Bytes::File { file, map }, id, name)
    }

    /// Takes a copy of what is mapped without a file: the kernel's `[vdso]`.
    ///
    /// # Errors
    /// If it isn't a 64-bit ELF file of this machine's byte order.
    pub(super) fn copied(bytes: Vec<u8>, id: u64, name: Box<str>) -> io::Result<Self> {
        Self::parse(Bytes::Copy(bytes), id, name)
    }

    fn parse(bytes: Bytes, id: u64, name: Box<str>) -> io::Result<Self> {
        let mut image = Self {
            id,
            name,
            bytes,
            segments: Vec::new(),
            eh_frame: None,
            eh_frame_hdr: None,
            text: None,
            got: None,
            entry: 0,
            build_id: None,
            build_id_note: None,
            has_symbols: false,
            debug_link: None,
            functions: OnceLock::new(),
        };
        let no_elf = |error: object::Error| io::Error::new(io::ErrorKind::InvalidData, error);
        let length = image.bytes().len();
        let elf = ElfFile64::<object::Endianness>::parse(image.bytes()).map_err(no_elf)?;
        let endian = elf.endian();
        let headers = elf.elf_header().program_headers(endian, image.bytes());
        let headers = headers.map_err(no_elf)?;
        limits::check("program headers", headers.len(), limits::MOST_HEADERS)?;
        let mut segments = Vec::new();
        for header in headers {
            if header.p_type(endian) == object::elf::PT_LOAD {
                let start = header.p_vaddr(endian);
                let end = start.saturating_add(header.p_filesz(endian));
                segments.push((start..end, header.p_offset(endian)));
            }
        }
        let sections = Sections::of(&elf, length)?;
        let section = |name: &str| sections.get(name);
        let (eh_frame, eh_frame_hdr) = (section(".eh_frame"), section(".eh_frame_hdr"));
        let text = section(".text").map(|text| text.addresses);
        let got = section(".got").map(|got| got.addresses);
        let note = section(".note.gnu.build-id").filter(|note| note.is_short());
        let build_id = note.as_ref().and_then(|note| build_id(image.section(note)));
        let build_id_note = note.filter(|note| note.addresses.start > 0);
        // The first is nobody's.
        let has_symbols = section(".symtab").is_some_and(|table| table.bytes.len() > SYMBOL_BYTES);
        let debug_link = section(".gnu_debuglink").filter(Section::is_short);
        let debug_link = debug_link.and_then(|link| first_word(image.section(&link)));
        let entry = elf.entry();
        image.entry = entry;
        image.build_id_note = build_id_note;
        image.segments = segments;
        image.build_id = build_id;
        image.has_symbols = has_symbols;
        image.debug_link = debug_link;
        image.eh_frame = eh_frame;
        image.eh_frame_hdr = eh_frame_hdr;
        image.text = text;
        image.got = got;
        Ok(image)
    }

    /// All of it.
    pub(super) fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::File { map, .. } => map,
            Bytes::Copy(bytes) => bytes,
        }
    }

    /// A section's bytes that keep the file mapped.
    pub(super) fn shared(self: &Arc<Self>, section: &Section) -> SectionBytes {
        SectionBytes {
            image: Arc::clone(self),
            bytes: section.bytes.clone(),
        }
    }

    /// A section's bytes.
    pub(super) fn section(&self, section: &Section) -> &[u8] {
        &self.bytes()[section.bytes.clone()]
    }

    /// Bytes by which the file can be known in memory, and their address as the file states it:
    /// its build id or, without one, its code at `address`.
    pub(super) fn mark(&self, address: u64) -> Option<(u64, &[u8])> {
        const CODE_BYTES: usize = 32;
        match &self.build_id_note {
            Some(note) => Some((note.addresses.start, self.section(note))),
            None => Some((address, self.code(address, CODE_BYTES)?)),
        }
    }

    /// Up to `most` bytes of code from an address as the file states it.
    pub(super) fn code(&self, address: u64, most: usize) -> Option<&[u8]> {
        let loaded = |(range, _): &&(Range<u64>, u64)| range.contains(&address);
        let (range, offset) = self.segments.iter().find(loaded)?;
        let start = usize::try_from(offset.checked_add(address - range.start)?).ok()?;
        let length = most.min(usize::try_from(range.end - address).ok()?);
        self.bytes().get(start..start.checked_add(length)?)
    }

    /// Whether an address as the file states it is in the code that begins the program: nothing
    /// has called it. (The dynamic linker's has no unwind table that would say so.)
    pub(super) fn is_beginning(&self, address: u64) -> bool {
        const ENTRY_BYTES: u64 = 64;
        self.entry != 0 && address.wrapping_sub(self.entry) < ENTRY_BYTES
    }

    /// What has to be added to an address in the file to get the one in a process that has mapped
    /// the file from `offset` on at `start`; `None` if the file doesn't ask for such a mapping.
    pub(super) fn bias(&self, start: u64, offset: u64) -> Option<u64> {
        const PAGE: u64 = 4096;
        for (range, in_file) in &self.segments {
            let from = in_file & !(PAGE - 1);
            let to = in_file.saturating_add(range.end - range.start);
            if (from..to).contains(&offset) {
                let stated = range.start.wrapping_sub(in_file - from);
                let stated = stated.wrapping_add(offset - from);
                return Some(start.wrapping_sub(stated));
            }
        }
        None
    }

    /// A path by which this program can open the file again, wherever it came from.
    pub(super) fn path(&self) -> Option<PathBuf> {
        match &self.bytes {
            Bytes::File { file, .. } => Some(format!("/proc/self/fd/{}", file.as_raw_fd()).into()),
            Bytes::Copy(_) => None,
        }
    }
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
