//! The programs: one function each, made of the parts in `draft`.
//!
//! | program | attached to |
//! |---|---|
//! | [`returned`] | fexit of one of [`functions`] |
//! | [`any_returned`] | tp_btf `sys_exit`, or kretprobe.multi of all [`functions`] |
//! | [`uring`]'s | fentry and fexit of `io_openat2`, fexit of `io_close` |
//! | [`forked`], [`executed`], [`exited`] | tp_btf `sched_process_fork`, `_exec`, `_exit` |

mod draft;
mod told;
pub mod uring;

use crate::asm::{Assembler, Code, Condition, Helper, Register::*, Width};
use crate::layout::Layout;
use crate::record::{EXEC, EXIT, FOLLOW, FORK, HEAD_BYTES, field};
use draft::{Draft, FLAGS};

pub use draft::{CGROUP, Context, EVERYBODY, LOST, RING, Scope, WATCHED, Wanted};
pub use told::{Abi, ToldCall, functions};

/// Bytes reserved for the path of a new program.
const EXEC_PATH_BYTES: i16 = 256;

/// Does nothing.
pub fn nothing() -> Code {
    let mut asm = Assembler::default();
    asm.mov_imm(R0, 0);
    asm.exit();
    asm.assemble().expect("it ends")
}

/// One call came back.
pub fn returned(layout: &Layout, wanted: Wanted, call: ToldCall) -> Code {
    let mut draft = Draft::new(layout, Context::Arguments);
    draft.abi = call.abi;
    draft.kind(call.kind);
    draft.only_watched(wanted.scope);
    draft.user_registers(R9);
    draft.call(call.shape, wanted);
    draft.finish()
}

/// Any call of any process came back: goes on only for calls that are told. Functions that do
/// nothing else are few: there, whether the process is watched is asked first.
pub fn any_returned(layout: &Layout, wanted: Wanted, context: Context) -> Code {
    let mut draft = Draft::new(layout, context);
    if context == Context::Registers {
        draft.only_watched(wanted.scope);
    }
    draft.user_registers(R9);
    let i386 = draft.asm.label();
    draft.branch_if_i386(i386);
    draft.any_call(wanted, Abi::Native);
    draft.asm.place(i386);
    draft.any_call(wanted, Abi::I386);
    draft.finish()
}

/// `sched_process_fork(parent, child)`: before the child runs. It is watched from here on, if that
/// has to be written down.
pub fn forked(layout: &Layout, scope: Scope) -> Code {
    let mut draft = Draft::new(layout, Context::Arguments);
    let is_told = draft.asm.label();
    draft.kind(FORK);
    draft.only_watched(scope);
    let asm = &mut draft.asm;
    asm.load(Width::Double, R9, R6, 8);
    asm.load(Width::Word, R1, R9, layout.task_pid);
    // A thread of the same process; or this process is watched for a moment only, or as all are.
    asm.mov(R2, R7);
    asm.shift_right(R2, 32);
    asm.jump_if_reg(R1, Condition::Equal, R2, is_told);
    asm.load(Width::Word, R2, Fp, FLAGS);
    asm.jump_if(R2, Condition::NotEqual, FOLLOW.into(), is_told);
    asm.mov(R0, R1);
    draft.watched();
    draft.asm.store_imm(Width::Byte, R1, 0, FOLLOW.into());
    draft.asm.place(is_told);
    draft.reserve(HEAD_BYTES);
    draft.head();
    for (n, offset) in [layout.task_pid, layout.task_tid].into_iter().enumerate() {
        draft.asm.load(Width::Word, R1, R9, offset);
        draft.argument(n, R1);
    }
    draft.submit();
    draft.finish()
}

/// `sched_process_exec(task, former_tid, binprm)`
pub fn executed(layout: &Layout, scope: Scope) -> Code {
    let mut draft = Draft::new(layout, Context::Arguments);
    draft.kind(EXEC);
    draft.only_watched(scope);
    draft.reserve(HEAD_BYTES + EXEC_PATH_BYTES);
    draft.head();
    draft.asm.load(Width::Word, R1, R6, 8);
    draft.argument(0, R1);
    draft.asm.load(Width::Double, R9, R6, 16);
    let (byte, bit) = layout.binprm_secure;
    draft.asm.load(Width::Byte, R1, R9, byte);
    draft.asm.and_imm(R1, bit.into());
    draft.argument(1, R1);
    draft.asm.load(Width::Double, R3, R9, layout.binprm_filename);
    draft.asm.mov(R1, R8);
    draft.asm.add_imm(R1, HEAD_BYTES.into());
    draft.asm.mov_imm(R2, EXEC_PATH_BYTES.into());
    draft.asm.call(Helper::ProbeReadKernelStr);
    draft.asm.store(Width::Word, R8, field::EXTRA, R0);
    draft.submit();
    draft.finish()
}

/// `sched_process_exit(task)`: with the last thread, the process is no longer watched.
pub fn exited(layout: &Layout, scope: Scope) -> Code {
    let mut draft = Draft::new(layout, Context::Arguments);
    let lives = draft.asm.label();
    draft.kind(EXIT);
    draft.only_watched(scope);
    let asm = &mut draft.asm;
    asm.load(Width::Double, R9, R6, 0);
    asm.load(Width::Double, R9, R9, layout.task_signal);
    asm.load(Width::Word, R1, R9, layout.signal_live);
    asm.jump_if(R1, Condition::NotEqual, 0, lives);
    draft.forget();
    draft.asm.place(lives);
    draft.reserve(HEAD_BYTES);
    draft.head();
    draft.asm.load(Width::Double, R1, R6, 0);
    draft.asm.load(Width::Word, R1, R1, layout.task_exit_code);
    draft.argument(0, R1);
    let of_process = [layout.signal_exit_code, layout.signal_flags, layout.signal_live];
    for (n, offset) in of_process.into_iter().enumerate() {
        draft.asm.load(Width::Word, R1, R9, offset);
        draft.argument(n + 1, R1);
    }
    draft.asm.load(Width::Double, R1, R6, 0);
    draft.asm.load(Width::Double, R1, R1, layout.task_leader);
    draft.asm.load(Width::Word, R1, R1, layout.task_exit_code);
    draft.argument(4, R1);
    draft.submit();
    draft.finish()
}

#[cfg(test)]
mod tests;
