//! What a shell offers for a word that isn't finished: the shell asks this program at each Tab.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, DirEntry};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::{env, io};

use clap_complete::Shell;
use clap_complete::engine::{
    ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};
use clap_complete::env::Shells;
use human_text::{printable, shell_words};

use crate::processes::{command_line, of_process};

/// Set where a shell asks.
pub(super) const VARIABLE: &str = "BRKHOLE_COMPLETE";

/// What has a shell ask.
///
/// # Errors
/// When memory can't be written to.
pub(crate) fn script(shell: Shell) -> io::Result<Vec<u8>> {
    let mut script = Vec::new();
    let name = shell.to_string();
    let known = Shells::builtins();
    let completer = known.completer(&name).ok_or(io::ErrorKind::Unsupported)?;
    completer.write_registration(VARIABLE, "brkhole", "brkhole", "brkhole", &mut script)?;
    if shell == Shell::Zsh {
        // From a directory of $fpath it is read at the first Tab, which is to be answered as well.
        script.extend_from_slice(
            b"[[ $funcstack[1] = _brkhole ]] && _clap_dynamic_completer_brkhole \"$@\"\n",
        );
    }
    Ok(script)
}

/// Processes by number, each with its name. The kernel's own have no memory to look into.
pub(crate) fn pids() -> ArgValueCompleter {
    ArgValueCompleter::new(|begun: &OsStr| {
        let pids = running().into_iter().map(|pid| {
            let comm = text_of(pid, "comm");
            (pid.to_string(), comm.trim_end().to_owned())
        });
        let pids = pids.filter(|(pid, _)| begins(pid, begun));
        let candidate = |(pid, comm): (String, String)| {
            CompletionCandidate::new(pid).help(Some(printable(&comm).into()))
        };
        pids.map(candidate).collect()
    })
}

/// The command names of those.
pub(crate) fn names() -> ArgValueCompleter {
    one_of(|pid| vec![text_of(pid, "comm").trim_end().to_owned()])
}

/// The units that they belong to.
pub(crate) fn units() -> ArgValueCompleter {
    one_of(|pid| {
        let cgroups = text_of(pid, "cgroup");
        let parts = cgroups.lines().flat_map(|line| line.split('/'));
        let units = parts.filter(|part| part.ends_with(".service") || part.ends_with(".scope"));
        units.map(str::to_owned).collect()
    })
}

/// A command, then its arguments, which may be files.
pub(crate) fn command() -> ArgValueCompleter {
    ArgValueCompleter::new(CommandAndArguments)
}

struct CommandAndArguments;

impl ValueCompleter for CommandAndArguments {
    fn complete(&self, begun: &OsStr) -> Vec<CompletionCandidate> {
        self.complete_at(0, begun)
    }

    fn complete_at(&self, place: usize, begun: &OsStr) -> Vec<CompletionCandidate> {
        if place > 0 || begun.as_bytes().contains(&b'/') {
            return PathCompleter::any().complete(begun);
        }
        let names = commands().map(|file| file.file_name().to_string_lossy().into_owned());
        offered(names.filter(|name| begins(name, begun)))
    }
}

/// What can be run by its name.
fn commands() -> impl Iterator<Item = DirEntry> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories: Vec<_> = env::split_paths(&path).collect();
    let files = directories.into_iter().filter_map(|directory| fs::read_dir(directory).ok());
    files.flatten().flatten().filter(|file| is_executable(&file.path()))
}

/// Whether a word would be run as a command by a shell.
pub(super) fn is_command(word: &OsStr) -> bool {
    match word.as_bytes().contains(&b'/') {
        true => is_executable(Path::new(word)),
        false => commands().any(|file| file.file_name() == word),
    }
}

fn is_executable(file: &Path) -> bool {
    let metadata = fs::metadata(file);
    metadata.is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// What is said of running processes and begins so, each once.
fn one_of(said: impl Fn(i32) -> Vec<String> + Send + Sync + 'static) -> ArgValueCompleter {
    ArgValueCompleter::new(move |begun: &OsStr| {
        let said = running().into_iter().flat_map(&said);
        offered(said.filter(|text| begins(text, begun)))
    })
}

/// Those that mean themselves to a shell: it puts them on the command line as they are, and any
/// process may give itself a name that is a command to it.
fn offered(texts: impl Iterator<Item = String>) -> Vec<CompletionCandidate> {
    let each: BTreeSet<_> = texts.filter(|text| shell_words([text]) == *text).collect();
    each.into_iter().map(CompletionCandidate::new).collect()
}

fn begins(text: &str, begun: &OsStr) -> bool {
    text.as_bytes().starts_with(begun.as_bytes())
}

fn running() -> Vec<i32> {
    let mut pids = proc_memory::all_pids().unwrap_or_default();
    pids.retain(|&pid| command_line(pid).is_some());
    pids
}

fn text_of(pid: i32, file: &str) -> String {
    String::from_utf8_lossy(&of_process(pid, file)).into_owned()
}
