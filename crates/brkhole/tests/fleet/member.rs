//! Processes for the command to find.

use std::ffi::OsStr;
use std::io::BufRead;
use std::process::{Child, Command, Stdio};

use crate::common;

/// A process that ends with the test.
pub struct Ended(pub Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `tests/programs/fleet_member.c` with these arguments, when it has done what they say.
pub fn member(what: &str, name: impl AsRef<OsStr>) -> Ended {
    let mut command = Command::new(common::compiled("fleet_member"));
    command.arg(what).arg(name);
    ready(command)
}

/// Starts it and waits until it is ready.
pub fn ready(mut command: Command) -> Ended {
    command
        .env_remove("GLIBC_TUNABLES")
        .env_remove("LD_PRELOAD")
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut member = Ended(command.spawn().expect("it was compiled"));
    let mut said = String::new();
    let stdout = member.0.stdout.take().expect("it is piped");
    suite::waiting::lines(stdout).read_line(&mut said).unwrap();
    assert_eq!(said, "ready\n", "{command:?}");
    member
}
