//! How much memory Lua gets when C has taken some, with the break free and blocked.

use std::process::ExitCode;

// SAFETY: no constructor of this binary starts a thread.
brk_hole::punch_before_main!(unsafe static TRICK, if repro::arm::wants_hole);

fn main() -> ExitCode {
    repro::low_memory::main(&TRICK)
}
