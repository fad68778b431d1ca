//! A master of nginx with its worker, in the background as a distribution runs it.
//!
//! # Safety
//! `kill` reads and writes no memory.
#![allow(unsafe_code)]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::site::Site;
use crate::common::{Preload, children};
pub use suite::waiting::until as wait_for;

/// A running master; it and its workers end with the value.
#[derive(Debug)]
pub struct Master<'a> {
    /// What it runs.
    pub site: &'a Site,
    /// The master's process.
    pub pid: i32,
}

impl<'a> Master<'a> {
    /// Starts one, and waits for its worker.
    pub fn start(site: &'a Site, preload: Preload) -> Self {
        let output = site.nginx(preload).output().expect("nginx starts");
        let said = String::from_utf8_lossy(&output.stderr);
        let errors = site.errors();
        assert!(output.status.success(), "{said}\n{errors}");
        Self::from_pid_file(site)
    }

    /// The master that says in the site's `nginx.pid` that it is the one.
    pub fn from_pid_file(site: &'a Site) -> Self {
        let file = site.path("nginx.pid");
        let pid = wait_for("a pid", || std::fs::read_to_string(&file).ok()?.trim().parse().ok());
        let master = Self { site, pid };
        wait_for("a worker", || (!children(pid).is_empty()).then_some(()));
        master
    }

    /// Has the configuration read again, and waits until it is done: the workers are others.
    pub fn reload(&self) {
        let before = children(self.pid);
        self.signal(libc::SIGHUP);
        wait_for("other workers", || {
            let now = children(self.pid);
            let renewed = !now.is_empty() && now.iter().all(|child| !before.contains(child));
            renewed.then_some(())
        });
    }

    /// What the site answers to a request for this path; an answer that isn't 200 is an error.
    pub fn get(&self, path: &str) -> Result<String, String> {
        let mut stream = UnixStream::connect(self.site.path("socket")).expect("nginx listens");
        let patience = Some(Duration::from_secs(60));
        stream.set_read_timeout(patience).expect("not zero");
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").expect("nginx reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("HTTP");
        let status = head.split(' ').nth(1).expect("a status");
        match status {
            "200" => Ok(body.to_owned()),
            _ => Err(answer),
        }
    }

    /// Memory that the master holds, in bytes.
    pub fn rss_bytes(&self) -> u64 {
        let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid));
        let rollup = rollup.expect("the master lives");
        let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:"));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kibibytes = kibibytes.and_then(|number| number.trim().parse::<u64>().ok());
        kibibytes.expect("a number of kB") * 1024
    }

    /// Whether a file of this name is mapped.
    pub fn maps(&self, file: &Path) -> bool {
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", self.pid));
        let maps = maps.expect("the master lives");
        let file = file.to_str().expect("plain names");
        maps.lines().any(|line| line.ends_with(file))
    }

    /// Ends it in order, and waits for it.
    pub fn stop(self) {
        self.signal(libc::SIGQUIT);
        wait_for("the master's end", || gone(self.pid).then_some(()));
    }

    /// Sends a signal to the master.
    pub fn signal(&self, signal: i32) {
        send(self.pid, signal).expect("the master lives");
    }
}

impl Drop for Master<'_> {
    fn drop(&mut self) {
        let workers = children(self.pid);
        // Each may be gone already, which is what is wanted.
        let _ = send(self.pid, libc::SIGTERM);
        for _ in 0..500 {
            if gone(self.pid) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        for pid in workers.into_iter().chain([self.pid]) {
            let _ = send(pid, libc::SIGKILL);
        }
    }
}

fn send(pid: i32, signal: i32) -> std::io::Result<()> {
    // SAFETY: numbers only.
    match unsafe { libc::kill(pid, signal) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// Whether a process is no more; one that nobody has waited for is none either.
fn gone(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").map(|(_, rest)| rest);
    state.is_none_or(|state| state.starts_with('Z') || state.starts_with('X'))
}
