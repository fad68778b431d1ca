//! What was found in one process.

use std::path::PathBuf;

use super::allocator::Allocator;
use super::heap_state::HeapState;
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
    pub state: Result<HeapState, Unknown>,
    /// The library or program that glibc's malloc is in, if it was found; as the process sees it:
    /// below its own root directory.
    pub library: Option<PathBuf>,
}

impl Examination {
    pub(super) fn unknown(why: Unknown) -> Self {
        Self::of(Vec::new(), Err(why))
    }

    /// Without glibc's malloc: the first of the others is the process's.
    pub(super) fn of(mut others: Vec<Allocator>, state: Result<HeapState, Unknown>) -> Self {
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
        state: Result<HeapState, Unknown>,
        library: PathBuf,
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
