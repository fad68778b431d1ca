//! A program while it runs: when it stands still, that it calls malloc_trim, that it ends.

use super::place::Place;
use super::work::{MARK, Ready, Trim, Work};
use crate::repository::command;
use anyhow::Context;
use heap_meter::process::Process;
use heap_meter::snapshot::Snapshot;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a program may take to stand still: nginx parses the bundle for every location, twice.
const PATIENCE: Duration = Duration::from_secs(600);

/// How often it is looked at.
const TICK: Duration = Duration::from_millis(50);

/// The signal at which the preloaded library calls malloc_trim.
const TRIM: &str = "40";

/// A program that was started; it ends when this is dropped.
#[derive(Debug)]
pub struct Started<'a> {
    work: &'a Work,
    place: &'a Place<'a>,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    pid: i32,
}

impl<'a> Started<'a> {
    /// Starts it, and waits until it stands still.
    ///
    /// # Errors
    ///
    /// When it can't be started, ends early, or takes too long.
    pub fn still(work: &'a Work, place: &'a Place<'a>) -> anyhow::Result<Self> {
        let mark = place.here(MARK);
        if mark.exists() {
            fs::remove_file(&mark)?;
        }
        let mut child = place
            .command("env")?
            .args(work.words(place))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().context("its input is a pipe")?;
        let output = child.stdout.take().context("its output is a pipe")?;
        let mut started = Self {
            work,
            place,
            child,
            input,
            output: BufReader::new(output),
            pid: 0,
        };
        match work.ready {
            Ready::Said => {
                started.hear("ready")?;
                started.pid = started.program()?;
            }
            Ready::Reloaded => started.reload()?,
        }
        started.settle()?;
        Ok(started)
    }

    /// Its number, as this machine counts.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Has it call malloc_trim, and waits until it has.
    ///
    /// # Errors
    ///
    /// When it ends, or takes too long.
    pub fn trim(&mut self) -> anyhow::Result<()> {
        match self.work.trim {
            Trim::Asked => {
                self.input.write_all(b"\n")?;
                self.hear("trimmed")
            }
            Trim::Signalled => {
                self.signal(TRIM)?;
                let mark = self.place.here(MARK);
                self.wait("it calls malloc_trim", |_| Ok(mark.exists().then_some(())))
            }
        }
    }

    fn hear(&mut self, wanted: &str) -> anyhow::Result<()> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let said = line.trim_end();
        anyhow::ensure!(
            said == wanted,
            "{}: it said {said:?} instead of {wanted:?}",
            self.work.name
        );
        Ok(())
    }

    /// Waits for the first workers, has the master reload, and waits until there are only new ones:
    /// by then it has freed its old configuration.
    fn reload(&mut self) -> anyhow::Result<()> {
        let (pid, old) = self.wait("its first workers", |started| {
            let Ok(pid) = started.program() else {
                return Ok(None);
            };
            let workers = children(pid)?;
            Ok((is_called(pid, "nginx") && !workers.is_empty()).then_some((pid, workers)))
        })?;
        self.pid = pid;
        self.signal("HUP")?;
        self.wait("its new workers", |_| {
            let workers = children(pid)?;
            let is_new = |worker: &i32| !old.contains(worker);
            Ok((!workers.is_empty() && workers.iter().all(is_new)).then_some(()))
        })
    }

    fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let script = r#"kill -"$1" "$2""#;
        let status = command("sh")
            .args(["-c", script, "sh", signal, &self.pid.to_string()])
            .status()?;
        anyhow::ensure!(status.success(), "{}: kill -{signal}", self.work.name);
        Ok(())
    }

    /// The program itself, below what had to stand before it.
    fn program(&self) -> anyhow::Result<i32> {
        let mut pid = self.child.id().cast_signed();
        for _ in 0..self.place.processes_between() {
            let below = children(pid)?;
            let [only] = below[..] else {
                anyhow::bail!("{}: not one process below {pid}", self.work.name);
            };
            pid = only;
        }
        Ok(pid)
    }

    /// Waits until it weighs the same twice.
    fn settle(&mut self) -> anyhow::Result<()> {
        let mut before = None;
        self.wait("it stands still", |started| {
            let now = Snapshot::of(started.pid)?;
            let is_same = before.replace(now) == Some(now);
            Ok(is_same.then_some(()))
        })
    }

    fn wait<T>(
        &mut self,
        what: &str,
        mut found: impl FnMut(&mut Self) -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let name = self.work.name;
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                anyhow::bail!("{name}: {status}, before {what}");
            }
            if let Some(found) = found(self)? {
                return Ok(found);
            }
            sleep(TICK);
        }
        anyhow::bail!("{name}: {what}: not within {} s", PATIENCE.as_secs())
    }
}

impl Drop for Started<'_> {
    fn drop(&mut self) {
        if self.work.ready == Ready::Reloaded && Process::open(self.pid).is_ok() {
            // A master that is killed leaves its workers behind.
            let _ = self.signal("TERM");
            let since = Instant::now();
            while since.elapsed() < Duration::from_secs(10)
                && self.child.try_wait().is_ok_and(|ended| ended.is_none())
            {
                sleep(TICK);
            }
        }
        // Both fail when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The processes that this one started.
///
/// # References
///
/// proc_pid_stat(5): the parent is the second field behind the name's closing bracket.
fn children(parent: i32) -> anyhow::Result<Vec<i32>> {
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        // It may have ended since.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let of = fields.split_ascii_whitespace().nth(1);
        if of.and_then(|of| of.parse::<i32>().ok()) == Some(parent) {
            children.push(pid);
        }
    }
    Ok(children)
}

fn is_called(pid: i32, name: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim_end() == name)
}
