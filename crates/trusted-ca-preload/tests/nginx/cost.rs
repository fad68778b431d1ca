//! What one run of a program costs, as the kernel counts it.

use std::process::{Command, Stdio};

/// What a process cost from its start to its end.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Time on a CPU, in the program and in the kernel: other load moves it less than a clock.
    pub cpu_seconds: f64,
    /// The largest resident set.
    pub peak_rss_bytes: u64,
}

impl Cost {
    /// Runs a command that has to succeed without a word.
    ///
    /// It is a child of time(1): a process begins with the peak of the program that it was before
    /// it became another (Linux, `fs/exec.c`, `exec_mmap`), and time's is small, which a test's
    /// isn't.
    ///
    /// # References
    /// time(1); getrusage(2), `ru_maxrss` in KiB.
    pub fn of(command: &Command) -> Self {
        let place = tempfile::tempdir().expect("a directory for the figures");
        let figures = place.path().join("figures");
        let mut timed = Command::new("time");
        timed
            .args(["--format=%U %S %M", "--output"])
            .arg(&figures)
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::null());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => timed.env(name, value),
                None => timed.env_remove(name),
            };
        }
        let ran = timed.output().expect("this test needs time(1): apt-get install time");
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{command:?}: {} {said}", ran.status);
        assert_eq!(said, "", "{command:?}");

        let figures = std::fs::read_to_string(&figures).expect("time wrote them");
        let figures: Vec<f64> =
            figures.split_whitespace().map(|figure| figure.parse().expect("a number")).collect();
        let [user, system, kibibytes] = figures[..] else {
            panic!("three figures: {figures:?}");
        };
        Self { cpu_seconds: user + system, peak_rss_bytes: kibibytes as u64 * 1024 }
    }
}
