//! Another process's memory, read in batches.

use std::ops::Range;

use nix::errno::Errno;
use thiserror::Error;

use super::limits::{Bound, ExaminationLimits};

/// Why memory couldn't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum Unreadable {
    /// Not mapped, or not readable there.
    #[error("memory that malloc uses is not mapped")]
    NotMapped,
    /// The process is gone.
    #[error("the process ended while it was read")]
    Gone,
    /// This process may not.
    #[error("no permission to read its memory")]
    Denied,
    /// It may not take longer.
    #[error("reading it would have taken longer than it may")]
    Late,
    /// There is too much of something.
    #[error(transparent)]
    Beyond(#[from] Bound),
    /// The kernel said something else.
    #[error("its memory can't be read: {0}")]
    Kernel(Errno),
}

impl From<Errno> for Unreadable {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::EFAULT => Self::NotMapped,
            Errno::ESRCH => Self::Gone,
            Errno::EPERM | Errno::EACCES => Self::Denied,
            errno => Self::Kernel(errno),
        }
    }
}

/// What can be read of a process. A trait, so that a made-up memory can be examined, too.
pub(super) trait TargetMemory {
    /// Appends the bytes of all these ranges to `into`, or fails as a whole.
    fn read(&mut self, places: &[Range<u64>], into: &mut Vec<u8>) -> Result<(), Unreadable>;

    /// Appends the bytes of one range.
    fn read_one(&mut self, place: Range<u64>, into: &mut Vec<u8>) -> Result<(), Unreadable> {
        self.read(std::slice::from_ref(&place), into)
    }

    /// Bytes of these pages that are resident and would give a page frame back: the kernel's shared
    /// page of zeros wouldn't. The ranges are of whole pages, in rising order, and do not overlap.
    fn resident_bytes(&mut self, pages: &[Range<u64>]) -> Result<u64, Unreadable>;

    /// What of these pages is resident, in the same sense and rising order; what lies between them
    /// may be told, too.
    fn resident(&mut self, pages: &[Range<u64>]) -> Result<Vec<Range<u64>>, Unreadable>;

    /// How much of it may be looked at.
    fn limits(&self) -> ExaminationLimits {
        ExaminationLimits::WHOLE
    }
}

/// One little-endian word of bytes that were read.
pub(super) fn word(bytes: &[u8], at: usize) -> u64 {
    bytes
        .get(at..at + 8)
        .and_then(|eight| eight.try_into().ok())
        .map_or(0, u64::from_le_bytes)
}
