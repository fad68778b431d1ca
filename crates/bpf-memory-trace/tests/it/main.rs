//! Programs in the kernel, held against strace and against the kernel's own refusals. Where bpf(2)
//! is refused, they say so.

use suite as _;

mod harness;
mod i386;
mod lost;
mod rights;
mod stacks;
mod strace;
mod uring;
mod watched;

suite::compiling!();
