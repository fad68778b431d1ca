//! Chapter `oom`: a real OOM kill, safely.
//!
//! The case began with the OOM killer. Here each child is alone in a memory cgroup of its own and
//! loads contexts until the kernel ends it; or, under a resource limit, until OpenSSL gets no
//! memory. How many locations fit a budget, with the break free and blocked, and with the bundle
//! parsed once; and how many of them survive a reload, when old and new ones are alive together.

mod experiment;
mod flags;
mod judge;
mod report;
mod reserve;
mod results;
mod run;
mod work;

pub use reserve::Reserve;

use crate::chapter;
use crate::drive::as_either;
use crate::memory_limit::guard;
use brk_hole::BeforeMain;
use clap::Parser;
use flags::{NAME, OomFlags};
use std::ffi::OsString;
use std::process::ExitCode;

/// The `main` of the parent, of a child, or of a cgroup guard, whichever this process is.
pub fn main(trick: &BeforeMain) -> ExitCode {
    if guard::is_guard() {
        return guard::main();
    }
    let work = |arguments: &[OsString]| work::main(arguments, trick);
    as_either(NAME, work, || parent(&OomFlags::parse()))
}

fn parent(flags: &OomFlags) -> anyhow::Result<ExitCode> {
    flags.output.of(NAME, None, |stop, bar, after_run| {
        let bundle = chapter::bundle(flags.bundle.as_deref())?;
        let environment = chapter::describe(Some(&bundle))?;
        experiment::run(flags, &bundle, environment, stop, bar, after_run)
    })
}
