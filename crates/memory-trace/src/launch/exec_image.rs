//! What is remembered of a process's present program: where its break is, and which refused calls'
//! surroundings have been told.

use std::collections::HashMap;

use memory_event::{Call, Denied, Syscall};

#[derive(Debug, Default)]
pub(crate) struct ExecImages {
    by_process: HashMap<i32, ExecImage>,
}

#[derive(Clone, Copy, Debug, Default)]
struct ExecImage {
    /// As the last `brk` returned it.
    program_break: Option<u64>,
}

impl ExecImages {
    /// A process was made by another: its break is where the other's is.
    pub(crate) fn born(&mut self, child_pid: i32, parent_pid: i32) {
        let parent = self.by_process.get(&parent_pid).copied();
        self.by_process.insert(child_pid, parent.unwrap_or_default());
    }

    /// A process ended, or has a new program.
    pub(crate) fn forget(&mut self, pid: i32) {
        self.by_process.remove(&pid);
    }

    /// Takes note of a call of the process, and tells whether private writable memory grew, or may
    /// have.
    pub(crate) fn grew(&mut self, pid: i32, call: &Call) -> bool {
        match (call.syscall, call.result) {
            (Syscall::Brk, Ok(returned)) => self.grew_by_brk(pid, call.args[0], returned),
            (_, Ok(_)) => may_grow(call),
            (_, Err(_)) => false,
        }
    }

    fn grew_by_brk(&mut self, pid: i32, asked: u64, returned: u64) -> bool {
        let image = self.by_process.entry(pid).or_default();
        let before = image.program_break.replace(returned);
        asked == returned && before.is_none_or(|before| returned > before)
    }
}

/// Whether a successful call other than `brk` can have made private writable memory grow.
fn may_grow(call: &Call) -> bool {
    let has = |word: u64, bits: i32| word & bits as u64 != 0;
    let [_, length, third, flags, ..] = call.args;
    match call.syscall {
        Syscall::Mmap => {
            flags & libc::MAP_TYPE as u64 == libc::MAP_PRIVATE as u64
                && has(third, libc::PROT_WRITE)
        }
        Syscall::Mprotect => has(third, libc::PROT_WRITE),
        // `third` is the new length.
        Syscall::Mremap => third > length,
        _ => false,
    }
}

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

    fn call(syscall: Syscall, args: [u64; 4], result: Result<u64, i32>) -> Call {
        let [a, b, c, d] = args;
        Call::new(syscall, [a, b, c, d, 0, 0], result)
    }

    #[test]
    fn a_break_grows_upwards() {
        let images = &mut ExecImages::default();
        let mut brk = |pid, asked, returned| {
            images.grew(pid, &call(Syscall::Brk, [asked, 0, 0, 0], Ok(returned)))
        };
        assert!(!brk(1, 0, 0x5000), "a question");
        assert!(brk(1, 0x7000, 0x7000));
        assert!(!brk(1, 0x6000, 0x6000), "downwards");
        assert!(!brk(1, 1, 0x6000), "below it");
        assert!(!brk(1, 0x8000, 0x6000), "refused");
        images.born(2, 1);
        let same = call(Syscall::Brk, [0x6000, 0, 0, 0], Ok(0x6000));
        assert!(!images.grew(2, &same), "no change");
    }

    #[test]
    fn what_may_make_memory_grow() {
        let (read, write) = (libc::PROT_READ as u64, libc::PROT_WRITE as u64);
        let private = libc::MAP_PRIVATE as u64;
        let anonymous = private | libc::MAP_ANONYMOUS as u64;
        let shared = libc::MAP_SHARED as u64;
        for (syscall, args, result, wanted) in [
            (Syscall::Mmap, [0, 1, write, anonymous], Ok(1), true),
            (Syscall::Mmap, [0, 1, write, private], Ok(1), true),
            (Syscall::Mmap, [0, 1, read, anonymous], Ok(1), false),
            (Syscall::Mmap, [0, 1, write, shared], Ok(1), false),
            (Syscall::Mmap, [0, 1, write, anonymous], Err(12), false),
            (Syscall::Mremap, [1, 2, 3, 0], Ok(1), true),
            (Syscall::Mremap, [1, 3, 2, 0], Ok(1), false),
            (Syscall::Mprotect, [1, 2, write, 0], Ok(0), true),
            (Syscall::Mprotect, [1, 2, read, 0], Ok(0), false),
            (Syscall::Munmap, [1, 2, write, anonymous], Ok(0), false),
        ] {
            let call = call(syscall, args, result);
            assert_eq!(ExecImages::default().grew(1, &call), wanted, "{call:?}");
        }
    }

    #[test]
    fn the_first_of_each_kind_is_told_once_a_program() {
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
