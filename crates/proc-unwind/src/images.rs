//! The files that watched processes have mapped, each opened once for all of them.

use std::collections::{BTreeSet, HashMap};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use super::image::{Content, UnwindImage};

/// So many files are kept open at most; those in use stay open beyond it.
const MOST_IMAGES: usize = 256;
/// So much is kept of their tables; those in use are kept, and no others read beyond it.
const MOST_TABLE_BYTES: usize = 256 << 20;
/// So many files that could not be opened are told by name.
const MOST_NAMED: usize = 4;

/// Which file, and which state of it.
#[derive(PartialEq, Eq, Hash)]
struct Identity {
    device: u64,
    inode: u64,
    size_bytes: u64,
    modified: (i64, i64),
}

/// Opened files, and those that could not be.
#[derive(Default)]
pub(super) struct UnwindImages {
    files: HashMap<Identity, Arc<UnwindImage>>,
    vdso: Option<Arc<UnwindImage>>,
    opened: u64,
    /// What could not be opened: path and reason.
    closed: BTreeSet<String>,
}

impl UnwindImages {
    /// The image of an open file.
    ///
    /// # Errors
    /// If it isn't a 64-bit ELF file, or too much is kept of others.
    pub(super) fn open(
        &mut self,
        file: File,
        metadata: &Metadata,
        name: Box<str>,
    ) -> io::Result<Arc<UnwindImage>> {
        let identity = Identity {
            device: metadata.dev(),
            inode: metadata.ino(),
            size_bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        };
        if let Some(image) = self.files.get(&identity) {
            return Ok(Arc::clone(image));
        }
        if self.files.len() >= MOST_IMAGES || self.table_bytes() >= MOST_TABLE_BYTES {
            self.files.retain(|_, image| Arc::strong_count(image) > 1);
        }
        if self.table_bytes() >= MOST_TABLE_BYTES {
            let why = "other files' tables take all the memory that this is worth";
            return Err(io::Error::new(io::ErrorKind::OutOfMemory, why));
        }
        let image = Arc::new(UnwindImage::of(Content::File(file), self.next_id(), name)?);
        self.files.insert(identity, Arc::clone(&image));
        Ok(image)
    }

    /// The image of the kernel's own library, which is the same in all processes that haven't
    /// written to theirs.
    ///
    /// # Errors
    /// If it isn't a 64-bit ELF file.
    pub(super) fn copied(&mut self, bytes: Vec<u8>, name: &str) -> io::Result<Arc<UnwindImage>> {
        if let Some(image) = self.vdso.as_ref().filter(|image| image.is_copy_of(&bytes)) {
            return Ok(Arc::clone(image));
        }
        let image = Arc::new(UnwindImage::of(Content::Copy(bytes), self.next_id(), name.into())?);
        self.vdso = Some(Arc::clone(&image));
        Ok(image)
    }

    fn table_bytes(&self) -> usize {
        let images = self.files.values();
        images.map(|image| image.elf.table_bytes()).sum()
    }

    fn next_id(&mut self) -> u64 {
        self.opened += 1;
        self.opened
    }

    /// Remembers a file that could not be opened.
    pub(super) fn not_opened(&mut self, path: &str, error: &io::Error) {
        // Beyond what is told and a bit more, only more of the same.
        if self.closed.len() < 1024 {
            self.closed.insert(format!("{path} ({error})"));
        }
    }

    /// What could not be opened, in a sentence.
    pub(super) fn note(&self) -> Option<String> {
        if self.closed.is_empty() {
            return None;
        }
        let named: Vec<_> = self.closed.iter().take(MOST_NAMED).cloned().collect();
        let more = match self.closed.len().saturating_sub(MOST_NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Some(format!(
            "{} mapped files could not be read, so stacks have no names there and may end there: \
             {}{more}",
            self.closed.len(),
            named.join(", "),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process can write to the page that it has.
    #[test]
    fn one_processs_vdso_is_not_anothers() {
        let mut images = UnwindImages::default();
        let mut bytes = std::fs::read("/bin/true").unwrap();
        let mut open = |bytes: &[u8]| images.copied(bytes.to_vec(), "[vdso]").unwrap().id;
        let first = open(&bytes);
        assert_eq!(open(&bytes), first);
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        assert_ne!(open(&bytes), first);
    }

    #[test]
    fn what_could_not_be_opened_is_told_once_and_counted() {
        let mut images = UnwindImages::default();
        assert_eq!(images.note(), None);
        for path in ["/a", "/a", "/b", "/c", "/d", "/e"] {
            images.not_opened(path, &io::ErrorKind::PermissionDenied.into());
        }
        let note = images.note().unwrap();
        assert!(note.starts_with("5 mapped files"), "{note}");
        assert!(note.contains("/a (permission denied), /b") && note.ends_with("and 1 more"));
    }
}
