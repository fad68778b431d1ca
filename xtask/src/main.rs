//! The repository's own chores: `cargo xtask --help` lists them.

#[cfg(test)]
use suite as _;

mod commands;
mod dist;
mod documents;
mod figures;
mod kernels;
mod links;
mod reference_runs;

use clap::Parser;
use std::process::ExitCode;

/// The repository's own chores.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", subcommand_required = true)]
enum Chore {
    /// Fill the figures and output blocks of README and book from runs/.
    Figures {
        /// Fail where text or chart and committed run differ, and write nothing.
        #[arg(long)]
        check: bool,
    },
    /// Run the commands of README and book.
    Commands {
        /// Fail where a command's program isn't installed, instead of skipping it.
        #[arg(long)]
        strict: bool,
        /// Only those of these documents.
        files: Vec<String>,
    },
    /// Check the relative links and anchors of READMEs and book.
    Links,
    /// Make packages and tarballs in target/dist.
    Dist(dist::DistOptions),
    /// Run the tests that depend on the kernel on Debian's kernels, in QEMU.
    Kernels(kernels::KernelsOptions),
    /// Check that the licences of all crates that are used are allowed.
    Licences,
    /// Make runs/ anew on this machine, then fill the figures.
    ReferenceRuns {
        /// Only these.
        #[arg(value_parser = reference_runs::names())]
        names: Vec<String>,
    },
}

fn main() -> ExitCode {
    let done = match Chore::parse() {
        Chore::Figures { check: false } => figures::fill(),
        Chore::Figures { check: true } => figures::check(),
        Chore::Commands { strict, files } => commands::run(strict, &files),
        Chore::Links => links::check(),
        Chore::Dist(options) => dist::make(&options),
        Chore::Kernels(options) => kernels::test(&options),
        Chore::Licences => dist::check_licences(),
        Chore::ReferenceRuns { names } => reference_runs::make(&names),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
