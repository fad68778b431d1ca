//! The programs that are looked into: each takes much memory, frees most of it, and stands still. And one
//! while it runs: when it stands still, that it calls malloc_trim, that it ends.

use super::SOURCES;
use crate::testbed::{Testbed, nginx_configuration};
use anyhow::Context;
use proc_memory::{Process, Snapshot};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A program, and how it comes to call malloc_trim.
#[derive(Debug)]
pub struct TrimmedProgram {
    pub name: &'static str,
    /// What `env` is to run.
    pub words: Vec<String>,
    pub trim: Trim,
    /// Whether it is an nginx master, which stands still when it has been told to reload and has new
    /// workers; the others say so.
    pub is_nginx: bool,
}

/// How a program comes to call malloc_trim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trim {
    /// It does by itself, at the next line of its standard input, and says so.
    Asked,
    /// A preloaded library does, at a signal, and leaves a mark.
    Signalled,
}

/// The file that shows that the preloaded library has called malloc_trim.
pub const MARK: &str = "trimmed";

/// Blocks of the C program; threads of the other one, and blocks of each.
const BLOCKS: &str = "20000";
const THREADS: &str = "8";
const BLOCKS_OF_A_THREAD: &str = "4000";

impl TrimmedProgram {
    pub fn all(place: &Testbed, locations: u32) -> [Self; 6] {
        let asked = |name, words: &[&str]| Self {
            name,
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            trim: Trim::Asked,
            is_nginx: false,
        };
        let signalled = |name, words: &[&str]| {
            let library = format!("LD_PRELOAD={}", place.file("trimmer.so"));
            let mark = format!("TRIMMER_MARK={}", place.file(MARK));
            Self {
                trim: Trim::Signalled,
                ..asked(name, &[&[library.as_str(), &mark], words].concat())
            }
        };
        let (blocks, arenas) = (&place.file("blocks"), &place.file("arenas"));
        let source = |name| place.source(&format!("{SOURCES}/{name}"));
        let configuration = place.file(&nginx_configuration(true, locations));
        let nginx = ["nginx", "-c", &configuration, "-g", "daemon off;"];
        [
            asked("burst, break free", &[blocks, BLOCKS, "free"]),
            asked("burst, break blocked", &[blocks, BLOCKS, "blocked"]),
            asked("8 threads", &[arenas, THREADS, BLOCKS_OF_A_THREAD]),
            asked("python3", &["python3", &source("structure.py")]),
            signalled("perl", &["perl", &source("structure.pl")]),
            Self { is_nginx: true, ..signalled("nginx after a reload", &nginx) },
        ]
    }
}

/// How long a program may take to stand still: nginx parses the bundle for every location, twice.
const PATIENCE: Duration = Duration::from_secs(600);

/// How often it is looked at.
const TICK: Duration = Duration::from_millis(50);

/// The signal at which the preloaded library calls malloc_trim.
const TRIM: &str = "40";

/// A program that was started; it ends when this is dropped.
#[derive(Debug)]
pub struct Started<'a> {
    program: &'a TrimmedProgram,
    place: &'a Testbed<'a>,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Its number, as this machine counts.
    pub pid: i32,
}

impl<'a> Started<'a> {
    /// Starts it, and waits until it stands still.
    pub fn still(program: &'a TrimmedProgram, place: &'a Testbed<'a>) -> anyhow::Result<Self> {
        let mark = place.here(MARK);
        if mark.exists() {
            fs::remove_file(&mark)?;
        }
        let mut child = place
            .command("env")?
            .args(&program.words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().context("its input is a pipe")?;
        let output = child.stdout.take().context("its output is a pipe")?;
        let mut started =
            Self { program, place, child, input, output: BufReader::new(output), pid: 0 };
        if program.is_nginx {
            started.reload()?;
        } else {
            started.hear("ready")?;
            started.pid = started.found().context("not one process below another")?;
        }
        // Still is what weighs the same twice.
        let mut before = None;
        started.wait("it stands still", |started| {
            let now = Snapshot::of(started.pid)?;
            Ok((before.replace(now) == Some(now)).then_some(()))
        })?;
        Ok(started)
    }

    /// Has it call malloc_trim, and waits until it has.
    pub fn trim(&mut self) -> anyhow::Result<()> {
        match self.program.trim {
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
        let (name, said) = (self.program.name, line.trim_end());
        anyhow::ensure!(said == wanted, "{name}: it said {said:?} instead of {wanted:?}");
        Ok(())
    }

    /// Waits for the first workers, has the master reload, and waits until there are only new ones:
    /// by then it has freed its old configuration.
    fn reload(&mut self) -> anyhow::Result<()> {
        let (pid, old) = self.wait("its first workers", |started| {
            let nginx = |pid: &i32| {
                let name = fs::read_to_string(format!("/proc/{pid}/comm"));
                name.is_ok_and(|name| name.trim_end() == "nginx")
            };
            let master = started.found().filter(nginx);
            let workers = master.map_or_else(Vec::new, children);
            Ok(master.filter(|_| !workers.is_empty()).map(|pid| (pid, workers)))
        })?;
        self.pid = pid;
        self.signal("HUP")?;
        self.wait("its new workers", |_| {
            let workers = children(pid);
            let is_new = |worker: &i32| !old.contains(worker);
            Ok((!workers.is_empty() && workers.iter().all(is_new)).then_some(()))
        })
    }

    fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let script = r#"kill -"$1" "$2""#;
        let status = Command::new("sh")
            .args(["-c", script, "sh", signal, &self.pid.to_string()])
            .status()?;
        anyhow::ensure!(status.success(), "{}: kill -{signal}", self.program.name);
        Ok(())
    }

    /// The program itself, below what has to stand before it; none if it isn't there yet.
    fn found(&self) -> Option<i32> {
        let started = self.child.id().cast_signed();
        (0..self.place.processes_between()).try_fold(started, |pid, _| match children(pid)[..] {
            [only] => Some(only),
            _ => None,
        })
    }

    fn wait<T>(
        &mut self,
        what: &str,
        mut found: impl FnMut(&mut Self) -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let name = self.program.name;
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
        if self.program.is_nginx && Process::open(self.pid).is_ok() {
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

/// The processes that this one's threads started, as the kernel lists them; none if it is gone.
fn children(pid: i32) -> Vec<i32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let lists =
        threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok());
    let children: String = lists.collect();
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}
