//! A list of mappings, line by line, in constant memory.

use std::io::{self, BufRead, Read};

use super::line::parse_line;
use super::mapping::Mapping;
use crate::process::{Process, ProcessError};

/// Longest line that is accepted, in bytes: a path of `PATH_MAX` (4,096) whose every byte is
/// escaped takes 16 KiB. Without a limit, bytes that never hold a newline would be kept whole.
const MAX_LINE_BYTES: u64 = 32 * 1024;

/// Reads `/proc/PID/maps`, or a copy of one, from any buffered reader.
///
/// It keeps one line at a time, so a list of millions of mappings needs no more memory than one of
/// ten. What it yields borrows from that line, which is why it is no `Iterator`.
///
/// ```
/// let list: &[u8] = b"00400000-00401000 r-xp 00000000 fe:00 7    /bin/true\n";
/// let mut maps = proc_memory::Maps::new(list);
/// while let Some(mapping) = maps.next_mapping()? {
///     assert_eq!(mapping.length_bytes(), 4096);
/// }
/// # Ok::<(), proc_memory::MapsError>(())
/// ```
#[derive(Debug)]
pub struct Maps<R> {
    reader: R,
    line: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Maps<R> {
    /// Reads from `reader`.
    pub fn new(reader: R) -> Self {
        Self { reader, line: Vec::new(), number: 0 }
    }

    /// The next mapping, or `None` at the end.
    ///
    /// # Errors
    /// When reading fails, or for a line that the kernel would not write; after the latter the
    /// next call goes on with the next line.
    pub fn next_mapping(&mut self) -> Result<Option<Mapping<&[u8]>>, MapsError> {
        self.line.clear();
        self.number += 1;
        let mut limited = (&mut self.reader).take(MAX_LINE_BYTES);
        if limited.read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        let whole = self.line.ends_with(b"\n") || limited.limit() > 0;
        let line = self.number;
        if !whole {
            self.reader.skip_until(b'\n')?;
            return Err(MapsError::Line { line, what: "the line is longer than any path" });
        }
        parse_line(&self.line).map(Some).map_err(|what| MapsError::Line { line, what })
    }
}

/// Why a list of mappings could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each sentence names its fields")]
pub enum MapsError {
    /// The reader failed.
    #[error("the list of mappings cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A line is not in the format of `/proc/PID/maps`.
    #[error(
        "line {line} is not in the format of /proc/PID/maps (`start-end rwxp offset major:minor \
         inode name`): {what}"
    )]
    Line { line: u64, what: &'static str },
}

impl MapsError {
    /// The same, said of a process's own list.
    pub fn of(self, process: &Process) -> ProcessError {
        match self {
            Self::Io(error) => process.explain("maps", error),
            Self::Line { what, .. } => process.malformed("maps", what),
        }
    }
}
