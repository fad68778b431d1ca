//! A process of which is known what it keeps.

use std::ops::RangeInclusive;
use std::path::Path;
use std::process::Command;

use crate::common::compiled;
use suite::answering::Answering;

/// Bytes of a block.
const BLOCK: u64 = 16384;
/// Of so many blocks one stays in use.
const KEPT: u64 = 64;

/// A running `keeps`; it ends with the value.
pub struct Keeps {
    program: Answering,
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
        Self::started(Command::new(program), how, blocks, mappings)
    }

    /// The same of a command, which may be run by somebody else.
    pub fn started(mut command: Command, how: &str, blocks: u64, mappings: u64) -> Self {
        command.args([how, &blocks.to_string(), &mappings.to_string()]);
        let mut program = Answering::start(undisturbed(&mut command));
        assert_eq!(program.hear(), "ready", "{how} {blocks} {mappings}");
        Self { program, blocks }
    }

    pub fn pid(&self) -> i32 {
        self.program.pid()
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
        self.program.child.kill().expect("it is a child");
        suite::waiting::ended(&mut self.program.child);
    }
}

/// A command whose malloc nothing in these surroundings changes.
pub fn undisturbed(command: &mut Command) -> &mut Command {
    command.env_remove("GLIBC_TUNABLES").env_remove("LD_PRELOAD")
}
