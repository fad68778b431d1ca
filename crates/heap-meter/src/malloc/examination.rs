//! What was found in one process.

use std::path::PathBuf;

use super::allocator::Allocator;
use super::image::Image;
use super::state::State;
use super::unknown::Unknown;

/// What was found in one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examination {
    /// Whose malloc it is; `None` if nothing known was recognised. It is glibc's if that is in use,
    /// also beside another.
    pub allocator: Option<Allocator>,
    /// Other allocators that are mapped too (a preloaded jemalloc beside glibc, …).
    pub others: Vec<Allocator>,
    /// Its state, or why it isn't known.
    pub state: Result<State, Unknown>,
    /// The library or program that glibc's malloc is in, if it was found.
    pub library: Option<Library>,
}

/// A file that has a malloc, and where it is mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// As the process sees it: below its own root directory.
    pub path: PathBuf,
    /// Where the file's beginning is mapped: what is added to a symbol's value in a shared library
    /// or position-independent program to get its address.
    pub start: u64,
    /// A place in the file that is mapped and can be read by way of `/proc/PID/map_files`, also if
    /// the file was replaced or deleted: first and last address but one.
    pub mapping: (u64, u64),
    /// The inode, to tell the file from another one at the same path.
    pub inode: u64,
}

impl Library {
    pub(super) fn of(image: &Image) -> Self {
        Self {
            path: image.path.clone(),
            start: image.start,
            mapping: (image.mapping.start, image.mapping.end),
            inode: image.inode,
        }
    }
}

impl Examination {
    pub(super) fn unknown(why: Unknown) -> Self {
        Self::of(Vec::new(), Err(why))
    }

    /// Without glibc's malloc: the first of the others is the process's.
    pub(super) fn of(mut others: Vec<Allocator>, state: Result<State, Unknown>) -> Self {
        let allocator = (!others.is_empty()).then(|| others.remove(0));
        Self {
            allocator,
            others,
            state,
            library: None,
        }
    }

    /// With it; but one that isn't used is not the process's.
    pub(super) fn glibc(
        allocator: Allocator,
        others: Vec<Allocator>,
        state: Result<State, Unknown>,
        library: Library,
    ) -> Self {
        let unused = matches!(state, Err(Unknown::Other(_)));
        let mut examination = if unused {
            let mut examination = Self::of(others, state);
            examination.others.push(allocator);
            examination
        } else {
            Self {
                allocator: Some(allocator),
                others,
                state,
                library: None,
            }
        };
        examination.library = Some(library);
        examination
    }
}
