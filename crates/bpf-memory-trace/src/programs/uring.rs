//! Files that io_uring opens and closes, by the thread that asks for it or by a worker of its
//! process: no system call tells of these. What is told is told of the thread that asked.
//!
//! # References
//! `io_uring/openclose.c`; io_uring_enter(2), `IORING_OP_OPENAT`, `IORING_OP_CLOSE`

use super::draft::Draft;
use super::{Context, Scope};
use crate::asm::{Code, Condition, Helper, Register, Register::*, Width};
use crate::layout::{Layout, UringLayout};
use crate::record::{HEAD_BYTES, URING_ASKS, URING_CLOSES, URING_OPENS, field};

/// fentry of `io_openat2(request, flags)`. The name is gone when it returns.
pub fn asks(layout: &Layout, uring: &UringLayout, scope: Scope) -> Code {
    let mut draft = Draft::new(layout, Context::Arguments);
    draft.kind(URING_ASKS);
    draft.only_watched(scope);
    draft.with_text(
        |draft, bytes| {
            draft.request(R9);
            draft.peek(Width::Double, R9, R9, uring.open_name);
            draft.peek(Width::Double, R3, R9, uring.name);
            draft.asm.mov(R1, R8);
            draft.asm.add_imm(R1, HEAD_BYTES.into());
            draft.asm.mov_imm(R2, bytes.into());
            draft.asm.call(Helper::ProbeReadKernelStr);
            draft.asm.mov(R9, R0);
        },
        |draft| {
            draft.head();
            draft.asm.store(Width::Word, R8, field::EXTRA, R9);
            draft.request(R9);
            draft.argument(5, R9);
            for (n, width, offset) in [
                (0, Width::Word, uring.open_directory),
                (2, Width::Double, uring.open_flags),
                (3, Width::Double, uring.open_mode),
                (4, Width::Word, uring.open_slot),
            ] {
                draft.peek(width, R1, R9, offset);
                draft.argument(n, R1);
            }
            draft.submit_of_asker(uring);
        },
    );
    draft.finish()
}

/// fexit of `io_openat2(request, flags)`: with its result, unless it is going to be made again.
pub fn opens(layout: &Layout, uring: &UringLayout, scope: Scope) -> Code {
    let mut draft = Draft::new(layout, Context::Arguments);
    draft.kind(URING_OPENS);
    draft.done(uring, scope);
    draft.argument(5, R9);
    draft.submit_of_asker(uring);
    draft.finish()
}

/// fexit of `io_close(request, flags)`.
pub fn closes(layout: &Layout, uring: &UringLayout, scope: Scope) -> Code {
    let mut draft = Draft::new(layout, Context::Arguments);
    draft.kind(URING_CLOSES);
    draft.done(uring, scope);
    for (n, offset) in [(0, uring.close_fd), (4, uring.close_slot)] {
        draft.peek(Width::Word, R1, R9, offset);
        draft.argument(n, R1);
    }
    draft.submit_of_asker(uring);
    draft.finish()
}

impl Draft<'_> {
    fn request(&mut self, to: Register) {
        self.asm.load(Width::Double, to, R6, 0);
    }

    /// `to` = what the kernel has there, or 0 if that can't be read.
    fn peek(&mut self, width: Width, to: Register, base: Register, offset: i16) {
        const VALUE: i16 = -32;
        self.asm.mov(R3, base);
        self.asm.add_imm(R3, offset.into());
        self.asm.stack_address(R1, VALUE, width.bytes());
        self.asm.mov_imm(R2, width.bytes().into());
        self.asm.call(Helper::ProbeReadKernel);
        self.asm.load(width, to, Fp, VALUE);
    }

    /// A record's head with the request's result; r9 = the request.
    fn done(&mut self, uring: &UringLayout, scope: Scope) {
        // Behind the two arguments. It is -EAGAIN if a worker is to make it.
        self.asm.load(Width::Double, R1, R6, 16);
        self.asm.jump_if(R1, Condition::NotEqual, 0, self.out);
        self.only_watched(scope);
        self.reserve(HEAD_BYTES);
        self.head();
        self.request(R9);
        self.peek(Width::Word, R1, R9, uring.result);
        self.asm.store(Width::Double, R8, field::RESULT, R1);
    }

    /// Gives the record to the reader, as one of the thread that asked for what r9 points to.
    fn submit_of_asker(&mut self, uring: &UringLayout) {
        for offset in &uring.asker {
            self.peek(Width::Double, R9, R9, *offset);
        }
        self.peek(Width::Word, R1, R9, self.layout.task_tid);
        self.asm.store(Width::Word, R8, field::TID, R1);
        self.submit();
        self.asm.jump(self.out);
    }
}
