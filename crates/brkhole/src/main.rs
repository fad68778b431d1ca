//! `brkhole`: why did this process's heap blow up?

#![deny(unsafe_code)]

#[cfg(test)]
use suite as _;

mod cli;
mod compare;
mod explain;
mod hooks;
mod inspect;
mod output;
mod processes;
mod remedy;
mod service;
mod signals;
mod trace;
mod trim;

use std::process::ExitCode;

use cli::Command;
use heap_meter::report::printable;

fn main() -> ExitCode {
    cli::answer();
    let cli = cli::parsed();
    let outcome = match &cli.command {
        Command::Trace(arguments) => trace::run(arguments),
        Command::Explain(arguments) => explain::run(arguments),
        Command::Compare(arguments) => compare::run(arguments),
        Command::Inspect(arguments) => inspect::run(arguments),
        Command::Trim(arguments) => match (arguments.watch, arguments.above) {
            (Some(interval), Some(above)) => service::run(arguments, interval, above),
            _ => trim::run(arguments),
        },
        Command::Completions { shell } => cli::script(*shell)
            .map_err(Into::into)
            .and_then(output::to_stdout)
            .map(|_| ExitCode::SUCCESS),
        Command::Man { directory } => cli::man(directory),
    };
    outcome.unwrap_or_else(|error| {
        let told = told(&error);
        let lines: Vec<_> = told.split('\n').map(printable).collect();
        eprintln!("brkhole: {}", lines.join("\n"));
        ExitCode::FAILURE
    })
}

/// An error and its causes; some tell their cause themselves, and it is not told twice.
fn told(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}
