//! The record of a call, whole.

use super::{Context, Draft, NO_WAKEUP, RING, Wanted};
use crate::asm::{Condition, Helper, Register::*, Width};
use crate::programs::told::{Abi, Shape, functions};
use crate::record::{HEAD_BYTES, PIECE_BYTES, REGISTERS_BYTES, field};

/// `BPF_RB_AVAIL_DATA`
const AVAILABLE_DATA: i32 = 0;
/// Bytes for a path: enough for nearly all, and for all.
const PATHS_BYTES: [i16; 2] = [256, 4096];
/// Six words of 32 bits.
const OLD_MMAP_BYTES: i16 = 24;

impl Draft<'_> {
    /// Some call came back by this way, whose registers r9 points to.
    pub fn any_call(&mut self, wanted: Wanted, abi: Abi) {
        self.abi = abi;
        self.asm.load(Width::Word, R2, R9, self.layout.number);
        let told: Vec<_> = functions()
            .into_iter()
            .filter(|(_, call)| call.abi == abi)
            .map(|(_, call)| (call, self.asm.label()))
            .collect();
        for (call, label) in &told {
            self.asm.jump_if(R2, Condition::Equal, call.number, *label);
        }
        self.asm.jump(self.out);
        for shape in Shape::ALL {
            let record = self.asm.label();
            let mut of_it = told.iter().filter(|(call, _)| call.shape == shape).peekable();
            if of_it.peek().is_none() {
                continue;
            }
            for (call, label) in of_it {
                self.asm.place(*label);
                self.kind(call.kind);
                self.asm.jump(record);
            }
            self.asm.place(record);
            if self.context == Context::Arguments {
                self.only_watched(wanted.scope);
            }
            self.call(shape, wanted);
        }
    }

    /// The call whose registers r9 points to came back in a watched process: the whole record.
    pub fn call(&mut self, shape: Shape, wanted: Wanted) {
        match shape {
            Shape::Growth | Shape::Writable if wanted.stack_bytes > 0 => {
                let plain = self.asm.label();
                if shape == Shape::Writable {
                    let writable = self.asm.label();
                    self.call_argument(R1, R9, 2);
                    self.asm.jump_if(R1, Condition::AnyBit, libc::PROT_WRITE, writable);
                    self.asm.jump(plain);
                    self.asm.place(writable);
                }
                self.asm.map(R1, RING);
                self.asm.mov_imm(R2, AVAILABLE_DATA);
                self.asm.call(Helper::RingbufQuery);
                let full = wanted.full_bytes.cast_signed();
                self.asm.jump_if(R0, Condition::Greater, full, plain);
                self.reserve(HEAD_BYTES + REGISTERS_BYTES + wanted.stack_bytes.cast_signed());
                self.head();
                self.returned();
                self.user_stack(wanted.stack_bytes);
                self.submit();
                self.asm.jump(self.out);
                self.asm.place(plain);
                self.plain();
            }
            Shape::Plain | Shape::Growth | Shape::Writable => self.plain(),
            Shape::Opens(argument) => self.opens(argument),
            Shape::OldMmap => self.old_mmap(),
        }
    }

    fn plain(&mut self) {
        self.reserve(HEAD_BYTES);
        self.head();
        self.returned();
        self.submit();
        self.asm.jump(self.out);
    }

    /// With the file's name.
    fn opens(&mut self, argument: usize) {
        self.with_text(|draft, bytes| draft.user_text(argument, bytes), Self::opened);
    }

    /// A record with a text: read once more, into a larger record, if it is long. `read` has so many
    /// bytes for it behind the head, and leaves its length in r9, the 0 included.
    pub fn with_text(&mut self, read: impl Fn(&mut Self, i16), told: impl Fn(&mut Self)) {
        let [short, long] = PATHS_BYTES;
        let fits = self.asm.label();
        self.reserve(HEAD_BYTES + short);
        read(self, short);
        self.asm.jump_if(R9, Condition::SignedLess, short.into(), fits);
        self.asm.mov(R1, R8);
        self.asm.mov_imm(R2, NO_WAKEUP);
        self.asm.call(Helper::RingbufDiscard);
        self.reserve(HEAD_BYTES + long);
        read(self, long);
        told(self);
        self.asm.place(fits);
        told(self);
    }

    /// With its arguments, to which its only one points.
    fn old_mmap(&mut self) {
        self.reserve(HEAD_BYTES + OLD_MMAP_BYTES);
        self.call_argument(R3, R9, 0);
        self.asm.mov(R1, R8);
        self.asm.add_imm(R1, HEAD_BYTES.into());
        self.asm.mov_imm(R2, OLD_MMAP_BYTES.into());
        self.asm.call(Helper::ProbeReadUser);
        self.asm.mov(R9, R0);
        self.opened();
    }

    fn opened(&mut self) {
        self.head();
        self.asm.store(Width::Word, R8, field::EXTRA, R9);
        self.user_registers(R9);
        self.returned();
        self.submit();
        self.asm.jump(self.out);
    }

    /// r9 = the length of the text that an argument points to, its 0 included; or an error.
    fn user_text(&mut self, argument: usize, bytes: i16) {
        self.user_registers(R9);
        self.call_argument(R3, R9, argument);
        self.asm.mov(R1, R8);
        self.asm.add_imm(R1, HEAD_BYTES.into());
        self.asm.mov_imm(R2, bytes.into());
        self.asm.call(Helper::ProbeReadUserStr);
        self.asm.mov(R9, R0);
    }

    /// Registers and stack; r6 is spent. The whole is read at once, which costs least; where a page
    /// isn't there (it is the stack's upper end, or nobody has touched it), KiB by KiB.
    fn user_stack(&mut self, bytes: u16) {
        let told = self.asm.label();
        for (n, offset) in self.layout.unwind.into_iter().enumerate() {
            self.asm.load(Width::Double, R1, R9, offset);
            self.asm.store(Width::Double, R8, HEAD_BYTES + 8 * n as i16, R1);
        }
        self.stack_piece(0, bytes);
        let pieces = bytes / PIECE_BYTES;
        self.asm.mov_imm(R6, (1 << pieces) - 1);
        self.asm.jump_if(R0, Condition::Equal, 0, told);
        self.asm.mov_imm(R6, 0);
        for piece in 0..pieces {
            let missing = self.asm.label();
            self.stack_piece(piece * PIECE_BYTES, PIECE_BYTES);
            self.asm.jump_if(R0, Condition::NotEqual, 0, missing);
            self.asm.add_imm(R6, 1 << piece);
            self.asm.place(missing);
        }
        self.asm.place(told);
        self.asm.store(Width::Word, R8, field::EXTRA, R6);
    }

    fn stack_piece(&mut self, from: u16, bytes: u16) {
        let [_, sp, ..] = self.layout.unwind;
        self.asm.load(Width::Double, R3, R9, sp);
        // Whole pieces, so that none lies in two pages.
        self.asm.and_imm(R3, -i32::from(PIECE_BYTES));
        self.asm.add_imm(R3, from.into());
        self.asm.mov(R1, R8);
        self.asm.add_imm(R1, i32::from(HEAD_BYTES + REGISTERS_BYTES) + i32::from(from));
        self.asm.mov_imm(R2, bytes.into());
        self.asm.call(Helper::ProbeReadUser);
    }
}
