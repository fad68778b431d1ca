//! The assembler: one method an instruction.
//!
//! # References
//! `Documentation/bpf/standardization/instruction-set.rst`

mod code;
mod disassembly;
mod instruction;

pub use code::{AssembleError, Code};
pub use instruction::{Condition, Helper, Label, Register, Width};

pub(crate) use instruction::Instruction;
use instruction::{LOAD_MAP, LOAD_MAP_VALUE, STACK_BYTES, class, operation};

/// Puts a program together, instruction by instruction.
///
/// What is wrong with it is found by [`assemble`](Self::assemble) or by the kernel's verifier;
/// none of the methods panics.
#[derive(Debug, Default)]
pub struct Assembler {
    instructions: Vec<Instruction>,
    /// Where each label stands, once it does.
    labels: Vec<Option<usize>>,
    jumps: Vec<(usize, Label)>,
    maps: Vec<(usize, &'static str)>,
    wrong: Option<AssembleError>,
}

impl Assembler {
    /// A new label, to be [placed](Self::place).
    pub fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    /// Has the label stand before the next instruction.
    pub fn place(&mut self, label: Label) {
        let second = self.instructions.len();
        match &mut self.labels[label.0] {
            Some(first) => {
                let first = *first;
                self.fail(AssembleError::LabelTwice { first, second });
            }
            place => *place = Some(second),
        }
    }

    /// `to = from`
    pub fn mov(&mut self, to: Register, from: Register) {
        self.push(class::ALU64 | operation::MOV | operation::BY_REGISTER, to, from, 0, 0);
    }

    /// `to = value`
    pub fn mov_imm(&mut self, to: Register, value: i32) {
        self.alu_imm(operation::MOV, to, value);
    }

    /// `to += value`
    pub fn add_imm(&mut self, to: Register, value: i32) {
        self.alu_imm(operation::ADD, to, value);
    }

    /// `to += from`
    pub fn add(&mut self, to: Register, from: Register) {
        self.push(class::ALU64 | operation::ADD | operation::BY_REGISTER, to, from, 0, 0);
    }

    /// `to &= value`
    pub fn and_imm(&mut self, to: Register, value: i32) {
        self.alu_imm(operation::AND, to, value);
    }

    /// `to >>= bits`, zeros coming in.
    pub fn shift_right(&mut self, to: Register, bits: i32) {
        self.alu_imm(operation::RSH, to, bits);
    }

    /// `to = fp + offset`: the address of so many bytes on the stack.
    pub fn stack_address(&mut self, to: Register, offset: i16, bytes: i16) {
        self.check_stack(Register::Fp, offset, bytes, 1);
        self.mov(to, Register::Fp);
        self.add_imm(to, offset.into());
    }

    /// `to = *(width *)(base + offset)`
    pub fn load(&mut self, width: Width, to: Register, base: Register, offset: i16) {
        self.check_stack(base, offset, width.bytes(), width.bytes());
        self.push(class::LDX | operation::MEM | width as u8, to, base, offset, 0);
    }

    /// `*(width *)(base + offset) = from`
    pub fn store(&mut self, width: Width, base: Register, offset: i16, from: Register) {
        self.check_stack(base, offset, width.bytes(), width.bytes());
        self.push(class::STX | operation::MEM | width as u8, base, from, offset, 0);
    }

    /// `*(width *)(base + offset) = value`
    pub fn store_imm(&mut self, width: Width, base: Register, offset: i16, value: i32) {
        self.check_stack(base, offset, width.bytes(), width.bytes());
        self.push(class::ST | operation::MEM | width as u8, base, Register::R0, offset, value);
    }

    /// `lock *(u64 *)(base + offset) += from`
    pub fn atomic_add(&mut self, base: Register, offset: i16, from: Register) {
        self.check_stack(base, offset, 8, 8);
        let code = class::STX | operation::ATOMIC | Width::Double as u8;
        self.push(code, base, from, offset, operation::ADD.into());
    }

