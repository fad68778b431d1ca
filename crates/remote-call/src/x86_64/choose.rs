//! Which thread makes the call.

use std::fs::File;

use super::frame::Restart;
use super::ptrace::{self, Registers};
use super::stack::Space;
use super::status::Status;
use crate::{CallError, Options, Unfit};

/// What a call needs to know of a process.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    pub(super) pid: i32,
    pub(super) tids: &'a [i32],
    /// One of them; the first thread of a process may have ended, and its memory is gone then.
    pub(super) any_tid: i32,
    pub(super) memory: &'a File,
    pub(super) options: Options,
}

/// The thread that is disturbed least, of those that can.
pub(super) fn choose(subject: &Subject, space: &Space) -> Result<(i32, Registers), CallError> {
    let pid = subject.pid;
    let mut reasons = Vec::new();
    let mut best: Option<(Restart, i32, Registers)> = None;
    for &tid in subject.tids {
        match fitness(subject, space, tid) {
            Ok(registers) => {
                let rank = Restart::of(&registers);
                let is_better = best.as_ref().is_none_or(|(other, ..)| rank < *other);
                if is_better {
                    best = Some((rank, tid, registers));
                }
            }
            Err(reason) => reasons.push((tid, reason)),
        }
    }
    best.map(|(_, tid, registers)| (tid, registers))
        .ok_or(CallError::NoThread { pid, reasons })
}

fn fitness(subject: &Subject, space: &Space, tid: i32) -> Result<Registers, Unfit> {
    let status = Status::of_thread(subject.pid, tid).ok_or(Unfit::Ended)?;
    if status.has_shadow_stack() {
        return Err(Unfit::ShadowStack);
    }
    if status.has_seccomp() && !subject.options.allow_seccomp {
        return Err(Unfit::Seccomp);
    }
    let registers = ptrace::registers(tid).ok().flatten();
    let registers = registers.ok_or(Unfit::Ended)?;
    space.check_stack(tid, &registers)?;
    if space.is_in_sequence(tid, registers.rip) {
        return Err(Unfit::RestartableSequence);
    }
    Ok(registers)
}
