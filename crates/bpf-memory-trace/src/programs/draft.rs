//! The parts that programs are made of.
//!
//! Registers, from the first part on: r6 the context, r7 process and thread, r8 the record,
//! r9 the user's registers or what the program keeps.

mod call;

use super::told::Abi;
use crate::asm::{Assembler, Code, Condition, Helper, Label, Register, Register::*, Width};
use crate::layout::Layout;
use crate::map::PIDS;
use crate::record::{FOLLOW, field};

/// The maps that the programs name.
pub const WATCHED: &str = "watched";
pub const RING: &str = "ring";
/// Counts the records that found no room.
pub const LOST: &str = "lost";
pub const CGROUP: &str = "cgroup";

/// Places on the stack, of four bytes each.
const PROCESS: i16 = -4;
const KIND: i16 = -8;
/// What `watched` says of the process.
pub const FLAGS: i16 = -12;

/// The process in `watched` that stands for all: it makes no calls.
pub const EVERYBODY: u32 = 0;

/// `BPF_RB_NO_WAKEUP`: the reader looks every few milliseconds; waking it costs ten records' time.
const NO_WAKEUP: i32 = 1;

/// Where the programs find a call's registers and its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// As the first two words: of `sys_exit`, of fexit of a `__x64_sys_*`.
    Arguments,
    /// Asked of the task; the context are the function's own registers: of kretprobe.multi.
    Registers,
}

/// Whose calls the programs can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope {
    /// Of processes that are [watched](crate::Tracer::watch), and of those that they make.
    #[default]
    Watched,
    /// Of whoever is in a [cgroup](crate::Tracer::watch_cgroup), too, or has been in it since.
    Cgroup,
    /// Of [all](crate::Tracer::watch_everybody) as well.
    Everybody,
}

/// What is asked of the programs besides.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    pub scope: Scope,
    /// Bytes of stack with each call that may make memory grow: 0, or whole KiB up to 16.
    pub stack_bytes: u16,
    /// A ring that holds more than this gets records without stacks.
    pub full_bytes: u32,
}

/// `TS_COMPAT`: the call was made by the 32-bit way in, with numbers of its own.
const COMPAT: i32 = 2;

/// A program in the making.
pub struct Draft<'a> {
    pub asm: Assembler,
    /// The end: nothing more to do.
    pub out: Label,
    /// The record found no room.
    lost: Label,
    pub(super) layout: &'a Layout,
    context: Context,
    /// Whose calls the parts from here on are for.
    pub abi: Abi,
}

impl<'a> Draft<'a> {
    pub fn new(layout: &'a Layout, context: Context) -> Self {
        let mut asm = Assembler::default();
        let (out, lost) = (asm.label(), asm.label());
        asm.mov(R6, R1);
        Self { asm, out, lost, layout, context, abi: Abi::Native }
    }

    /// Of what kind the record will be.
    pub fn kind(&mut self, kind: i32) {
        self.asm.store_imm(Width::Word, Fp, KIND, kind);
    }

    /// `to` = the user's registers at the way in.
    pub fn user_registers(&mut self, to: Register) {
        match self.context {
            Context::Arguments => self.asm.load(Width::Double, to, R6, 0),
            Context::Registers => {
                self.asm.call(Helper::GetCurrentTaskBtf);
                self.asm.mov(R1, R0);
                self.asm.call(Helper::TaskPtRegs);
                self.asm.mov(to, R0);
            }
        }
    }

    /// Goes elsewhere if the call came by the 32-bit way in.
    pub fn branch_if_i386(&mut self, elsewhere: Label) {
        self.asm.call(Helper::GetCurrentTaskBtf);
        self.asm.load(Width::Word, R1, R0, self.layout.status);
        self.asm.jump_if(R1, Condition::AnyBit, COMPAT, elsewhere);
    }

    /// `to` = an argument of the call whose registers `from` points to.
    pub fn call_argument(&mut self, to: Register, from: Register, number: usize) {
        let (width, offsets) = match self.abi {
            Abi::Native => (Width::Double, &self.layout.arguments),
            Abi::I386 => (Width::Word, &self.layout.i386_arguments),
        };
        self.asm.load(width, to, from, offsets[number]);
    }

    /// r1 = where `watched` has what it says of the process in r0.
    pub fn watched(&mut self) {
        // The verifier wants to know its bounds.
        self.asm.and_imm(R0, PIDS.cast_signed() - 1);
        self.asm.map_value(R1, WATCHED, 0);
        self.asm.add(R1, R0);
    }

