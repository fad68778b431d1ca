//! N SSL contexts in a memory budget, until the OOM killer comes.

use repro::oom::Reserve;
use std::process::ExitCode;

// SAFETY: no constructor of this binary starts a thread.
brk_hole::punch_before_main!(unsafe static TRICK, if repro::arm::wants_hole);

#[global_allocator]
static MALLOC_AND_A_RESERVE: Reserve = Reserve::new();

fn main() -> ExitCode {
    repro::oom::main(&TRICK)
}
