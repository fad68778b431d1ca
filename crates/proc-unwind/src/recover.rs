//! All registers that a caller will find again, frame by frame.
//!
//! framehop finds the callers; it has no use for the registers that a function must leave as they
//! were (on x86-64 `rbx`, `rbp`, `r12` to `r15`). They are what tells a function's own variables
//! at the moment of its call, and the unwind tables say where each was put.

use gimli::{
    BaseAddresses, CfaRule, CieOrFde, EhFrame, EhFrameHdr, EhFrameOffset, Encoding, EndianSlice,
    EvaluationResult, Expression, FrameDescriptionEntry, LittleEndian, Location, Register,
    RegisterRule, UnwindContext, UnwindSection, Value,
};

use super::image::UnwindImage;
use super::memory::{Registers, StackMemory};
use super::space::{CodeSpace, Module};

/// Numbers of the registers in unwind tables.
///
/// # References
/// System V ABI, AMD64 supplement, figure 3.36
pub(super) mod number {
    pub const RBX: usize = 3;
    pub const RBP: usize = 6;
    pub const RSP: usize = 7;
    pub const R12: usize = 12;
    pub const R15: usize = 15;
    /// The return address.
    pub const RA: usize = 16;
}

/// A function in the midst of a call (or at its system call).
pub(super) struct CallerFrame {
    pub(super) module: Module,
    /// The address in the file where the function starts.
    pub(super) function: u64,
    /// What is in the registers, as far as that is known.
    values: [Option<u64>; 17],
    /// The registers that it put aside when it began, and so uses for itself.
    saved: Vec<usize>,
}

impl CallerFrame {
    /// The values of the registers that the function uses for itself and that its calls leave
    /// alone, by number.
    pub(super) fn own(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        let values = self.saved.iter();
        values.filter_map(|&number| Some((number, self.values[number]?)))
    }

    /// The value of one of them.
    pub(super) fn own_value(&self, number: usize) -> Option<u64> {
        let found = self.own().find(|(own, _)| *own == number);
        found.map(|(_, value)| value)
    }

    /// Whether one of them has this value.
    pub(super) fn holds(&self, value: u64) -> bool {
        self.own().any(|(_, own)| own == value)
    }

    /// The function's code, up to `most` bytes.
    pub(super) fn code(&self, most: u64) -> Option<Vec<u8>> {
        self.module.image.code(self.function, most)
    }
}

/// The innermost frames, which stand at these addresses as another way back has found; fewer if
/// the tables don't lead on, or elsewhere.
pub(super) fn innermost(
    registers: &Registers,
    space: &CodeSpace,
    memory: &mut StackMemory,
    addresses: &[u64],
) -> Vec<CallerFrame> {
    let mut values = tracee::unwind_registers(registers).map(Some);
    let mut context = UnwindContext::new();
    let mut frames = Vec::new();
    for (depth, &address) in addresses.iter().enumerate() {
        // A call that doesn't come back may be a function's last instruction.
        let back = u64::from(depth > 0);
        if values[number::RA].map(|next| next.wrapping_sub(back)) != Some(address) {
            break;
        }
        let Some(module) = space.module(address) else {
            break;
        };
        let step = step(module, address, &values, &mut context, memory);
        let Some(step) = step.filter(|step| !step.interrupted) else {
            break;
        };
        frames.push(step.frame);
        values = step.above;
    }
    frames
}

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// A function, and what its caller will find when it returns.
pub(super) struct Step {
    pub(super) frame: CallerFrame,
    /// What is in the caller's registers, as far as that is known.
    pub(super) above: [Option<u64>; 17],
    /// The caller didn't call: a signal interrupted it.
    pub(super) interrupted: bool,
    /// There is no caller: the tables say that a thread begins here.
    pub(super) begins: bool,
}

