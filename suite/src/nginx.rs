//! nginx with its Lua module as Debian packages them: a configuration in a directory of its own, and a
//! master that runs it in the background.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::kill;
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{Pid, geteuid};
use tempfile::TempDir;

pub use nix::sys::signal::Signal;

use crate::waiting::{PATIENCE, children, eventually, until};

/// What the machine trusts; Debian's `ca-certificates` keeps it here.
pub const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
const MODULES: &str = "/usr/lib/nginx/modules";

/// Parts of a configuration.
#[derive(Debug, Default)]
pub struct Parts {
    /// Directives outside of `http`.
    pub main: String,
    /// Directives in `http`.
    pub http: String,
    /// Locations of the one server.
    pub locations: String,
}

impl Parts {
    /// So many empty locations, and a bundle for `lua_ssl_trusted_certificate`.
    pub fn empty_locations(number: u64, trusted: Option<&str>) -> Self {
        let line = trusted.map(|bundle| format!("lua_ssl_trusted_certificate \"{bundle}\";\n"));
        let location = |number| format!("location /{number} {{ }}\n");
        Self {
            http: line.unwrap_or_default(),
            locations: (0..number).map(location).collect(),
            ..Self::default()
        }
    }
}

/// A server that listens on the socket `socket` in its directory.
#[derive(Debug)]
pub struct Site {
    directory: TempDir,
}

impl Site {
    /// `None`, after a word why, where nginx or its Lua module are missing.
    ///
    /// # Panics
    /// When the configuration can't be written.
    pub fn new(parts: &Parts) -> Option<Self> {
        let module = format!("{MODULES}/ngx_http_lua_module.so");
        if !crate::installed("nginx") || !is_there(&module) {
            return None;
        }
        let directory = tempfile::tempdir().expect("a directory for nginx");
        let place = directory.path().display();
        let Parts { main, http, locations } = parts;
        let files = temporary_paths(directory.path());
        let configuration = format!(
            "load_module {MODULES}/ndk_http_module.so;\n\
             load_module {module};\n\
             pid \"{place}/nginx.pid\";\nerror_log \"{place}/error.log\" notice;\nworker_processes 1;\n\
             {main}\nevents {{ }}\n\
             http {{\naccess_log off;\n{files}{http}\n\
             server {{ listen \"unix:{place}/socket\";\n{locations}}}\n}}\n"
        );
        std::fs::write(directory.path().join("nginx.conf"), configuration)
            .expect("the test's own directory is writable");
        Some(Self { directory })
    }

    /// The story's: the machine's bundle for all of so many empty locations, each of which has a context
    /// of its own, and the server one more. `None`, after a word why, where anything is missing.
    pub fn with_the_line(locations: u64) -> Option<Self> {
        Self::new(&Parts::empty_locations(locations, Some(bundle()?)))
    }

    /// A file in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// nginx with this configuration and further arguments, as words. Its path is whole, since it gives
    /// its own name to `execve` when its binary is upgraded.
    ///
    /// # Panics
    /// When nginx is gone again.
    pub fn words(&self, more: &[&str]) -> Vec<String> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut places = std::env::split_paths(&path).map(|place| place.join("nginx"));
        let program = places.find(|program| program.is_file()).expect("nginx is installed");
        let word = |path: &Path| path.display().to_string();
        let [directory, file, log] = ["", "nginx.conf", "error.log"].map(|name| self.path(name));
        let [p, c, e, q] = ["-p", "-c", "-e", "-q"].map(str::to_owned);
        let own = [word(&program), q, p, word(&directory), c, word(&file), e, word(&log)];
        own.into_iter().chain(more.iter().map(|word| (*word).to_owned())).collect()
    }

    /// nginx with this configuration, as a command.
    pub fn command(&self) -> Command {
        let words = self.words(&[]);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdin(Stdio::null());
        command
    }

    /// What nginx said.
    pub fn errors(&self) -> String {
        std::fs::read_to_string(self.path("error.log")).unwrap_or_default()
    }
}

/// Directives for `http` of an nginx whose files are in this directory. Of root's nginx the workers are
/// somebody else, who has no way there, and nothing is said; anybody else's may not make the directories
/// that nginx was built with, and where the root is mounted read-only, nobody's can.
pub fn temporary_paths(directory: &Path) -> String {
    let read_only = statvfs("/").is_ok_and(|root| root.flags().contains(FsFlags::ST_RDONLY));
    if geteuid().is_root() && !read_only {
        return String::new();
    }
    let directives = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|what| {
        let path = directory.join(what);
        format!("{what}_temp_path \"{}\";\n", path.display())
    });
    directives.concat()
}

/// The machine's bundle; `None`, after a word why, where there is none.
pub fn bundle() -> Option<&'static str> {
    is_there(BUNDLE).then_some(BUNDLE)
}

/// Whether a file is there; says so if not.
fn is_there(file: &str) -> bool {
    let there = Path::new(file).is_file();
    if !there {
        crate::skipped(format_args!("{file} is not there"));
    }
    there
}

/// A master in the background, as a distribution runs it; it and its workers end with the value.
#[derive(Debug)]
pub struct Master<'a> {
    /// What it runs.
    pub site: &'a Site,
    /// The master's process.
    pub pid: i32,
}

impl<'a> Master<'a> {
    /// Starts one by a site's command, and waits for its worker.
    ///
    /// # Panics
    /// When it doesn't start.
    pub fn start(site: &'a Site, mut command: Command) -> Self {
        let output = command.output().expect("nginx starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}\n{}", site.errors());
        Self::from_pid_file(site)
    }

    /// The master that says in the site's `nginx.pid` that it is the one.
    pub fn from_pid_file(site: &'a Site) -> Self {
        let file = site.path("nginx.pid");
        let pid = until("a pid", || std::fs::read_to_string(&file).ok()?.trim().parse().ok());
        let master = Self { site, pid };
        eventually("a worker", || !children(pid).is_empty());
        master
    }

    /// Has the configuration read again, and waits until it is done: the workers are others.
    pub fn reload(&self) {
        let before = children(self.pid);
        self.signal(Signal::SIGHUP);
        eventually("other workers", || {
            let now = children(self.pid);
            !now.is_empty() && now.iter().all(|child| !before.contains(child))
        });
    }

    /// What the site answers to a request for this path.
    ///
    /// # Errors
    /// An answer that isn't 200.
    ///
    /// # Panics
    /// When there is none.
    pub fn get(&self, path: &str) -> Result<String, String> {
        let mut stream = UnixStream::connect(self.site.path("socket")).expect("nginx listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").expect("nginx reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("HTTP");
        match head.split(' ').nth(1).expect("a status") {
            "200" => Ok(body.to_owned()),
            _ => Err(answer),
        }
    }

    /// Ends it in order, and waits for it.
    pub fn stop(self) {
        self.signal(Signal::SIGQUIT);
        eventually("the master's end", || gone(self.pid));
    }

    /// Sends a signal to the master.
    ///
    /// # Panics
    /// When it is gone.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid), signal).expect("the master lives");
    }
}

impl Drop for Master<'_> {
    fn drop(&mut self) {
        let workers = children(self.pid);
        // Each may be gone already, which is what is wanted.
        let _ = kill(Pid::from_raw(self.pid), Signal::SIGTERM);
        for _ in 0..500 {
            if gone(self.pid) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        for pid in workers.into_iter().chain([self.pid]) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// Whether a process is no more; one that nobody has waited for is none either.
fn gone(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").map(|(_, rest)| rest);
    state.is_none_or(|state| state.starts_with('Z') || state.starts_with('X'))
}
