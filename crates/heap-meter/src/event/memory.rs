//! What a process had before it asked for anything.

use std::ops::Range;

/// The private writable memory of a process at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// By address, in rising order, neighbours as one; without the main thread's stack, which
    /// grows by itself.
    pub ranges: Vec<Range<u64>>,
    /// Where the program break is, rounded up to a page; `None` if it could not be found.
    pub program_break: Option<u64>,
    /// The files of which a part is mapped to be executed: the program itself and its libraries.
    pub executed_files: Vec<Vec<u8>>,
}
