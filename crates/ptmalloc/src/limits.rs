//! What looking into one process may cost, whatever the process has made big.

use std::time::Duration;

use thiserror::Error;

/// What looking into one process may cost. Beyond it the answer is
/// [`Unknown::Costly`](super::Unknown::Costly), which says what there was too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExaminationLimits {
    /// Time on the clock.
    pub time: Duration,
    /// Time of the processor: on a machine that is busy with other things it is much less.
    pub work: Duration,
    /// Bytes of the files in which an allocator may be, as far as they aren't known from another
    /// process.
    pub file_bytes: u64,
    /// Arenas, or what seem to be some.
    pub arenas: usize,
    /// Free chunks of one arena.
    pub chunks: usize,
}

impl ExaminationLimits {
    /// Of a process that was asked for: some hundred MiB of memory at most, and some seconds.
    pub const WHOLE: Self = Self {
        time: Duration::from_secs(20),
        work: Duration::from_secs(20),
        file_bytes: 256 << 20,
        arenas: 8192,
        chunks: 4_000_000,
    };

    /// Of one of many, several of which are looked at at a time: some MiB of memory and some
    /// milliseconds, in which most processes are known.
    pub const BRIEF: Self = Self {
        time: Duration::from_millis(300),
        work: Duration::from_millis(30),
        file_bytes: 64 << 20,
        arenas: 256,
        chunks: 100_000,
    };
}

impl Default for ExaminationLimits {
    fn default() -> Self {
        Self::WHOLE
    }
}

/// What there is too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Bound {
    /// It takes too long.
    #[error("to read it takes longer than {0:?}, and it gets no more time here")]
    Time(Duration),
    /// Files.
    #[error("its program and libraries have more than {0} bytes to be searched for an allocator")]
    DsoCache(u64),
    /// Variables, none of which is the main arena as far as they were searched.
    #[error(
        "its C library or program has more than {0} bytes of variables to be searched for malloc's main arena"
    )]
    Data(u64),
    /// Places that look like the main arena.
    #[error("more than {0} places in its C library look like malloc's main arena")]
    Candidates(usize),
    /// Arenas.
    #[error("it has more than {0} arenas, the most that are looked at here")]
    Arenas(usize),
    /// Free chunks.
    #[error("an arena has more than {0} free chunks, the most that are looked at here")]
    Chunks(usize),
}
