//! What is mapped into a watched process to be executed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use framehop::{ExplicitModuleSectionInfo, Unwinder, UnwinderNative};

use super::image::UnwindImage;
use super::images::UnwindImages;
use super::memory;
use crate::elf::Table;
use proc_memory::{MappedFile, Mapping, Maps, NotOpened, Process};

/// The kernel's own library is smaller, on every architecture.
const MOST_VDSO_BYTES: u64 = 64 * 1024;

pub(super) struct CodeSpace {
    pub(super) unwinder: UnwinderNative<Arc<[u8]>, framehop::MayAllocateDuringUnwind>,
    /// By first address.
    parts: BTreeMap<u64, CodeRange>,
}

pub(super) struct CodeRange {
    range: Range<u64>,
    pub(super) holds: Holds,
}

pub(super) enum Holds {
    /// Code of a file, or of the kernel's library.
    UnwindImage(Module),
    /// Code of a file that can't be opened or read: its name.
    Closed(Box<str>),
    /// Memory without a file: code that the program made itself.
    Anonymous,
}

/// A file's code in a process.
#[derive(Clone)]
pub(super) struct Module {
    pub(super) image: Arc<UnwindImage>,
    /// Address in the process, less that in the file.
    pub(super) bias: u64,
    /// The program itself, not a library.
    pub(super) main: bool,
}

impl CodeSpace {
    /// Reads what a process has mapped now.
    ///
    /// # Errors
    /// If its list of mappings can't be read: it has ended, or may not be looked at.
    pub(super) fn read(pid: i32, images: &mut UnwindImages) -> io::Result<Self> {
        let process = Process::open(pid).map_err(io::Error::other)?;
        let maps = process.file("maps").map_err(io::Error::other)?;
        let mut maps = Maps::new(BufReader::new(maps));
        let main = std::fs::metadata(format!("/proc/{pid}/exe")).ok();
        let main = main.map(|file| (file.dev(), file.ino()));
        let mut space = Self { unwinder: UnwinderNative::new(), parts: BTreeMap::new() };
        while let Some(mapping) = maps.next_mapping().map_err(io::Error::other)? {
            // The old `[vsyscall]` page is above everything that a process has of its own.
            if mapping.permissions.execute && mapping.start < 1 << 63 {
                space.enter(&process, &mapping, main, images);
            }
        }
        Ok(space)
    }

    fn enter(
        &mut self,
        process: &Process,
        mapping: &Mapping<&[u8]>,
        main: Option<(u64, u64)>,
        images: &mut UnwindImages,
    ) {
        let range = mapping.start..mapping.end;
        let opened = if mapping.name == b"[vdso]" {
            let length = mapping.length_bytes().min(MOST_VDSO_BYTES);
            let bytes = memory::read(process.pid(), mapping.start, length);
            bytes.map_or_else(
                || Err(io::ErrorKind::NotFound.into()),
                |bytes| images.copied(bytes, "[vdso]").map(|image| (image, false)),
            )
        } else if mapping.inode == 0 && mapping.path().is_none() {
            self.parts.insert(range.start, CodeRange { range, holds: Holds::Anonymous });
            return;
        } else {
            open(process, mapping).map_err(io::Error::from).and_then(|file| {
                let metadata = file.metadata()?;
                let is_main = main == Some((metadata.dev(), metadata.ino()));
                let image = images.open(file, &metadata, name(mapping).into())?;
                Ok((image, is_main))
            })
        };
        let holds = opened.and_then(|(image, main)| {
            let bias = image.elf.bias(mapping.start, mapping.offset).ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, "mapped otherwise than it asks")
            })?;
            Ok(Module { image, bias, main })
        });
        let holds = match holds {
            Ok(module) => {
                self.unwinder.add_module(for_unwinding(&module, &range));
                Holds::UnwindImage(module)
            }
            Err(error) => {
                images.not_opened(&String::from_utf8_lossy(mapping.name), &error);
                Holds::Closed(name(mapping).into())
            }
        };
        self.parts.insert(range.start, CodeRange { range, holds });
    }

    /// The mapping that holds an address.
    pub(super) fn part(&self, address: u64) -> Option<&CodeRange> {
        let (_, part) = self.parts.range(..=address).next_back()?;
        part.range.contains(&address).then_some(part)
    }

    /// The file's code that an address is in.
    pub(super) fn module(&self, address: u64) -> Option<&Module> {
        match &self.part(address)?.holds {
            Holds::UnwindImage(module) => Some(module),
            Holds::Closed(_) | Holds::Anonymous => None,
        }
    }
}

impl CodeRange {
    /// Bytes from the mapping's first address.
    pub(super) fn offset(&self, address: u64) -> u64 {
        address - self.range.start
    }
}

fn name(mapping: &Mapping<&[u8]>) -> String {
    let name = mapping.name;
    let start = name.iter().rposition(|&byte| byte == b'/');
    String::from_utf8_lossy(&name[start.map_or(0, |at| at + 1)..]).into_owned()
}

fn open(process: &Process, mapping: &Mapping<&[u8]>) -> Result<File, NotOpened> {
    let path = mapping.path().ok_or(NotOpened::Gone)?;
    let file = MappedFile {
        addresses: &(mapping.start..mapping.end),
        device: mapping.device,
        inode: mapping.inode,
        path: &path,
    };
    file.open(process)
}

fn for_unwinding(module: &Module, range: &Range<u64>) -> framehop::Module<Arc<[u8]>> {
    let elf = &module.image.elf;
    let addresses = |table: &Option<Table>| table.as_ref().map(|table| table.addresses.clone());
    let bytes = |table: &Option<Table>| table.as_ref().map(|table| Arc::clone(&table.bytes));
    let sections = ExplicitModuleSectionInfo {
        base_svma: 0,
        text_svma: elf.text.clone(),
        text: None,
        stubs_svma: None,
        stub_helper_svma: None,
        unwind_info: None,
        debug_frame: None,
        text_segment_svma: None,
        text_segment: None,
        got_svma: elf.got.clone(),
        eh_frame_svma: addresses(&elf.eh_frame),
        eh_frame: bytes(&elf.eh_frame),
        eh_frame_hdr_svma: addresses(&elf.eh_frame_hdr),
        eh_frame_hdr: bytes(&elf.eh_frame_hdr),
    };
    let name = module.image.name.to_string();
    framehop::Module::new(name, range.clone(), module.bias, sections)
}
