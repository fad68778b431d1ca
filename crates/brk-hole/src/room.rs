//! How far the break could still grow, and what would stop it.

use crate::own_maps;
use crate::program_break::{page_size, program_break};
use std::io;
use std::ops::Range;

/// The free space above the break of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Room {
    /// The break when the mappings were read.
    pub program_break: usize,
    /// Bytes between the break, rounded up to a page, and the next mapping above it.
    ///
    /// The kernel keeps the last page of it free (Linux `mm/mmap.c`, `SYSCALL_DEFINE1(brk)`, asks
    /// for `newbrk + PAGE_SIZE`), so a growth of exactly `bytes` is refused.
    pub bytes: usize,
    /// The mapping that ends the room; `None` when the break could grow to the end of the address
    /// space.
    pub blocker: Option<BreakBlocker>,
}

/// The mapping that stops the break.
///
/// Where it begins exactly at the break and is private, anonymous and writable, the kernel may have
/// joined it to the heap's own: one mapping then, named `[heap]`, begins below the break and ends
/// above it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakBlocker {
    /// Addresses from its first byte to the one after its last.
    pub range: Range<usize>,
    /// As the kernel writes them: `rwxp`, `---p`.
    pub permissions: String,
    /// Path or pseudo-path (`[stack]`) as bytes may spell it, lossily; empty when anonymous.
    pub name: String,
}

impl Room {
    /// Reads it from `/proc/self/maps`, without touching the heap until the answer is known.
    ///
    /// # Errors
    /// When `/proc` is not mounted or can't be read.
    ///
    /// # References
    /// proc_pid_maps(5).
    pub fn now() -> io::Result<Self> {
        let program_break = program_break();
        let floor = program_break.next_multiple_of(page_size());
        let blocker = own_maps::find(|line| {
            (line.end > floor).then(|| BreakBlocker {
                range: line.start..line.end,
                permissions: String::from_utf8_lossy(line.permissions).into_owned(),
                name: String::from_utf8_lossy(line.name).into_owned(),
            })
        })?;
        let end = blocker.as_ref().map_or(usize::MAX, |blocker| blocker.range.start);
        Ok(Self { program_break, bytes: end.saturating_sub(floor), blocker })
    }
}
