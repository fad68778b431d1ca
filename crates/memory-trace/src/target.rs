//! What to run: one description for the traced run and for the untraced one.

mod wiring;

pub use wiring::Stream;
pub(crate) use wiring::{Step, Wiring};

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// A program, its arguments and its surroundings.
///
/// Everything that isn't said is inherited: environment, directory, standard streams, signal mask,
/// limits. `SIGPIPE` gets its default action back, as [`Command`] does it.
///
/// An experiment compares runs of the same program, so both kinds must start it alike: same
/// environment in the same order, same descriptors, same signal mask. A [`Target`] describes the
/// start once; [`Launch`](crate::launch::Launch) and [`Target::to_command`] both follow it
/// to the letter, through the same code in the child.
#[derive(Clone, Debug)]
#[must_use = "each of its functions gives a changed one"]
pub struct Target {
    program: OsString,
    args: Vec<OsString>,
    /// `None`: the variable is removed.
    variables: BTreeMap<OsString, Option<OsString>>,
    current_dir: Option<PathBuf>,
    streams: [Stream; 3],
    inherited: Vec<Arc<OwnedFd>>,
    unblock_signals: bool,
    die_with_parent: bool,
}

impl Target {
    /// A target without arguments that inherits everything. A name without a slash is looked up
    /// in the target's own `PATH`.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            variables: BTreeMap::new(),
            current_dir: None,
            streams: [const { Stream::Inherit }; 3],
            inherited: Vec::new(),
            unblock_signals: false,
            die_with_parent: false,
        }
    }

    /// Appends an argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Appends arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), Some(value.into()));
        self
    }

    /// Removes an environment variable.
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), None);
        self
    }

    /// Runs it in this directory. A relative program name with a slash counts from there.
    pub fn current_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.current_dir = Some(directory.into());
        self
    }

    /// Standard input. [`Stream::Stderr`] makes no sense here but is obeyed.
    pub fn stdin(mut self, stream: Stream) -> Self {
        self.streams[0] = stream;
        self
    }

    /// Standard output.
    pub fn stdout(mut self, stream: Stream) -> Self {
        self.streams[1] = stream;
        self
    }

    /// Standard error. Here [`Stream::Stderr`] means the same as [`Stream::Inherit`].
    pub fn stderr(mut self, stream: Stream) -> Self {
        self.streams[2] = stream;
        self
    }

    /// Hands the target this descriptor under the same number. Its close-on-exec flag is cleared
    /// in the child only, so that no other child of this process gets it too.
    pub fn inherit(mut self, fd: Arc<OwnedFd>) -> Self {
        self.inherited.push(fd);
        self
    }

    /// Starts it with no signal blocked, whatever the calling thread blocks: for a host that
    /// blocks signals in order to read them from a signalfd.
    pub fn unblock_signals(mut self, unblock: bool) -> Self {
        self.unblock_signals = unblock;
        self
    }

    /// Has the kernel kill the target when the *thread* that spawned it ends, however it ends.
    /// Only for [`to_command`](Self::to_command): a launched child always ends with its launcher.
    /// The target's own children aren't covered, nor a set-uid program (it clears the wish).
    ///
    /// # References
    /// PR_SET_PDEATHSIG(2const)
    pub fn die_with_parent(mut self, die: bool) -> Self {
        self.die_with_parent = die;
        self
    }

    /// The program as it was given.
    pub fn program(&self) -> &OsStr {
        &self.program
    }

    /// Program and arguments, for a report.
    pub fn command_line(&self) -> Vec<OsString> {
        std::iter::once(&self.program).chain(&self.args).cloned().collect()
    }

    /// The directory to run in, if one was set.
    pub(crate) fn directory(&self) -> Option<&Path> {
        self.current_dir.as_deref()
    }

    /// The whole environment of the target, sorted by name. (Its order moves the stack of the new
    /// process, so that it must be the same in all runs.)
    pub(crate) fn environment(&self) -> BTreeMap<OsString, OsString> {
        let mut environment: BTreeMap<_, _> = std::env::vars_os().collect();
        for (name, value) in &self.variables {
            match value {
                Some(value) => environment.insert(name.clone(), value.clone()),
                None => environment.remove(name),
            };
        }
        environment
    }

    /// What is left to do in the child between fork and exec.
    pub(crate) fn wiring(&self) -> Wiring {
        Wiring::new(&self.streams, &self.inherited, self.unblock_signals)
    }

    /// The same start without a tracer. Streams that are [`Stream::Inherit`] may still be
    /// redirected through the `Command`, the others are settled.
    pub fn to_command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).env_clear().envs(self.environment());
        if let Some(directory) = &self.current_dir {
            command.current_dir(directory);
        }
        self.wiring().attach(&mut command, self.die_with_parent);
        command
    }
}
