//! A process of which is known what it keeps.

use std::io::{BufRead, BufReader};
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::common::compiled;

/// Bytes of a block.
const BLOCK: u64 = 16384;
/// Of so many blocks one stays in use.
const KEPT: u64 = 64;

/// A running `keeps`; it ends with the value.
pub struct Keeps {
    child: Child,
    blocks: u64,
}

impl Keeps {
    /// One whose break is free.
    pub fn free(blocks: u64) -> Self {
        Self::start(&compiled("keeps"), "free", blocks, 0)
    }

    /// One with a page mapped at its break.
    pub fn blocked(blocks: u64) -> Self {
        Self::start(&compiled("keeps"), "hole", blocks, 0)
    }

    /// A program that is `keeps`, and waits until it has done its work.
    pub fn start(program: &Path, how: &str, blocks: u64, mappings: u64) -> Self {
        let mut child = Command::new(program)
            .args([how, &blocks.to_string(), &mappings.to_string()])
            .env_remove("GLIBC_TUNABLES")
            .env_remove("LD_PRELOAD")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it was compiled");
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("it is a pipe");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("a line comes");
        assert_eq!(line, "ready\n", "{how} {blocks} {mappings}");
        Self { child, blocks }
    }

    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Its number as an argument.
    pub fn number(&self) -> String {
        self.pid().to_string()
    }

    /// What malloc_trim(0) would give back: of the 63 blocks between two that are in use, all but
    /// the pages at the ends and malloc's headers.
    pub fn returnable_bytes(&self) -> RangeInclusive<u64> {
        let gaps = self.blocks / KEPT;
        let free = (KEPT - 1) * BLOCK;
        gaps * (free - 2 * BLOCK)..=gaps * (free + BLOCK) + (1 << 20)
    }

    /// Has it end, and waits.
    pub fn end(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().expect("it is a child");
    }
}

impl Drop for Keeps {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
