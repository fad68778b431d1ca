//! One opening of a file, from its open to its close, and what those by one program came to.

use std::time::Duration;

/// What is made of a file takes so many times its bytes at most: more memory than that was asked
/// for by somebody who happened to have the file open.
///
/// A certificate takes 4 times its PEM text in OpenSSL, JSON in Python some 10 to 50 times.
const MOST_MADE_OF_A_BYTE: u64 = 128;

/// A file's number in the table of files.
pub(super) type FileId = usize;

/// One opening of a file, from its open on.
#[derive(Clone, Debug, Default)]
pub(super) struct Opening {
    pub(super) file: FileId,
    pub(super) fd: i32,
    /// Bytes that were asked for and given back while it was the one being read.
    pub(super) asked_bytes: u64,
    pub(super) returned_bytes: u64,
    /// Bytes that were read of it; `None` if nobody told.
    pub(super) read_bytes: Option<u64>,
    /// It is mapped: what is read of it in this way, nobody can tell.
    pub(super) is_mapped: bool,
    /// How long it was the one being read.
    pub(super) time: Duration,
    /// Once it has ended: all of its program's, this one included.
    pub(super) by_one: OpeningsByOne,
}

impl Opening {
    /// What was asked for, less what was given back.
    pub(super) fn grown_bytes(&self) -> i64 {
        let [asked, returned] = [self.asked_bytes, self.returned_bytes]
            .map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
        asked - returned
    }

    /// Whether so much growth can come of what was read.
    pub(super) fn is_explained(&self) -> bool {
        self.read_bytes.is_none_or(|bytes| explains(bytes, self.grown_bytes()))
    }
}

/// The openings of a file by one program, as far as memory goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpeningsByOne {
    /// How often it opened the file for reading.
    pub opens: u64,
    /// At how many of those that have ended more memory was asked for than was given back.
    pub grown: u64,
    /// Bytes that were asked for meanwhile.
    pub asked_bytes: u64,
    /// Bytes that were given back meanwhile.
    pub returned_bytes: u64,
}

impl OpeningsByOne {
    /// What reading left behind.
    pub fn bytes(&self) -> u64 {
        self.asked_bytes.saturating_sub(self.returned_bytes)
    }

    /// Whether more than half of them made memory grow.
    pub fn most_grew(&self) -> bool {
        self.grown > self.opens / 2
    }

    pub(super) fn ended(&mut self, opening: &Opening) {
        self.grown += u64::from(opening.grown_bytes() > 0);
        self.asked_bytes = self.asked_bytes.saturating_add(opening.asked_bytes);
        self.returned_bytes = self.returned_bytes.saturating_add(opening.returned_bytes);
    }
}

/// Whether so much growth can come of reading so many bytes.
fn explains(read_bytes: u64, grown_bytes: i64) -> bool {
    grown_bytes <= 0 || read_bytes.saturating_mul(MOST_MADE_OF_A_BYTE) >= grown_bytes.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_bytes_explain_some_growth() {
        assert!(explains(220_000, 830 << 10));
        assert!(explains(0, 0) && explains(0, -4096));
        assert!(!explains(12, 132 << 10), "a host's name");
        assert!(!explains(0, 4096));
    }
}
