//! Which refused calls' surroundings have been told.

use std::collections::HashMap;

use memory_event::{Call, Denied};

/// What has been told of each process's program: the surroundings of the first refusal of a kind
/// are read, those of the others would say the same.
#[derive(Debug, Default)]
pub(crate) struct ToldRefusals(HashMap<i32, Vec<Denied>>);

impl ToldRefusals {
    /// Whether the surroundings of this call are still to be told: it is the first of its kind that
    /// was refused to this program. What is absurd needs none.
    pub(crate) fn lacks(&self, pid: i32, call: &Call) -> bool {
        match call.denied() {
            None | Some(Denied::Absurd) => false,
            Some(denied) => self.0.get(&pid).is_none_or(|told| !told.contains(&denied)),
        }
    }

    /// They are told now.
    pub(crate) fn of(&mut self, pid: i32, call: &Call) {
        self.0.entry(pid).or_default().extend(call.denied());
    }

    /// The process ended, or has another program.
    pub(crate) fn forget(&mut self, pid: i32) {
        self.0.remove(&pid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memory_event::Syscall;

    #[test]
    fn the_first_of_each_kind_is_told_once_a_program() {
        let call = |syscall, args: [u64; 4], result| {
            let [a, b, c, d] = args;
            let (args, path, stack) = ([a, b, c, d, 0, 0], None, None);
            Call {
                syscall,
                args,
                result,
                path,
                stack,
            }
        };
        let brk = call(Syscall::Brk, [0x8000, 0, 0, 0], Ok(0x6000));
        let lower = call(Syscall::Brk, [1, 0, 0, 0], Ok(0x6000));
        let mapping = call(Syscall::Mmap, [0, 4096, 3, 0x22], Err(libc::ENOMEM));
        let mut told = ToldRefusals::default();
        assert!(!told.lacks(1, &lower));
        assert!(told.lacks(1, &brk) && told.lacks(1, &mapping));
        told.of(1, &brk);
        assert!(!told.lacks(1, &brk) && told.lacks(1, &mapping));
        assert!(told.lacks(2, &brk), "another process");
        told.forget(1);
        assert!(told.lacks(1, &brk));
    }
}
