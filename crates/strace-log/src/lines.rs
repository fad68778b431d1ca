//! Cuts an input into lines without ever holding more than a bounded part of one.

use std::io::{self, Read};
use std::ops::Range;

/// What is kept of a line. strace's longest lines of interest hold one path (4 KiB, each byte
/// possibly written as four).
pub(super) const LONGEST_BYTES: usize = 64 * 1024;

/// The lines of one input.
#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    /// What was read and not yet given away.
    start: usize,
    end: usize,
    /// Lines of which a part was passed over.
    pub(super) cut: u64,
    /// The input ended before its end, as compressed data do of which a part is missing.
    pub(super) ended_early: bool,
}

impl<R: Read> Lines<R> {
    /// Reads so many bytes at a time. Longer lines make the buffer grow, up to twice
    /// [`LONGEST_BYTES`].
    pub(super) fn new(input: R, buffer_bytes: usize) -> Self {
        Self { input, buffer: vec![0; buffer_bytes], start: 0, end: 0, cut: 0, ended_early: false }
    }

    /// What the input begins with: as much as the buffer takes, or all of it.
    pub(super) fn beginning(&mut self) -> io::Result<&[u8]> {
        while self.end < self.buffer.len() && self.read()? > 0 {}
        Ok(&self.buffer[self.start..self.end])
    }

    /// Passes over so many bytes of the beginning.
    pub(super) fn pass(&mut self, bytes: usize) {
        self.start += bytes;
    }

    /// The next line without its end.
    #[inline]
    pub(super) fn next_line(&mut self) -> io::Result<Option<&[u8]>> {
        let ready = &self.buffer[self.start..self.end];
        let line = match memchr::memchr(b'\n', ready) {
            Some(length) => {
                let from = self.start;
                self.start += length + 1;
                from..from + length
            }
            None => match self.read_line()? {
                Some(line) => line,
                None => return Ok(None),
            },
        };
        let kept = line.start..line.end.min(line.start + LONGEST_BYTES);
        self.cut += u64::from(kept.end < line.end);
        Ok(Some(without_return(&self.buffer[kept])))
    }

    /// A line whose end hasn't been read yet; where it lies in the buffer.
    fn read_line(&mut self) -> io::Result<Option<Range<usize>>> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        loop {
            if self.end == self.buffer.len() {
                if self.end >= 2 * LONGEST_BYTES {
                    return self.pass_over().map(Some);
                }
                let longer = (2 * self.end).clamp(1, 2 * LONGEST_BYTES);
                self.buffer.resize(longer, 0);
            }
            let before = self.end;
            if self.read()? == 0 {
                self.start = self.end;
                return Ok((self.end > 0).then_some(0..self.end));
            }
            if let Some(length) = memchr::memchr(b'\n', &self.buffer[before..self.end]) {
                self.start = before + length + 1;
                return Ok(Some(0..before + length));
            }
        }
    }

    /// Finds the end of a line that fills the whole buffer. Gives its beginning.
    fn pass_over(&mut self) -> io::Result<Range<usize>> {
        self.cut += 1;
        loop {
            self.end = LONGEST_BYTES;
            let read = self.read()?;
            let end = memchr::memchr(b'\n', &self.buffer[LONGEST_BYTES..self.end]);
            if read == 0 || end.is_some() {
                self.start = end.map_or(self.end, |end| LONGEST_BYTES + end + 1);
                return Ok(0..LONGEST_BYTES);
            }
        }
    }

    /// Reads once. 0 at the input's end.
    fn read(&mut self) -> io::Result<usize> {
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(count) => {
                    self.end += count;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    self.ended_early = true;
                    return Ok(0);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(text: &[u8], buffer: usize) -> (Vec<usize>, u64) {
        let mut lines = Lines::new(text, buffer);
        let mut lengths = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            lengths.push(line.len());
        }
        (lengths, lines.cut)
    }

    #[test]
    fn however_the_buffer_cuts_them() {
        for buffer in [1, 2, 3, 5, 100] {
            let text = b"one\r\n\nthree\nlast";
            assert_eq!(lengths(text, buffer), (vec![3, 0, 5, 4], 0), "{buffer}");
        }
        assert_eq!(lengths(b"", 10).0, Vec::<usize>::new());
    }

    #[test]
    fn only_the_beginning_of_an_endless_line_is_kept() {
        let text = [&vec![b'x'; 1 << 20][..], b"\nbrk(0)\n"].concat();
        for buffer in [100, 1 << 16, 1 << 22] {
            assert_eq!(lengths(&text, buffer), (vec![LONGEST_BYTES, 6], 1));
        }
    }
}
