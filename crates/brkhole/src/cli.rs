//! The command line. Help, manual pages and completions are derived from it.

mod arguments;
mod complete;
mod inspect;
mod manual;
mod run;
mod trim;

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand, ValueHint};
use clap_complete::CompleteEnv;
use human_text::shell_words;

pub(crate) use arguments::{Format, OutputArguments, chosen};
pub(crate) use complete::script;
pub(crate) use inspect::{InspectArguments, InspectFormat};
pub(crate) use run::{CompareArguments, ExplainArguments, TraceArguments, ViaArgument};
pub(crate) use trim::TrimArguments;

/// Why did this process's heap blow up?
#[derive(Debug, Parser)]
#[command(version, after_help = IN_SHORT, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// All of help fits on a terminal of 24 lines, prompt included.
const IN_SHORT: &str = "\
Examples:
  brkhole trace nginx -t    what made nginx's heap grow
  brkhole inspect --all     who keeps memory that could be given back

Exit status: 0 done, 1 failed, 2 bad usage; of `trace COMMAND` COMMAND's own.";

const EXAMPLES: &str = "\
Examples:
  brkhole trace nginx -t                       what made nginx's heap grow
  brkhole trace -p 1234 --duration 30          a running process and its children
  strace -f -o log nginx -t; brkhole explain log
  brkhole compare python3 script.py            with the break free, and with it blocked
  brkhole inspect --all                        who keeps memory that could be given back
  brkhole trim 1234                            have a process give it back

Exit status: 0 done, 1 failed, 2 bad usage; `trace COMMAND` ends with COMMAND's own status
(128 + n if signal n killed it).";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Tell what made the heap of a command or a running process grow
    Trace(TraceArguments),
    /// Tell the same from a log that strace wrote
    Explain(ExplainArguments),
    /// Run a command with its break free and with it blocked
    Compare(CompareArguments),
    /// Tell what malloc keeps and could return in running processes
    Inspect(InspectArguments),
    /// Have a running process give back what its malloc keeps free
    Trim(TrimArguments),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages
    Man {
        /// Where to: an existing directory
        #[arg(value_hint = ValueHint::DirPath)]
        directory: PathBuf,
    },
}

/// Answers a shell that asks, and ends; otherwise does nothing.
pub(crate) fn answer() {
    let cli = CompleteEnv::with_factory(Cli::command);
    cli.var(complete::VARIABLE).complete();
}

/// What was typed; what can't be read ends the process. A command in a subcommand's place is answered
/// with what to type.
pub(crate) fn parsed() -> Cli {
    Cli::try_parse().unwrap_or_else(|mut error| {
        let word = env::args_os().nth(1).unwrap_or_default();
        if error.kind() == ErrorKind::InvalidSubcommand && complete::is_command(&word) {
            let trace = ["brkhole", "trace"].map(OsString::from).into_iter();
            let typed = shell_words(trace.chain(env::args_os().skip(1)));
            let tip = format!("to see what makes it grow: {typed}").into();
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
            error.remove(ContextKind::SuggestedSubcommand);
        }
        // It would make a command, or a PID, of a misspelt option.
        if error.kind() == ErrorKind::UnknownArgument {
            error.remove(ContextKind::Suggested);
        }
        error.exit()
    })
}

/// Writes one manual page for the command and one for each subcommand.
pub(crate) fn man(directory: &Path) -> anyhow::Result<ExitCode> {
    manual::write(directory)
        .with_context(|| format!("can't write manual pages to {}", directory.display()))?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    /// As with strace and heaptrack: what stands behind the command's name is the command's.
    #[test]
    fn options_behind_the_command_are_its_own() {
        for words in
            ["--hole nginx -t --pid 3 --hole -- x", "--hole -- nginx -t --pid 3 --hole -- x"]
        {
            let words = format!("brkhole trace {words}");
            let Command::Trace(trace) = Cli::parse_from(words.split(' ')).command else {
                panic!("{words}");
            };
            assert_eq!((trace.hole, trace.pids), (true, vec![]));
            assert_eq!(trace.command.join(" ".as_ref()), *"nginx -t --pid 3 --hole -- x");
        }
        let words = "brkhole compare --repeats 3 nginx --repeats 4";
        let Command::Compare(compare) = Cli::parse_from(words.split(' ')).command else {
            panic!("{words}");
        };
        assert_eq!((compare.repeats, compare.command.len()), (3, 3));
        let misspelt = Cli::try_parse_from(["brkhole", "trace", "--hol", "nginx"]);
        assert!(misspelt.is_err(), "{misspelt:?}");
    }

    #[test]
    fn a_process_may_be_named_in_short() {
        let cli = Cli::parse_from(["brkhole", "trace", "-p", "7"]);
        assert!(matches!(cli.command, Command::Trace(trace) if trace.pids == [7]));
    }
}
