//! What a child will need, put together while there is still time to allocate.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use super::{LaunchError, NATIVE_ARCHITECTURE, filter};
use crate::target::{Step, Target, Wiring};

/// How closely a program is watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Watch {
    /// Every watched system call, and the life of processes and threads.
    #[default]
    Calls,
    /// Births, execs and ends alone. There is no seccomp filter and no call stops, so that the
    /// program runs as fast as without a tracer: for taking its time.
    Life,
}

/// All that the child needs, made before the fork.
#[derive(Debug)]
pub(crate) struct Prepared {
    program: OsString,
    /// Files to try, in this order.
    pub(super) candidates: Vec<CString>,
    /// The program's name, then the arguments.
    pub(super) argv: Vec<CString>,
    pub(super) environment: Vec<CString>,
    pub(super) directory: Option<(PathBuf, CString)>,
    pub(super) wiring: Wiring,
    /// `None`: no call is to stop.
    pub(super) filter: Option<Vec<libc::sock_filter>>,
}

impl Prepared {
    pub(crate) fn new(target: &Target, watch: Watch) -> Result<Self, LaunchError> {
        let architecture = NATIVE_ARCHITECTURE.ok_or(LaunchError::Architecture)?;
        let environment = target.environment();
        let path = environment.get(OsStr::new("PATH"));
        let candidates = candidates(target.program(), path.map(OsString::as_os_str));
        let variables = environment.into_iter().map(|(mut pair, value)| {
            pair.push("=");
            pair.push(value);
            pair
        });
        let directory = match target.directory() {
            Some(directory) => Some((directory.to_owned(), c_string(directory.into())?)),
            None => None,
        };
        Ok(Self {
            program: target.program().to_owned(),
            candidates: c_strings(candidates)?,
            argv: c_strings(target.command_line())?,
            environment: c_strings(variables)?,
            directory,
            wiring: target.wiring(),
            filter: (watch == Watch::Calls).then(|| filter::build(architecture)),
        })
    }

    /// The error for what the child said.
    pub(crate) fn error(&self, step: Step, errno: i32) -> LaunchError {
        let source = io::Error::from_raw_os_error(errno);
        let step = match (step, &self.directory) {
            (Step::Exec, _) => {
                return LaunchError::Exec { program: self.program.clone(), source };
            }
            (Step::Directory, Some((directory, _))) => {
                return LaunchError::Directory { directory: directory.clone(), source };
            }
            (Step::Filter, _) => return LaunchError::refused("the seccomp filter", source),
            (Step::Directory, None) => "enter the program's directory",
            (Step::Stream, _) => "redirect the program's standard streams",
            (Step::Inherit, _) => "hand the program a descriptor",
            (Step::Signals, _) => "set the program's signal mask",
        };
        LaunchError::Setup { step, source }
    }
}

/// The files that a program's name may mean: itself if it has a slash, otherwise one in each
/// directory of PATH (an empty entry is the current directory).
fn candidates(program: &OsStr, path: Option<&OsStr>) -> Vec<OsString> {
    if program.is_empty() {
        return Vec::new();
    }
    if program.as_bytes().contains(&b'/') {
        return vec![program.to_owned()];
    }
    // What glibc and musl search when there is no PATH.
    let path = path.map_or(b"/bin:/usr/bin".as_slice(), OsStrExt::as_bytes);
    let in_directory = |directory: &[u8]| {
        let separator: &[u8] = if directory.is_empty() { b"" } else { b"/" };
        OsString::from_vec([directory, separator, program.as_bytes()].concat())
    };
    path.split(|byte| *byte == b':').map(in_directory).collect()
}

fn c_strings(texts: impl IntoIterator<Item = OsString>) -> Result<Vec<CString>, LaunchError> {
    texts.into_iter().map(c_string).collect()
}

fn c_string(text: OsString) -> Result<CString, LaunchError> {
    CString::new(text.into_vec())
        .map_err(|error| LaunchError::Nul { text: OsString::from_vec(error.into_vec()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_program_is_looked_for() {
        let found = |program: &str, path: Option<&str>| {
            candidates(OsStr::new(program), path.map(OsStr::new))
        };
        assert_eq!(found("ls", Some("/a::/b")), ["/a/ls", "ls", "/b/ls"]);
        assert_eq!(found("ls", None), ["/bin/ls", "/usr/bin/ls"]);
        assert_eq!(found("./ls", Some("/a")), ["./ls"]);
        assert!(found("", Some("/a")).is_empty());
    }
}
