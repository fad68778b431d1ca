//! Waiting, to an end.

use std::io::{self, BufReader, Read};
use std::os::fd::AsFd;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// How long a test waits for anything: far beyond what it takes on a machine that is busy otherwise.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Looks again and again until there is something.
///
/// # Panics
/// When there is nothing within [`PATIENCE`].
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until something is true.
///
/// # Panics
/// As for [`until`].
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    until(what, || condition().then_some(()));
}

/// Waits for the end of a child, which is killed if it doesn't come.
///
/// # Panics
/// As for [`until`].
pub fn ended(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("it is our own child") {
            return status;
        }
        if start.elapsed() >= PATIENCE {
            // It may end at this very moment, which is too late.
            let _ = child.kill();
            let _ = child.wait();
            panic!("{child:?} doesn't end");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A pipe that is read with patience: a read that waits longer is an error.
#[derive(Debug)]
pub struct Patient<R>(R);

/// A pipe to be read by lines.
pub fn lines<R: Read + AsFd>(pipe: R) -> BufReader<Patient<R>> {
    BufReader::new(Patient(pipe))
}

impl<R: Read + AsFd> Read for Patient<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut ready = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        let patience = PollTimeout::try_from(PATIENCE).unwrap_or(PollTimeout::MAX);
        match poll(&mut ready, patience)? {
            0 => Err(io::ErrorKind::TimedOut.into()),
            _ => self.0.read(buffer),
        }
    }
}

/// The children of a process, as the kernel lists them: those of all its threads; none if the process
/// is gone.
pub fn children(pid: i32) -> Vec<i32> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let lists = threads
        .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("children")).ok());
    let children: String = lists.collect();
    let children = children.split_whitespace();
    children.filter_map(|child| child.parse().ok()).collect()
}
