//! The calls that a stopped thread is in, none of them guessed.
//!
//! What names a stack for people may bridge a gap by frame pointers. Who wants to know whether a
//! thread is *not* inside some function can't have that: here each step back is one that the
//! function's own table states, for the very instruction, and where there is no such table the
//! chain ends and says where.

#[cfg(target_arch = "x86_64")]
use super::{memory::StackMemory, recover, recover::number, space::CodeSpace};

/// A chain is cut off after so many calls.
#[cfg(target_arch = "x86_64")]
const MOST_CALLS: usize = 1024;

/// The calls that a thread is in, as far as unwind tables lead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chain {
    /// Innermost first.
    pub calls: Vec<CallSite>,
    /// Whether it leads to where the thread began. If not, calls outside the last one are unknown.
    pub complete: bool,
    /// Whether a call lies where no code was known to be mapped, or other code: if the process has
    /// mapped some since, its chain leads further once that is learnt. It isn't complete then.
    pub outdated: bool,
}

/// One of the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallSite {
    /// An address within its code: of the next instruction in the innermost call and in one that a
    /// signal interrupted, of the last byte of the call that it makes in others.
    pub address: u64,
    /// Its stack pointer: what it and its callers have on the stack is from here on.
    pub stack_pointer: u64,
}

impl CallSite {
    /// A call at this address, with this stack pointer.
    pub fn new(address: u64, stack_pointer: u64) -> Self {
        Self { address, stack_pointer }
    }
}

/// Follows the tables from a thread's registers, by number.
#[cfg(target_arch = "x86_64")]
pub(super) fn of(registers: &[u64; 17], space: &CodeSpace, memory: &mut StackMemory) -> Chain {
    let mut values = registers.map(Some);
    let mut context = gimli::UnwindContext::new();
    let mut chain = Chain::default();
    // Of a caller, the return address may already be another function's.
    let mut back = 0;
    while let (Some(next), Some(stack_pointer)) = (values[number::RA], values[number::RSP]) {
        // By convention nothing returns to 0.
        if next == 0 && !chain.calls.is_empty() {
            chain.complete = true;
            break;
        }
        let address = next.wrapping_sub(back);
        chain.calls.push(CallSite::new(address, stack_pointer));
        if chain.calls.len() == MOST_CALLS {
            break;
        }
        let Some(module) = space.module(address) else {
            chain.outdated = space.part(address).is_none();
            break;
        };
        let stated = address.wrapping_sub(module.bias);
        let step = recover::step(module, address, &values, &mut context, memory);
        if step.as_ref().is_some_and(|step| step.begins) || module.image.is_beginning(stated) {
            chain.complete = true;
            break;
        }
        let Some(step) = step else {
            break;
        };
        values = step.above;
        back = u64::from(!step.interrupted);
    }
    chain
}
