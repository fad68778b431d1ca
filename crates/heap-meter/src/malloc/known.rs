//! What is worth remembering of a file that processes have mapped.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::allocator::Allocator;
use super::file;
use super::image::Image;
use super::layout::Layout;
use super::recognise;
use crate::process::Process;

/// Files that are remembered at most.
const MOST_FILES: usize = 10_000;

/// What is remembered of each file.
#[derive(Debug, Default)]
pub(super) struct Files(HashMap<(u32, u32, u64), Known>);

/// What is remembered of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) version: Option<String>,
    /// Allocators that it has in itself.
    pub(super) allocators: Vec<Allocator>,
    /// Where the main arena is, from the beginning of the image's data.
    pub(super) arena: Option<(&'static Layout, u64)>,
}

impl Files {
    /// What is known of a file, which is read the first time.
    pub(super) fn of(&mut self, process: &Process, image: &Image) -> &mut Known {
        if self.0.len() >= MOST_FILES {
            self.0.clear();
        }
        let key = (image.device.major, image.device.minor, image.inode);
        self.0
            .entry(key)
            .or_insert_with(|| Known::read(process, image))
    }
}

impl Known {
    fn read(process: &Process, image: &Image) -> Self {
        let mut known = Self::default();
        let is_glibc = recognise::is_glibc(image.name());
        let whole = file::read(process, image, |piece| {
            if is_glibc {
                known.version = file::glibc_version(piece);
            } else {
                recognise::by_words(piece, &mut known.allocators);
            }
            match known.version {
                Some(_) => ControlFlow::Break(()),
                None => ControlFlow::Continue(()),
            }
        });
        whole.map_or_else(Self::default, |()| known)
    }
}
