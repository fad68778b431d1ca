//! Values that unwind tables state as a small program: where a signal has put registers, and how
//! far a call through a procedure linkage table has come.

use gimli::{Encoding, EndianSlice, EvaluationResult, Expression, LittleEndian, Location, Value};

use super::memory::StackMemory;

/// So many operations are enough for any such program.
const MOST_STEPS: u32 = 256;

/// What a program computes. It begins with `first` on its stack, if there is one; `None` if it asks
/// for what isn't known.
///
/// # References
/// DWARF 5, section 2.5
pub(super) fn value(
    expression: Expression<EndianSlice<'_, LittleEndian>>,
    encoding: Encoding,
    first: Option<u64>,
    registers: &[Option<u64>; 17],
    memory: &mut StackMemory,
) -> Option<u64> {
    let mut evaluation = expression.evaluation(encoding);
    evaluation.set_max_iterations(MOST_STEPS);
    if let Some(first) = first {
        evaluation.set_initial_value(first);
    }
    let mut asked = evaluation.evaluate().ok()?;
    loop {
        asked = match asked {
            EvaluationResult::Complete => break,
            EvaluationResult::RequiresMemory { address, size, .. } => {
                let word = memory.word(address).filter(|_| size == 8)?;
                evaluation.resume_with_memory(Value::Generic(word)).ok()?
            }
            EvaluationResult::RequiresRegister { register, .. } => {
                let value = (*registers.get(usize::from(register.0))?)?;
                evaluation
                    .resume_with_register(Value::Generic(value))
                    .ok()?
            }
            _ => return None,
        };
    }
    match evaluation.as_result() {
        [piece] => match piece.location {
            Location::Address { address } => Some(address),
            _ => None,
        },
        _ => None,
    }
}
