//! What is worth remembering of a file that processes have mapped, and how it is read.

use std::collections::HashMap;
use std::io;
use std::io::Read;
use std::ops::ControlFlow;

use proc_memory::{NotOpened, Process};

use super::allocator;
use super::allocator::Allocator;
use super::error::Bound;
use super::error::Unreadable;
use super::layout::Layout;
use super::limits::Deadline;
use super::loaded_image::LoadedImage;

const MOST_FILES: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct DsoCache(HashMap<(u32, u32, u64), DsoInfo>);

/// What is remembered of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct DsoInfo {
    /// Whether the file could be read: another process's can be, where one's could not.
    was_read: bool,
    pub(super) version: Option<String>,
    /// Whether it is a jemalloc whose functions have another name than malloc's (`je_malloc`), as its
    /// variables in the environment have then (`JE_MALLOC_CONF`).
    pub(super) is_prefixed: bool,
    /// Allocators that it has in itself.
    pub(super) allocators: Vec<Allocator>,
    /// Where the main arena is, from the beginning of the image's data.
    pub(super) arena: Option<(&'static Layout, u64)>,
}

impl DsoCache {
    /// What is known of a file without reading it.
    pub(super) fn at(&mut self, image: &LoadedImage) -> &mut DsoInfo {
        if self.0.len() >= MOST_FILES {
            self.0.clear();
        }
        let key = (image.device.major, image.device.minor, image.inode);
        self.0.entry(key).or_default()
    }

    /// What is known of a file, which is read until that succeeds once.
    ///
    /// # Errors
    /// If nothing is `left` before the file was read as far as it has to be.
    pub(super) fn of(
        &mut self,
        process: &Process,
        image: &LoadedImage,
        left: &mut Left,
    ) -> Result<&mut DsoInfo, Unreadable> {
        let known = self.at(image);
        if !known.was_read
            && let Ok(read) = read(process, image, left)
        {
            left.check()?;
            *known = DsoInfo { arena: known.arena, ..read };
        }
        Ok(known)
    }
}

/// glibc's version, where the file's name is glibc's, and else the allocators that are in it.
fn read(process: &Process, image: &LoadedImage, left: &mut Left) -> Result<DsoInfo, NotOpened> {
    let mut read = DsoInfo { was_read: true, ..DsoInfo::default() };
    let is_glibc = allocator::is_glibc(image.name());
    look_through(process, image, left, |piece| {
        if is_glibc {
            read.version = glibc_version(piece);
        } else {
            allocator::by_words(piece, &mut read.allocators);
            read.is_prefixed |= memchr::memmem::find(piece, b"_MALLOC_CONF\0").is_some();
        }
        match read.version {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    })?;
    Ok(read)
}

/// Files are read as far as this.
const MOST_BYTES: u64 = 64 << 20;

/// So much of a file is in memory at once.
const PIECE_BYTES: usize = 1 << 20;

/// Each piece begins with so many bytes of the one before: more than anything that is looked for.
const OVERLAP_BYTES: usize = 512;

/// Shows the file that is mapped, piece by piece, until `look` has enough or nothing is left of the
/// bytes that may be read, which are counted down.
///
/// # Errors
/// If it can't be had, or can't be read.
fn look_through(
    process: &Process,
    image: &LoadedImage,
    left: &mut Left,
    look: impl FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<(), NotOpened> {
    let file = image.file().open(process)?;
    Ok(pieces(file.take(MOST_BYTES), left, look)?)
}

/// What is left of what may be read of one process's files.
#[derive(Debug)]
pub(super) struct Left {
    bytes: u64,
    deadline: Deadline,
}

impl Left {
    /// All that one process gets.
    pub(super) fn all(deadline: Deadline) -> Self {
        Self { bytes: deadline.limits().file_bytes, deadline }
    }

    /// Fails if nothing more may be read.
    pub(super) fn check(&self) -> Result<(), Unreadable> {
        match self.bytes {
            0 => Err(Bound::FileBytes(self.deadline.limits().file_bytes).into()),
            _ => self.deadline.check(),
        }
    }
}

fn pieces(
    mut file: impl Read,
    left: &mut Left,
    mut look: impl FnMut(&[u8]) -> ControlFlow<()>,
) -> io::Result<()> {
    let mut piece = Vec::with_capacity(PIECE_BYTES + OVERLAP_BYTES);
    loop {
        let length = (&mut file).take(PIECE_BYTES as u64).read_to_end(&mut piece)?;
        left.bytes = left.bytes.saturating_sub(length as u64);
        if length == 0 || left.check().is_err() || look(&piece).is_break() {
            return Ok(());
        }
        let done = piece.len().saturating_sub(OVERLAP_BYTES);
        piece.drain(..done);
    }
}

/// The version that glibc states of itself, such as `2.36`; none if the line isn't whole.
fn glibc_version(bytes: &[u8]) -> Option<String> {
    let banner = memchr::memmem::find(bytes, b"GNU C Library (")?;
    let line = &bytes[banner..];
    let line = &line[..memchr::memchr(b'\n', &line[..line.len().min(OVERLAP_BYTES)])?];
    let line = std::str::from_utf8(line).ok()?;
    let (_, after) = line.split_once(" version ")?;
    let version: String =
        after.chars().take_while(|letter| letter.is_ascii_digit() || *letter == '.').collect();
    let version = version.trim_end_matches('.');
    (!version.is_empty()).then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::ExaminationLimits;

    #[test]
    fn the_version_is_the_banners() {
        let version = |text: &str| glibc_version(text.as_bytes());
        assert_eq!(
            version(
                "..GNU C Library (Debian GLIBC 2.36-9+deb12u14) stable release version 2.36.\nC"
            ),
            Some("2.36".to_owned())
        );
        assert_eq!(
            version("GNU C Library (GNU libc) development release version 2.43.9000.\n"),
            Some("2.43.9000".to_owned())
        );
        assert_eq!(version("GNU C Library ("), None);
        assert_eq!(version("GNU C Library (x) version 2.3"), None, "cut off");
        assert_eq!(version("GNU C Library (x) version \n1"), None);
    }

    #[test]
    fn every_word_is_whole_in_some_piece() {
        let word = [b'w'; OVERLAP_BYTES];
        for at in [0, PIECE_BYTES - 1, PIECE_BYTES - 200, PIECE_BYTES, 3 * PIECE_BYTES] {
            let mut file = vec![0; at];
            file.extend_from_slice(&word);
            file.extend_from_slice(&[0; 100]);
            let (mut found, mut seen) = (false, 0);
            let mut left = Left::all(Deadline::new(ExaminationLimits::WHOLE, None));
            let looked = pieces(&file[..], &mut left, |piece| {
                found |= memchr::memmem::find(piece, &word).is_some();
                seen += 1;
                ControlFlow::Continue(())
            });
            assert!(looked.is_ok() && found, "{at}");
            assert_eq!(seen, file.len().div_ceil(PIECE_BYTES), "{at}");
        }
    }
}
