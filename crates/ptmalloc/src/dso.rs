//! What is worth remembering of a file that processes have mapped.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::allocator::Allocator;
use super::file::{self, Left};
use super::layout::Layout;
use super::loaded_image::LoadedImage;
use super::memory::Unreadable;
use super::recognise;
use procmem::NotOpened;
use procmem::Process;

/// Files that are remembered at most.
const MOST_FILES: usize = 10_000;

/// What is remembered of each file.
#[derive(Debug, Default)]
pub(super) struct DsoCache(HashMap<(u32, u32, u64), DsoInfo>);

/// What is remembered of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct DsoInfo {
    /// Whether the file could be read: another process's can be, where one's could not.
    was_read: bool,
    pub(super) version: Option<String>,
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
            && let Ok((version, allocators)) = read(process, image, left)
        {
            left.check()?;
            (known.version, known.allocators) = (version, allocators);
            known.was_read = true;
        }
        Ok(known)
    }
}

/// glibc's version, where the file's name is glibc's, and else the allocators that are in it.
fn read(
    process: &Process,
    image: &LoadedImage,
    left: &mut Left,
) -> Result<(Option<String>, Vec<Allocator>), NotOpened> {
    let (mut version, mut allocators) = (None, Vec::new());
    let is_glibc = recognise::is_glibc(image.name());
    file::read(process, image, left, |piece| {
        if is_glibc {
            version = file::glibc_version(piece);
        } else {
            recognise::by_words(piece, &mut allocators);
        }
        match version {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    })?;
    Ok((version, allocators))
}
