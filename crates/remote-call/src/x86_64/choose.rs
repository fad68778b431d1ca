//! Which thread makes the call.

use std::fs::File;

use super::maps::StoppedMappings;
use super::stack::StackSpace;
use super::thread_state::RestartKind;
use proc_memory::Status;

use super::status::{has_seccomp, has_shadow_stack};
use crate::{CallError, HoldOptions, Unfit};
use tracee::Registers;

/// What a call needs to know of a process.
#[derive(Debug)]
pub(super) struct CallTarget<'a> {
    pub(super) pid: i32,
    pub(super) tids: &'a [i32],
    /// One of them; the first thread of a process may have ended, and its memory is gone then.
    pub(super) any_tid: i32,
    pub(super) memory: &'a File,
    pub(super) mappings: &'a StoppedMappings,
    pub(super) options: &'a HoldOptions,
}

/// The thread that is disturbed least, of those that can, or of one alone.
///
/// How much a thread would be disturbed its registers tell, for little; whether it can be used takes
/// several looks at each. So that is asked of one after the other, and of no more than it takes.
pub(super) fn choose(
    subject: &CallTarget,
    space: &StackSpace,
    only: Option<i32>,
) -> Result<(i32, Registers), CallError> {
    let pid = subject.pid;
    let mut reasons = Vec::new();
    let mut candidates = Vec::with_capacity(subject.tids.len());
    for &tid in subject.tids.iter().filter(|tid| only.is_none_or(|only| only == **tid)) {
        match tracee::registers(tid).ok().flatten() {
            Some(registers) => candidates.push((tid, registers)),
            None => reasons.push((tid, Unfit::Ended)),
        }
    }
    candidates.sort_by_key(|(_, registers)| RestartKind::of(registers));
    for (tid, registers) in candidates {
        match fitness(subject, space, tid, &registers) {
            Ok(()) => return Ok((tid, registers)),
            Err(reason) => reasons.push((tid, reason)),
        }
    }
    Err(CallError::NoThread { pid, reasons })
}

fn fitness(
    subject: &CallTarget,
    space: &StackSpace,
    tid: i32,
    registers: &Registers,
) -> Result<(), Unfit> {
    let status = Status::of_thread(subject.pid, tid).map_err(|_| Unfit::Ended)?;
    if has_shadow_stack(&status) {
        return Err(Unfit::ShadowStack);
    }
    if has_seccomp(&status) && !subject.options.allow_seccomp {
        return Err(Unfit::Seccomp);
    }
    space.check_stack(tid, registers)?;
    if space.is_in_sequence(tid, registers.rip) {
        return Err(Unfit::RestartableSequence);
    }
    Ok(())
}
