//! A program that is put together.

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
