//! What benches feed: bundles of several sizes, cut from the machine's own, and an strace log of any
//! length, such as `strace -f -p` writes of a server that loads a bundle again and again.
//!
//! The lines are those of real logs: a file is opened, mapped a buffer, read in pieces of 4 KiB,
//! closed; every nine reads the break grows or, once it has met its hole, a refused `brk` and an
//! `mmap`. After 64 files everything is given back, and the same comes again, from the question where
//! the break is on.

use anyhow::Context;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    pub certificates: usize,
    pub path: PathBuf,
}

/// Writes bundles of the first 1, the first 10 and all certificates of `source` to `directory`.
/// Sizes that `source` doesn't reach are left out.
///
/// # Errors
/// When the source can't be read or holds no certificate, or a bundle can't be written.
pub fn cut_bundles(source: &Path, directory: &Path) -> anyhow::Result<Vec<Bundle>> {
    let bytes = fs::read(source).with_context(|| format!("can't read {}", source.display()))?;
    let text = String::from_utf8_lossy(&bytes);
    let blocks = blocks(&text);
    anyhow::ensure!(!blocks.is_empty(), "{} holds no certificate in PEM form", source.display());
    let mut sizes = vec![1, 10, blocks.len()];
    sizes.retain(|&size| size <= blocks.len());
    sizes.dedup();
    let write = |certificates| {
        let path = directory.join(format!("{certificates}.pem"));
        fs::write(&path, blocks[..certificates].concat())
            .with_context(|| format!("can't write {}", path.display()))?;
        Ok(Bundle { certificates, path })
    };
    sizes.into_iter().map(write).collect()
}

/// The certificates of a PEM file, each with its first and last line.
fn blocks(text: &str) -> Vec<String> {
    let after_begin = text.split(BEGIN).skip(1);
    let bodies = after_begin.filter_map(|rest| rest.split_once(END));
    bodies.map(|(body, _)| format!("{BEGIN}{body}{END}\n")).collect()
}

/// So often a block opens the bundle.
const BLOCK_OPENS: u64 = 64;
/// A bundle of about 220,000 bytes.
const READS: u64 = 54;
const READS_TO_A_GROWTH: u64 = 9;
/// So often the break grows before it meets its hole.
const ROOM: u64 = 200;
const STEP: u64 = 0x2_1000;
const START: u64 = 0x026b_2000;

/// What a log holds, as whoever reads it should find it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    pub bytes: u64,
    pub lines: u64,
    /// Lines that tell of a `brk`.
    pub brks: u64,
    /// Of these, refused ones.
    pub refused: u64,
}

/// Writes whole blocks until the log has at least so many bytes.
///
/// # Errors
/// When it can't be written.
pub fn write_log(bytes: u64, to: &mut impl Write) -> io::Result<Contents> {
    let (block, of_block) = block();
    let mut contents = Contents::default();
    while contents.bytes < bytes {
        to.write_all(block.as_bytes())?;
        contents.bytes += of_block.bytes;
        contents.lines += of_block.lines;
        contents.brks += of_block.brks;
        contents.refused += of_block.refused;
    }
    to.flush()?;
    Ok(contents)
}

/// One block, and what it holds.
fn block() -> (String, Contents) {
    let mut block = Block::default();
    block.ask();
    for _ in 0..BLOCK_OPENS {
        block.open();
    }
    block.give_back();
    let contents = Contents {
        bytes: block.text.len() as u64,
        lines: block.text.lines().count() as u64,
        ..block.contents
    };
    (block.text, contents)
}

#[derive(Default)]
struct Block {
    text: String,
    contents: Contents,
    mapped: u64,
    random: u64,
}

impl Block {
    fn line(&mut self, call: &str, result: impl AsRef<str>) {
        // As strace aligns it.
        let line = writeln!(self.text, "[pid 31774] {call:<24} = {}", result.as_ref());
        line.expect("a string takes everything");
    }

    /// A log that begins with a break that has grown shows in the end that it shrank below that.
    fn ask(&mut self) {
        self.contents.brks += 1;
        self.line("brk(NULL)", format!("{START:#x}"));
    }