    /// `to = map[name]`: the map's address, as helpers want it. Which map that is, is said when
    /// the program is loaded.
    pub fn map(&mut self, to: Register, name: &'static str) {
        self.wide(to, LOAD_MAP, name, 0);
    }

    /// `to = map_value[name] + offset`: the address of a byte in an array's first value.
    pub fn map_value(&mut self, to: Register, name: &'static str, offset: i32) {
        self.wide(to, LOAD_MAP_VALUE, name, offset);
    }

    /// `call helper`: r1 to r5 are its arguments and unknown afterwards, r0 is its result.
    pub fn call(&mut self, helper: Helper) {
        let code = class::JMP | operation::CALL;
        self.push(code, Register::R0, Register::R0, 0, helper as i32);
    }

    /// `goto label`
    pub fn jump(&mut self, label: Label) {
        self.jumps.push((self.instructions.len(), label));
        self.push(class::JMP | operation::JA, Register::R0, Register::R0, 0, 0);
    }

    /// `if left condition right goto label`
    pub fn jump_if(&mut self, left: Register, condition: Condition, right: i32, label: Label) {
        self.jumps.push((self.instructions.len(), label));
        self.push(class::JMP | condition as u8, left, Register::R0, 0, right);
    }

    /// `if left condition right goto label`
    pub fn jump_if_reg(
        &mut self,
        left: Register,
        condition: Condition,
        right: Register,
        label: Label,
    ) {
        self.jumps.push((self.instructions.len(), label));
        let code = class::JMP | condition as u8 | operation::BY_REGISTER;
        self.push(code, left, right, 0, 0);
    }

    /// `exit`: the program ends; r0 is its result.
    pub fn exit(&mut self) {
        self.push(class::JMP | operation::EXIT, Register::R0, Register::R0, 0, 0);
    }

    /// Resolves the labels.
    ///
    /// # Errors
    /// The first thing that was wrong with the program.
    pub fn assemble(mut self) -> Result<Code, AssembleError> {
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        for (at, label) in self.jumps {
            let to = self.labels[label.0].ok_or(AssembleError::LabelNowhere { at })?;
            let distance = to as i64 - at as i64 - 1;
            let offset = i16::try_from(distance);
            self.instructions[at].offset =
                offset.map_err(|_| AssembleError::TooFar { at, distance })?;
        }
        match self.instructions.last() {
            Some(last) if last.ends_a_program() => {
                Ok(Code { instructions: self.instructions, maps: self.maps })
            }
            _ => Err(AssembleError::NoEnd),
        }
    }

    fn push(&mut self, code: u8, to: Register, from: Register, offset: i16, immediate: i32) {
        self.instructions.push(Instruction {
            code,
            registers: to as u8 | (from as u8) << 4,
            offset,
            immediate,
        });
    }

    fn alu_imm(&mut self, operation: u8, to: Register, value: i32) {
        self.push(class::ALU64 | operation, to, Register::R0, 0, value);
    }

    /// The one instruction that takes the place of two.
    fn wide(&mut self, to: Register, source: u8, name: &'static str, second: i32) {
        self.maps.push((self.instructions.len(), name));
        self.instructions.push(Instruction {
            code: class::LD | operation::IMM | Width::Double as u8,
            registers: to as u8 | source << 4,
            offset: 0,
            immediate: 0,
        });
        self.push(0, Register::R0, Register::R0, 0, second);
    }

    fn check_stack(&mut self, base: Register, offset: i16, bytes: i16, align: i16) {
        let inside = (-STACK_BYTES..=-bytes).contains(&offset) && offset % align == 0;
        if base == Register::Fp && !inside {
            let at = self.instructions.len();
            self.fail(AssembleError::Stack { at, offset, bytes });
        }
    }

    fn fail(&mut self, wrong: AssembleError) {
        self.wrong.get_or_insert(wrong);
    }
}

#[cfg(test)]
mod tests;
