//! Manual pages and completions.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::CommandFactory;

use crate::cli::Cli;

/// Prints completions for a shell.
pub(crate) fn completions(shell: clap_complete::Shell) -> anyhow::Result<ExitCode> {
    clap_complete::generate(shell, &mut Cli::command(), "brkhole", &mut io::stdout());
    Ok(ExitCode::SUCCESS)
}

/// Writes one manual page for the command and one for each subcommand.
pub(crate) fn man(directory: &Path) -> anyhow::Result<ExitCode> {
    clap_mangen::generate_to(Cli::command(), directory)
        .with_context(|| format!("can't write manual pages to {}", directory.display()))?;
    Ok(ExitCode::SUCCESS)
}