    fn open(&mut self) {
        let path = "/etc/ssl/certs/ca-certificates.crt";
        self.line(&format!("open(\"{path}\", O_RDONLY)"), "5");
        let status = "fstat(5, {st_mode=S_IFREG|0644, st_size=219597, ...})";
        self.line(status, "0");
        self.map(4096, 0x7f6d_c826_6000);
        for read in 0..READS {
            let bytes = if read + 1 == READS { 2509 } else { 4096 };
            let call = format!("read(5, \"{}\"..., 4096)", self.certificate());
            self.line(&call, bytes.to_string());
            if read % READS_TO_A_GROWTH == 0 {
                self.grow();
            }
        }
        self.line("read(5, \"\", 4096)", "0");
        self.line("close(5)", "0");
        self.line("munmap(0x7f6dc8266000, 4096)", "0");
    }

    fn grow(&mut self) {
        let grown = (self.contents.brks - 1).min(ROOM);
        let now = START + grown * STEP;
        let wanted = now + STEP;
        self.contents.brks += 1;
        if grown < ROOM {
            return self.line(&format!("brk({wanted:#x})"), format!("{wanted:#x}"));
        }
        self.contents.refused += 1;
        self.line(&format!("brk({wanted:#x})"), format!("{now:#x}"));
        self.mapped += 1;
        self.map(1 << 20, 0x7f6c_927c_3000 - self.mapped * (1 << 20));
    }

    fn map(&mut self, bytes: u64, address: u64) {
        let how = "PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0";
        self.line(&format!("mmap(NULL, {bytes}, {how})"), format!("{address:#x}"));
    }

    fn give_back(&mut self) {
        for number in 1..=self.mapped {
            let address = 0x7f6c_927c_3000 - number * (1 << 20);
            self.line(&format!("munmap({address:#x}, 1048576)"), "0");
        }
        self.contents.brks += 1;
        self.line(&format!("brk({START:#x})"), format!("{START:#x}"));
    }

    /// 32 letters of a certificate, as strace shows the beginning of what was read.
    fn certificate(&mut self) -> String {
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let letter = |_| {
            self.random = self.random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            char::from(letters[(self.random >> 58) as usize])
        };
        (0..32).map(letter).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use heap_growth::Story;
    use memory_event::Syscall;
    use strace_log::StraceLog;

    fn source(certificates: usize) -> String {
        let block = |number| format!("# comment\n{BEGIN}\n{number}\n{END}\n\n");
        (0..certificates).map(block).collect()
    }

    #[test]
    fn bundles_hold_the_first_certificates_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let machine = place.path().join("machine");
        for (certificates, sizes) in [(12, vec![1, 10, 12]), (10, vec![1, 10]), (1, vec![1])] {
            fs::write(&machine, source(certificates)).unwrap();
            let bundles = cut_bundles(&machine, place.path()).unwrap();
            let found: Vec<usize> = bundles.iter().map(|bundle| bundle.certificates).collect();
            assert_eq!(found, sizes);
            let first = fs::read_to_string(&bundles[0].path).unwrap();
            assert_eq!(first, format!("{BEGIN}\n0\n{END}\n"));
        }
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let machine = place.path().join("machine");
        fs::write(&machine, format!("{BEGIN}\nno end")).unwrap();
        let error = cut_bundles(&machine, place.path()).unwrap_err();
        assert!(error.to_string().contains("no certificate"), "{error}");
    }

    #[test]
    fn what_was_written_is_what_is_read() {
        let mut log = Vec::new();
        let contents = write_log(500_000, &mut log).unwrap();
        assert_eq!(contents.bytes, log.len() as u64);
        let mut reader = StraceLog::new(Story::default());
        reader.read("log", &log[..]).unwrap();
        let finished = reader.finish();
        assert_eq!(finished.unread.count, 0, "{:?}", finished.unread);
        assert_eq!(finished.lines, contents.lines);
        let brk = finished.sink.tally.get(Syscall::Brk);
        assert_eq!((brk.calls, brk.failed), (contents.brks, contents.refused));
        assert_eq!(finished.sink.fallback.count(), contents.refused);
        assert_eq!(finished.sink.growth.by_kind().total(), 0);
    }

    #[test]
    fn blocks_by_hand() {
        let (text, contents) = block();
        let growths = BLOCK_OPENS * READS / READS_TO_A_GROWTH;
        assert_eq!(contents.brks, growths + 2);
        assert_eq!(contents.refused, growths - ROOM);
        assert_eq!(contents.lines, BLOCK_OPENS * (READS + 6) + growths + 2 * contents.refused + 2);
        assert_eq!(text.matches("brk(").count() as u64, contents.brks);
    }
}