    /// Goes on only in a watched process.
    pub fn only_watched(&mut self, scope: Scope) {
        self.asm.call(Helper::GetCurrentPidTgid);
        self.asm.mov(R7, R0);
        self.asm.shift_right(R0, 32);
        self.asm.store(Width::Word, Fp, PROCESS, R0);
        self.watched();
        let found = self.asm.label();
        self.asm.load(Width::Byte, R2, R1, 0);
        if scope != Scope::Watched {
            self.asm.jump_if(R2, Condition::NotEqual, 0, found);
        }
        match scope {
            Scope::Watched => {}
            Scope::Cgroup => {
                self.asm.map(R1, CGROUP);
                self.asm.mov_imm(R2, 0);
                self.asm.call(Helper::CurrentTaskUnderCgroup);
                self.asm.jump_if(R0, Condition::NotEqual, 1, self.out);
                // It has come there.
                self.asm.load(Width::Word, R0, Fp, PROCESS);
                self.watched();
                self.asm.mov_imm(R2, FOLLOW.into());
                self.asm.store(Width::Byte, R1, 0, R2);
            }
            Scope::Everybody => {
                self.asm.map_value(R1, WATCHED, EVERYBODY.cast_signed());
                self.asm.load(Width::Byte, R2, R1, 0);
            }
        }
        self.asm.jump_if(R2, Condition::Equal, 0, self.out);
        self.asm.place(found);
        self.asm.store(Width::Word, Fp, FLAGS, R2);
    }

    /// The process is no longer watched.
    pub fn forget(&mut self) {
        self.asm.load(Width::Word, R0, Fp, PROCESS);
        self.watched();
        self.asm.store_imm(Width::Byte, R1, 0, 0);
    }

    /// The record's place in the ring.
    pub fn reserve(&mut self, bytes: i16) {
        self.asm.map(R1, RING);
        self.asm.mov_imm(R2, bytes.into());
        self.asm.mov_imm(R3, 0);
        self.asm.call(Helper::RingbufReserve);
        self.asm.jump_if(R0, Condition::Equal, 0, self.lost);
        self.asm.mov(R8, R0);
    }

    /// Time, process, thread, kind, flags; nothing besides. The time is taken once the record has
    /// its place: the reader's order rests on that.
    pub fn head(&mut self) {
        let asm = &mut self.asm;
        asm.call(Helper::KtimeGetNs);
        asm.store(Width::Double, R8, field::TIME, R0);
        asm.store(Width::Word, R8, field::TID, R7);
        asm.load(Width::Word, R1, Fp, PROCESS);
        asm.store(Width::Word, R8, field::PID, R1);
        asm.load(Width::Word, R1, Fp, KIND);
        asm.store(Width::Half, R8, field::KIND, R1);
        asm.load(Width::Word, R1, Fp, FLAGS);
        asm.store(Width::Half, R8, field::FLAGS, R1);
        asm.store_imm(Width::Word, R8, field::EXTRA, 0);
    }

    /// One of the record's six arguments.
    pub fn argument(&mut self, number: usize, value: Register) {
        let place = field::ARGUMENTS + 8 * number as i16;
        self.asm.store(Width::Double, R8, place, value);
    }

    /// The result and the arguments of the call whose registers r9 points to.
    pub fn returned(&mut self) {
        let result = match self.context {
            Context::Arguments => 8,
            Context::Registers => self.layout.result,
        };
        self.asm.load(Width::Double, R1, R6, result);
        self.asm.store(Width::Double, R8, field::RESULT, R1);
        for number in 0..self.layout.arguments.len() {
            self.call_argument(R1, R9, number);
            self.argument(number, R1);
        }
    }

    /// Gives the record to the reader.
    pub fn submit(&mut self) {
        self.asm.mov(R1, R8);
        self.asm.mov_imm(R2, NO_WAKEUP);
        self.asm.call(Helper::RingbufSubmit);
    }

    /// The end, and what is lost.
    pub fn finish(mut self) -> Code {
        self.asm.place(self.out);
        self.asm.mov_imm(R0, 0);
        self.asm.exit();
        self.asm.place(self.lost);
        self.asm.map_value(R1, LOST, 0);
        self.asm.mov_imm(R2, 1);
        self.asm.atomic_add(R1, 0, R2);
        self.asm.jump(self.out);
        self.asm.assemble().expect("every label is placed, every place on the stack is one")
    }
}
