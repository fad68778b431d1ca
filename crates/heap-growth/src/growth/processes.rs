//! Growth by process.

use std::sync::Arc;

use super::process::ProcessGrowth;

/// So many programs that have ended are told apart, those that asked for most.
const MOST_ENDED: usize = 64;

/// What one program asked for, in one process.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProgramGrowth {
    /// The process.
    pub pid: i32,
    /// The program's file, where the source has told what is mapped.
    pub program: Option<Arc<[u8]>>,
    /// What it has now, or had at its end, of what came to it while it was watched.
    pub bytes: i64,
    /// What it asked for in all.
    pub asked_bytes: u64,
}

impl ProgramGrowth {
    /// `None` of one that asked for nothing and gave nothing back.
    pub(super) fn of(pid: i32, process: &ProcessGrowth) -> Option<Self> {
        let bytes = process.held.total();
        let asked_bytes = process.asked_bytes;
        let program = process.program.clone();
        (bytes != 0 || asked_bytes > 0).then_some(Self { pid, program, bytes, asked_bytes })
    }
}

/// Programs that have ended, those that asked for most first.
#[derive(Debug, Default)]
pub(super) struct EndedPrograms {
    pub(super) kept: Vec<ProgramGrowth>,
    /// Programs that asked for something and found no place.
    pub(super) left_out: u64,
}

impl EndedPrograms {
    pub(super) fn add(&mut self, ended: ProgramGrowth) {
        let place = self.kept.partition_point(|other| other.asked_bytes >= ended.asked_bytes);
        self.kept.insert(place, ended);
        if self.kept.len() > MOST_ENDED {
            self.kept.pop();
            self.left_out += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_those_that_asked_for_most_are_kept() {
        let mut ended = EndedPrograms::default();
        for pid in 0..1000 {
            let asked_bytes = (pid as u64 * 7919) % 1000;
            ended.add(ProgramGrowth { pid, program: None, bytes: 0, asked_bytes });
        }
        let kept: Vec<_> = ended.kept.iter().map(|program| program.asked_bytes).collect();
        assert_eq!(kept, (1000 - MOST_ENDED as u64..1000).rev().collect::<Vec<_>>());
        assert_eq!(ended.left_out, 1000 - MOST_ENDED as u64);
    }
}
