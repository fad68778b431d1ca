//! Chapter `oom`: a real OOM kill, safely.
//!
//! The case began with the OOM killer. Here each child is alone in a memory cgroup of its own and
//! loads contexts until the kernel ends it; or, under a resource limit, until OpenSSL gets no
//! memory. How many locations fit a budget, with the break free and blocked, and with the bundle
//! parsed once; and how many of them survive a reload, when old and new ones are alive together.

mod comparison;
mod experiment;
mod flags;
mod judge;
mod report;
mod reserve;
mod results;
mod run;
mod task;
mod work;

pub use reserve::Reserve;

use crate::drive::{Output, exit_code};
use crate::memory_limit::guard;
use crate::{arm, chapter};
use brk_hole::BeforeMain;
use clap::Parser;
use flags::{NAME, OomFlags};
use std::process::ExitCode;

/// The `main` of the parent, of a child, or of a cgroup guard, whichever this process is.
pub fn main(trick: &BeforeMain) -> ExitCode {
    if guard::is_guard() {
        return guard::main();
    }
    let status = if arm::is_child() {
        work::main(trick)
    } else {
        parent(&OomFlags::parse())
    };
    exit_code(NAME, status)
}

fn parent(flags: &OomFlags) -> anyhow::Result<ExitCode> {
    let output = Output {
        name: NAME,
        format: flags.format,
        chart: None,
        out: flags.out.as_deref(),
    };
    output.of(|stop, bar, after_run| {
        let bundle = chapter::bundle(flags.bundle.as_deref())?;
        let environment = chapter::describe(Some(&bundle))?;
        experiment::run(flags, &bundle, environment, stop, bar, after_run)
    })
}
