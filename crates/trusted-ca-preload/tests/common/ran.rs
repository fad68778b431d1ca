//! A program run once in one of the ways, and all that could be told of it from outside.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use super::{Counts, MODES, Preload};

/// How long a program may take before the test calls it hung.
const PATIENCE: Duration = Duration::from_secs(240);

/// What a program did.
#[derive(Debug)]
pub struct Ran {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    /// What the library wrote at the end of each process that loaded a bundle.
    pub counts: Vec<Counts>,
}

impl Ran {
    /// Runs a program to its end, with nothing on standard input.
    ///
    /// The library's log goes to a file of its own, so that what the program says stays as it is.
    pub fn to_end(command: &mut Command, way: Preload) -> Self {
        let directory = tempfile::tempdir().expect("a directory for the log");
        let log = directory.path().join("log");
        way.apply(command)
            .env("TRUSTED_CA_LOG", &log)
            .env("LC_ALL", "C")
            .env_remove("SSL_CERT_FILE")
            .env_remove("SSL_CERT_DIR")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let started = command.spawn();
        let mut group = Group(started.unwrap_or_else(|error| panic!("{command:?}: {error}")));
        let stdout = all_of(group.0.stdout.take().expect("piped"));
        let stderr = all_of(group.0.stderr.take().expect("piped"));
        let status = group.wait(command);
        drop(group);
        let text = |reader: JoinHandle<Vec<u8>>| {
            let bytes = reader.join().expect("a pipe can be read");
            String::from_utf8_lossy(&bytes).into_owned()
        };
        Self { status, stdout: text(stdout), stderr: text(stderr), counts: Counts::read(&log) }
    }

    /// What must not change: how it ended, and its words.
    pub fn said(&self) -> (ExitStatus, &str, &str) {
        (self.status, &self.stdout, &self.stderr)
    }

    /// The line of the only process that loaded a bundle.
    pub fn only_counts(&self) -> &Counts {
        let [counts] = self.counts.as_slice() else {
            panic!("one line was expected: {:?}", self.counts);
        };
        counts
    }
}

/// Runs a program without the library, with it switched off and in both ways; all four must say
/// the same. Gives what it did in the two [`MODES`].
pub fn same_in_every_way(mut program: impl FnMut() -> Command) -> [Ran; 2] {
    let without = Ran::to_end(&mut program(), Preload::Without);
    assert_eq!(without.counts, [], "nothing is preloaded");
    let off = Ran::to_end(&mut program(), Preload::Off);
    assert_eq!(off.said(), without.said(), "switched off: {:?}", program());
    for counts in &off.counts {
        assert_eq!(counts.passed_on, counts.loads, "switched off: {counts:?}");
    }
    MODES.map(|mode| {
        let with = Ran::to_end(&mut program(), mode);
        assert_eq!(with.said(), without.said(), "{mode:?}: {:?}", program());
        with
    })
}

/// Waits until a file is old enough for its timestamps to prove that it stays what it is.
pub fn settled(files: &[&Path]) {
    const OLD_ENOUGH: Duration = Duration::from_millis(2_500);
    for file in files {
        let changed = file.metadata().and_then(|file| file.modified());
        let changed = changed.unwrap_or_else(|error| panic!("{file:?}: {error}"));
        let age = SystemTime::now().duration_since(changed);
        thread::sleep(OLD_ENOUGH.saturating_sub(age.unwrap_or_default()));
    }
}

fn all_of(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("a pipe can be read");
        bytes
    })
}

/// A program and whatever it started, ended with this value.
struct Group(Child);

impl Group {
    fn wait(&mut self, command: &Command) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().expect("our own child") {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "hung: {command:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Whatever is left of it: children that it started and did not wait for.
        let _ = Command::new("sh")
            .args(["-c", "kill -KILL -- -$0", &self.0.id().to_string()])
            .stderr(Stdio::null())
            .status();
        let _ = self.0.wait();
    }
}