/// Goes back from a function to its caller, as the function's table has it. `None` if there is none
/// for this address, or if it needs what isn't known.
pub(super) fn step(
    module: &Module,
    address: u64,
    values: &[Option<u64>; 17],
    context: &mut UnwindContext<usize>,
    memory: &mut StackMemory,
) -> Option<Step> {
    let elf = &module.image.elf;
    let frame = elf.eh_frame.as_ref()?;
    let mut bases = BaseAddresses::default().set_eh_frame(frame.addresses.start);
    if let Some(header) = &elf.eh_frame_hdr {
        bases = bases.set_eh_frame_hdr(header.addresses.start);
    }
    if let Some(text) = &elf.text {
        bases = bases.set_text(text.start);
    }
    if let Some(got) = &elf.got {
        bases = bases.set_got(got.start);
    }
    let table = EhFrame::new(&frame.bytes, LittleEndian);
    let stated = address.wrapping_sub(module.bias);
    let entry = entry(&module.image, &table, &bases, stated)?;
    let interrupted = entry.is_signal_trampoline();
    let encoding = entry.cie().encoding();
    let row = entry.unwind_info_for_address(&table, &bases, context, stated);
    let row = row.ok()?;
    let cfa = match row.cfa() {
        CfaRule::RegisterAndOffset { register, offset } => {
            let base = (*values.get(usize::from(register.0))?)?;
            base.wrapping_add_signed(*offset)
        }
        CfaRule::Expression(expression) => {
            let expression = expression.get(&table).ok()?;
            expression_value(expression, encoding, None, values, memory)?
        }
    };
    let mut above = [None; 17];
    let mut saved = Vec::new();
    for number in 0..above.len() {
        let kept = number == number::RBX
            || number == number::RBP
            || (number::R12..=number::R15).contains(&number);
        above[number] = match row.register(Register(number as u16)) {
            Some(RegisterRule::Offset(offset)) => {
                if kept {
                    saved.push(number);
                }
                memory.word(cfa.wrapping_add_signed(offset))
            }
            Some(RegisterRule::ValOffset(offset)) => Some(cfa.wrapping_add_signed(offset)),
            Some(RegisterRule::Expression(expression)) => {
                let place = expression.get(&table).ok().and_then(|expression| {
                    expression_value(expression, encoding, Some(cfa), values, memory)
                });
                place.and_then(|place| memory.word(place))
            }
            Some(RegisterRule::SameValue) => values[number],
            // Without a rule: what a function must leave as it was, it has left.
            None if kept => values[number],
            _ => None,
        };
    }
    // After a signal the stack pointer has a rule of its own.
    if row.register(Register(number::RSP as u16)).is_none() {
        above[number::RSP] = Some(cfa);
    }
    let return_rule = row.register(Register(number::RA as u16));
    let begins = matches!(return_rule, None | Some(RegisterRule::Undefined));
    let function = entry.initial_address();
    let frame = CallerFrame { module: module.clone(), function, values: *values, saved };
    Some(Step { frame, above, interrupted, begins })
}

/// What the tables say of the function at an address.
fn entry<'a>(
    image: &'a UnwindImage,
    table: &EhFrame<Slice<'a>>,
    bases: &BaseAddresses,
    stated: u64,
) -> Option<FrameDescriptionEntry<Slice<'a>>> {
    let parse = EhFrame::<Slice<'_>>::cie_from_offset;
    if let Some(header) = &image.elf.eh_frame_hdr {
        let header = EhFrameHdr::new(&header.bytes, LittleEndian);
        let header = header.parse(bases, 8).ok()?;
        let place = header.table()?.lookup(stated, bases).ok()?;
        let start = image.elf.eh_frame.as_ref()?.addresses.start;
        let offset = place.direct().ok()?.checked_sub(start)?;
        let entry = table.fde_from_offset(bases, EhFrameOffset(offset.try_into().ok()?), parse);
        return entry.ok().filter(|entry| entry.contains(stated));
    }
    // Static programs often have no sorted list of their functions.
    let functions = image.functions.get_or_init(|| functions(table, bases));
    let after = functions.partition_point(|(start, _)| *start <= stated);
    let (_, offset) = functions.get(after.checked_sub(1)?)?;
    let entry = table.fde_from_offset(bases, EhFrameOffset(*offset), parse);
    entry.ok().filter(|entry| entry.contains(stated))
}

/// Each function's first address and where its entry is, by address.
fn functions(table: &EhFrame<Slice<'_>>, bases: &BaseAddresses) -> Vec<(u64, usize)> {
    let mut found = Vec::new();
    let mut entries = table.entries(bases);
    while let Ok(Some(entry)) = entries.next() {
        if let CieOrFde::Fde(partial) = entry
            && let Ok(entry) = partial.parse(EhFrame::cie_from_offset)
        {
            found.push((entry.initial_address(), entry.offset()));
        }
    }
    found.sort_unstable();
    found
}

/// So many operations are enough for any such program.
const MOST_STEPS: u32 = 256;

/// What the small program computes that a table states for a value: where a signal has put registers,
/// and how far a call through a procedure linkage table has come. It begins with `first` on its stack, if there is one; `None` if it asks
/// for what isn't known.
///
/// # References
/// DWARF 5, section 2.5
fn expression_value(
    expression: Expression<Slice<'_>>,
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
                evaluation.resume_with_register(Value::Generic(value)).ok()?
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
