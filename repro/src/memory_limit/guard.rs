//! A second process that removes the cgroup, however its maker ends.
//!
//! It runs in a session of its own, where no Ctrl-C reaches it, and waits at a pipe whose other end
//! its maker holds. Each cgroup is told to it before it is made. When the pipe closes, because its
//! maker is done, has panicked or was killed, it kills what is in them, removes them and ends. So
//! there is one way to clean up, and it is taken every time.
//!
//! # Safety
//!
//! Between fork and exec only async-signal-safe calls are made.
#![allow(unsafe_code)]

use anyhow::Context;
use nix::sys::signal::{SigSet, Signal};
use proc_memory::{pidfd_kill, pidfd_open};
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// A process with this variable in its environment is a guard.
pub(crate) const VARIABLE: &str = "BRKHOLE_KEEPER";

/// A killed process gives its memory back in well under a second; a machine that is short of
/// everything may take longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at a cgroup that isn't empty yet.
const PAUSE: Duration = Duration::from_millis(3);

/// The maker's side.
#[derive(Debug)]
pub(super) struct CgroupGuard {
    /// At its standard input it waits for the end.
    process: Child,
    kept: Vec<PathBuf>,
}

impl CgroupGuard {
    /// Starts it: this program again.
    pub(super) fn start() -> anyhow::Result<Self> {
        let this = std::env::current_exe().context("can't find this program's own file")?;
        let mut command = Command::new(this);
        command.env(VARIABLE, "1").current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null());
        // SAFETY: the closure makes two system calls and touches no memory of others.
        unsafe { command.pre_exec(away) };
        let process = command
            .spawn()
            .context("can't start the process that would remove the cgroup afterwards")?;
        Ok(Self { process, kept: Vec::new() })
    }

    /// Has it remove this cgroup at the end. To be called before the cgroup is made.
    pub(super) fn keep(&mut self, group: &Path) -> anyhow::Result<()> {
        let pipe = self.process.stdin.as_mut();
        let pipe = pipe.context("the guard has ended")?;
        let line = [group.as_os_str().as_bytes(), b"\0"].concat();
        pipe.write_all(&line).context("the process that would remove the cgroup has ended")?;
        self.kept.push(group.to_owned());
        Ok(())
    }

    /// Closes the pipe and waits until everything is removed; does it here if the guard couldn't.
    pub(super) fn finish(&mut self) -> anyhow::Result<()> {
        if self.process.stdin.take().is_none() {
            return Ok(());
        }
        let ended = self.process.wait();
        if ended.is_ok_and(|status| status.success()) {
            return Ok(());
        }
        for group in &self.kept {
            remove(group).with_context(|| still_there(group))?;
        }
        Ok(())
    }
}

impl Drop for CgroupGuard {
    fn drop(&mut self) {
        if let Err(error) = self.finish() {
            eprintln!("oom: {error:#}");
        }
    }
}

/// Into a session of its own, deaf to what asks programs to end.
fn away() -> io::Result<()> {
    nix::unistd::setsid()?;
    // A blocked signal stays blocked across exec.
    use Signal::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    SigSet::from_iter([SIGINT, SIGTERM, SIGHUP, SIGQUIT]).thread_block()?;
    Ok(())
}

pub(crate) fn is_guard() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

pub(crate) fn main() -> ExitCode {
    let mut told = Vec::new();
    // A read that fails is an end as well.
    let _ = io::stdin().read_to_end(&mut told);
    let mut status = ExitCode::SUCCESS;
    let groups = told.split(|byte| *byte == 0);
    for group in groups.filter(|path| !path.is_empty()) {
        let group = Path::new(OsStr::from_bytes(group));
        if let Err(error) = remove(group) {
            eprintln!("oom: {}: {error}", still_there(group));
            status = ExitCode::FAILURE;
        }
    }
    status
}

fn still_there(group: &Path) -> String {
    let group = group.display();
    format!("can't remove the cgroup {group}; when its cgroup.procs is empty, `rmdir {group}`")
}

/// Kills what is in a cgroup and removes it. That it isn't there is fine.
fn remove(group: &Path) -> io::Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        match fs::remove_dir(group) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() != io::ErrorKind::ResourceBusy => return Err(error),
            Err(error) if Instant::now() > end => return Err(error),
            Err(_) => kill_all_in(group),
        }
        std::thread::sleep(PAUSE);
    }
}

/// Sends SIGKILL to all its processes: by `cgroup.kill` where there is one (v2, since Linux 5.14),
/// else one by one.
fn kill_all_in(group: &Path) {
    let mut switch = OpenOptions::new();
    let switch = switch.write(true).open(group.join("cgroup.kill"));
    if switch.and_then(|mut file| file.write_all(b"1")).is_ok() {
        return;
    }
    for pid in processes(group) {
        // The number is bound to its process first, so that it can't be given to another one between
        // looking and killing. That it has ended meanwhile is what was wanted.
        if let Ok(process) = pidfd_open(pid)
            && processes(group).contains(&pid)
        {
            pidfd_kill(&process);
        }
    }
}

pub(super) fn processes(group: &Path) -> Vec<i32> {
    let list = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    list.lines().filter_map(|line| line.parse().ok()).collect()
}
