//! A program that is put together, and what can be wrong with it before the verifier sees it.

use std::collections::BTreeSet;

use super::Instruction;

/// A program that can be loaded once it is known which maps its names mean. It displays as
/// `bpftool prog dump xlated` shows a program, with the numbers of the instructions jumped to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    pub(super) instructions: Vec<Instruction>,
    pub(super) maps: Vec<(usize, &'static str)>,
}

impl Code {
    /// The names of the maps that it needs, each once.
    pub fn maps(&self) -> impl Iterator<Item = &'static str> {
        let names: BTreeSet<_> = self.maps.iter().map(|(_, name)| *name).collect();
        names.into_iter()
    }

    /// The instructions as the kernel takes them, each map's name replaced by a descriptor.
    /// `Err` is the name of a map that has none.
    pub(crate) fn relocated(
        &self,
        descriptor: impl Fn(&str) -> Option<i32>,
    ) -> Result<Vec<Instruction>, &'static str> {
        let mut instructions = self.instructions.clone();
        for (at, name) in &self.maps {
            instructions[*at].immediate = descriptor(name).ok_or(*name)?;
        }
        Ok(instructions)
    }
}

/// Why instructions make no program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssembleError {
    /// It jumps to a label that was never placed.
    #[error("instruction {at} jumps to a label that was never placed")]
    LabelNowhere {
        /// Which instruction, from 0.
        at: usize,
    },
    /// A label was placed twice.
    #[error("a label was placed at instruction {first} and again at {second}")]
    LabelTwice {
        /// Where it stands.
        first: usize,
        /// Where it was to stand, too.
        second: usize,
    },
    /// A jump over more than 32,767 instructions.
    #[error("instruction {at} jumps too far: over {distance} instructions")]
    TooFar {
        /// Which instruction, from 0.
        at: usize,
        /// Over how many.
        distance: i64,
    },
    /// It reads or writes beside the 512 bytes of stack below the frame pointer, or across a
    /// multiple of the width.
    #[error(
        "instruction {at} uses {bytes} bytes of stack at {offset}: expected a multiple of \
         {bytes} from -512 to -{bytes}"
    )]
    Stack {
        /// Which instruction, from 0.
        at: usize,
        /// From the frame pointer, in bytes.
        offset: i16,
        /// How many bytes.
        bytes: i16,
    },
    /// The last instruction is neither `exit` nor a jump.
    #[error("the program runs on beyond its last instruction")]
    NoEnd,
}
