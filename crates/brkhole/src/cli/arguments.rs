//! Arguments that several commands have: which processes are meant (by number, by command name, by
//! systemd unit or cgroup), for how long, and where results go.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::complete::{names, pids, units};
use crate::processes::{belongs_to_cgroup, listed, of_process, unified_cgroup};

/// Bytes of a command name that the kernel keeps.
///
/// # References
/// prctl(2), `PR_SET_NAME`: 16 with the zero at the end
const COMM_BYTES: usize = 15;

/// Processes by what they are called and where they belong; what is asked for holds together.
#[derive(Clone, Debug, Default, Args)]
#[group(id = "wanted", multiple = true)]
pub(crate) struct Wanted {
    /// Processes with this command name, as ps -C has it
    #[arg(long, value_name = "NAME", add = names())]
    comm: Option<String>,

    /// Processes of this systemd unit, such as nginx.service, or below this cgroup (a path)
    #[arg(long, value_name = "UNIT|CGROUP", add = units())]
    unit: Option<String>,
}

/// The same, or by number.
#[derive(Clone, Debug, Default, Args)]
#[group(skip)]
pub(crate) struct Processes {
    /// Processes by number, one after the other
    #[arg(
        value_name = "PID",
        conflicts_with = "wanted",
        value_delimiter = ',',
        allow_negative_numbers = true, value_parser = pid,
        add = pids(),
    )]
    pub(crate) pids: Vec<i32>,

    #[command(flatten)]
    pub(crate) wanted: Wanted,
}

impl Wanted {
    /// Those that are visible and match now, by number; this process isn't one of them.
    ///
    /// # Errors
    /// When `/proc` can't be listed.
    pub(crate) fn pids(&self) -> anyhow::Result<Vec<i32>> {
        let mut pids =
            proc_memory::all_pids().context("can't list /proc (mount -t proc proc /proc)")?;
        let own = std::process::id().cast_signed();
        pids.retain(|&pid| pid != own && self.matches(pid));
        Ok(pids)
    }

    /// One that has ended meanwhile doesn't.
    fn matches(&self, pid: i32) -> bool {
        let is_named = |comm: &String| {
            let comm = comm.as_bytes();
            let kept = comm.get(..COMM_BYTES).unwrap_or(comm);
            of_process(pid, "comm").strip_suffix(b"\n") == Some(kept)
        };
        let belongs = |unit: &String| {
            belongs_to_cgroup(&String::from_utf8_lossy(&of_process(pid, "cgroup")), unit)
        };
        self.comm.as_ref().is_none_or(is_named) && self.unit.as_ref().is_none_or(belongs)
    }

    /// The cgroup to which more of them may come, if they are meant to be whoever is there; or why
    /// none can be watched.
    pub(crate) fn cgroup(&self, pids: &[i32]) -> Option<Result<PathBuf, String>> {
        let unit = self.unit.as_ref()?;
        Some(match self.comm {
            Some(_) => Err("--comm chooses among those who are there".to_owned()),
            None => unified_cgroup(pids, unit),
        })
    }

    /// Says that nothing matched, and where to look.
    pub(crate) fn nothing(&self) -> String {
        let look = match (&self.comm, &self.unit) {
            (_, Some(_)) => "systemd-cgls",
            (Some(_), None) => "ps -eo pid,comm",
            (None, None) => return "no other process is visible".to_owned(),
        };
        format!("no process is {self}; `{look}` shows what there is")
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let comm = self.comm.iter().map(|comm| format!("named {comm}"));
        let unit = self.unit.iter();
        let unit = unit.map(|unit| format!("in the unit or cgroup {unit}"));
        f.write_str(&comm.chain(unit).collect::<Vec<_>>().join(" and "))
    }
}

/// Those that are given by number, each once, or, without any, those that match now.
///
/// # Errors
/// When none does.
pub(crate) fn chosen(pids: &[i32], wanted: &Wanted) -> anyhow::Result<Vec<i32>> {
    if !pids.is_empty() {
        let mut seen = HashSet::new();
        return Ok(pids.iter().copied().filter(|pid| seen.insert(*pid)).collect());
    }
    let found = wanted.pids()?;
    anyhow::ensure!(!found.is_empty(), wanted.nothing());
    Ok(found)
}

/// Reads a PID from the command line; a name in its place is answered with what to type.
pub(crate) fn pid(text: &str) -> Result<i32, String> {
    match text.parse() {
        Ok(pid) if pid > 0 => return Ok(pid),
        Ok(_) => return Err("a PID is above 0".to_owned()),
        Err(_) => {}
    }
    let name = || Some(text.to_owned());
    let by_name = Wanted { comm: name(), ..Wanted::default() };
    let by_unit = Wanted { unit: name(), ..Wanted::default() };
    for (option, wanted) in [("--comm", by_name), ("--unit", by_unit)] {
        let pids = wanted.pids().unwrap_or_default();
        if !pids.is_empty() {
            return Err(format!("not a PID: did you mean {option} {text} ({})?", listed(&pids)));
        }
    }
    Err("not a PID, and no process or unit that runs has this name".to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct OutputArguments {
    /// How results are written
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,

    /// Write results to this file instead of standard output (-)
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// Everything, for programs
    Json,
    /// A row for each thing that was counted
    Csv,
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let wanted = "expected a number of seconds above 0, such as 30 or 0.5";
    let seconds: f64 = text.parse().map_err(|_| wanted.to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err(wanted.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(pid("7"), Ok(7));
        for text in ["0", "-1"] {
            assert_eq!(pid(text), Err("a PID is above 0".to_owned()));
        }
        for text in ["", "4294967296", "7x", "nobody-is-named-so"] {
            assert!(pid(text).unwrap_err().starts_with("not a PID, and no"), "{text}");
        }
    }

    #[test]
    fn each_is_chosen_once() {
        assert_eq!(chosen(&[7, 9, 7, 8, 9], &Wanted::default()).unwrap(), [7, 9, 8]);
    }

    #[test]
    fn durations() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["0", "-1", "nan", "inf", "soon", "1e300"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
