//! A process that does nothing, for the tests of what weighs one.

use std::process::{Child, Command};

/// Killed when it goes.
pub(super) struct Sleeper(Child);

impl Sleeper {
    /// Starts it, and waits until it sleeps: before that its memory may still be another program's.
    pub(super) fn started() -> Self {
        let sleeper = Self(Command::new("sleep").arg("60").spawn().unwrap());
        let sleeps = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", sleeper.pid()));
            let stat = stat.unwrap();
            let (comm, rest) = stat.rsplit_once(") ").unwrap();
            let call = std::fs::read_to_string(format!("/proc/{}/syscall", sleeper.pid()));
            let is_nap = call.is_ok_and(|call| call.starts_with("230 "));
            comm.ends_with("(sleep") && rest.starts_with('S') && is_nap
        };
        while !sleeps() {
            std::thread::yield_now();
        }
        sleeper
    }

    pub(super) fn pid(&self) -> i32 {
        self.0.id() as i32
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
