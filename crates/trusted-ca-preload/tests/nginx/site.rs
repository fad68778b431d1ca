//! A configuration of nginx in a directory of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::common::{Counts, Preload, installed, skipped};

const MODULES: &str = "/usr/lib/nginx/modules";

/// What the machine trusts; Debian's `ca-certificates` keeps it here.
pub const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A server that listens on the socket `socket` in its directory.
#[derive(Debug)]
pub struct Site {
    directory: TempDir,
}

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

impl Site {
    /// `None`, after a word why, where nginx or its Lua module are missing.
    pub fn new(parts: &Parts) -> Option<Self> {
        if !installed("nginx") {
            return None;
        }
        let module = format!("{MODULES}/ngx_http_lua_module.so");
        if !Path::new(&module).exists() {
            skipped(format_args!("{module} is not there"));
            return None;
        }
        let directory = tempfile::tempdir().expect("a directory for nginx");
        let place = directory.path().display();
        let Parts { main, http, locations } = parts;
        let files = suite::place::of_nginx(directory.path());
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

    /// A file in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// nginx with this configuration, run in this way.
    pub fn nginx(&self, preload: Preload) -> Command {
        let mut command = Command::new(program());
        command
            .arg("-q")
            .arg("-p")
            .arg(self.directory.path())
            .arg("-c")
            .arg(self.path("nginx.conf"))
            .arg("-e")
            .arg(self.path("error.log"))
            .env("LC_ALL", "C")
            .env("TRUSTED_CA_LOG", self.log())
            .env_remove("GLIBC_TUNABLES")
            .stdin(Stdio::null());
        preload.apply(&mut command);
        command
    }

    /// What the library said of this site's processes so far.
    pub fn counts(&self) -> Vec<Counts> {
        Counts::read(&self.log())
    }

    /// What it said of a master that has ended and of the process that started it, which reads
    /// the configuration before it goes to the background, together. Workers load nothing.
    pub fn counts_in_all(&self, master: i32) -> Counts {
        let counts = self.counts();
        let [starter, line] = counts.as_slice() else {
            panic!("the starter's and the master's lines were expected: {counts:?}");
        };
        assert_eq!(line.pid, master);
        for line in [starter, line] {
            assert_eq!(line.program, "nginx", "a title isn't a name");
        }
        let sum = |field: fn(&Counts) -> u64| field(starter) + field(line);
        Counts {
            loads: sum(|line| line.loads),
            parses: sum(|line| line.parses),
            shared: sum(|line| line.shared),
            bytes_spared: sum(|line| line.bytes_spared),
            passed_on: sum(|line| line.passed_on),
            ..line.clone()
        }
    }

    /// What nginx said.
    pub fn errors(&self) -> String {
        std::fs::read_to_string(self.path("error.log")).unwrap_or_default()
    }

    fn log(&self) -> PathBuf {
        self.path("trusted-ca.log")
    }
}

/// The parts of a site whose locations are empty.
pub fn empty_locations(number: u64, trusted: Option<&str>) -> Parts {
    let line = trusted.map(|bundle| format!("lua_ssl_trusted_certificate \"{bundle}\";"));
    let location = |number| format!("location /{number} {{ }}\n");
    Parts {
        http: line.unwrap_or_default(),
        locations: (0..number).map(location).collect(),
        ..Parts::default()
    }
}

/// Whether the machine has a bundle; says so if not.
pub fn bundle_is_there() -> bool {
    let there = Path::new(BUNDLE).is_file();
    if !there {
        skipped(format_args!("{BUNDLE} is not there"));
    }
    there
}

/// nginx's whole path: it gives its own name to `execve` when its binary is upgraded.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).map(|place| place.join("nginx"));
    places.find(|program| program.is_file()).expect("nginx is installed")
}
