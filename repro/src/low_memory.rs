//! Chapter `low-memory`: what the trick had bought.
//!
//! A LuaJIT with 32-bit GC pointers needs its objects below 2 GiB, where the break of a program that
//! isn't position independent grows too. C takes some heap, and then Lua makes objects until it has
//! "not enough memory", with the break free and blocked. It isn't an experiment of checkpoints, since
//! what counts is how far Lua came, so it has a parent of its own.

mod case;
mod flags;
mod judge;
mod measure;
mod memory;
mod randomisation;
mod report;
mod results;
mod work;

use crate::child::Child;
use crate::drive::{Output, exit_code};
use crate::{arm, surroundings};
use brk_hole::BeforeMain;
use clap::Parser;
use flags::{LowMemoryFlags, NAME};
use std::ffi::OsString;
use std::process::ExitCode;

/// `low-memory`'s `main`: the parent's or the child's, whichever this process is.
pub fn main(trick: &BeforeMain) -> ExitCode {
    let status = if arm::is_child() {
        let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
        work::run(&arguments, &Child::new(trick)).map(|()| ExitCode::SUCCESS)
    } else {
        parent(&LowMemoryFlags::parse())
    };
    exit_code(NAME, status)
}

fn parent(flags: &LowMemoryFlags) -> anyhow::Result<ExitCode> {
    let output = Output {
        name: NAME,
        format: flags.format,
        chart: flags.chart.as_deref(),
        out: flags.out.as_deref(),
    };
    output.of(|stop, bar, after_run| {
        // Before the environment is described: that has it as the children will find it.
        let note = randomisation::note(flags.aslr);
        let environment = surroundings::describe(None)?;
        measure::run(flags, environment, note, stop, bar, after_run)
    })
}
