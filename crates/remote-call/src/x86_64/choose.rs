//! Which thread makes the call.

use super::stack::CallTarget;
use super::thread_state::RestartKind;
use proc_memory::Status;

use super::status::{has_seccomp, has_shadow_stack};
use crate::{CallError, Unfit};
use tracee::Registers;

/// The thread that is disturbed least, of those that can, or of one alone.
///
/// How much a thread would be disturbed its registers tell, for little; whether it can be used takes
/// several looks at each. So that is asked of one after the other, and of no more than it takes.
pub(super) fn choose(
    subject: &CallTarget,
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
        match fitness(subject, tid, &registers) {
            Ok(()) => return Ok((tid, registers)),
            Err(reason) => reasons.push((tid, reason)),
        }
    }
    Err(CallError::NoThread { pid, reasons })
}

fn fitness(subject: &CallTarget, tid: i32, registers: &Registers) -> Result<(), Unfit> {
    let status = Status::of_thread(subject.pid, tid).map_err(|_| Unfit::Ended)?;
    if has_shadow_stack(&status) {
        return Err(Unfit::ShadowStack);
    }
    if has_seccomp(&status) && !subject.options.allow_seccomp {
        return Err(Unfit::Seccomp);
    }
    subject.check_stack(tid, registers)?;
    if subject.is_in_sequence(tid, registers.rip) {
        return Err(Unfit::RestartableSequence);
    }
    Ok(())
}
