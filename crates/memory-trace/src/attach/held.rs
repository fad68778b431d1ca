//! A program that is started, and waits until it is watched.

use std::time::Duration;

use nix::sys::signal::SigSet;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

use crate::launch::{ForkedChild, Prepared, fork, kill_unreaped};
use crate::{LaunchError, Target, Watch};
use memory_event::Ending;

/// A child that executes its program once somebody [watches](crate::AttachOptions::start_held) it.
/// Nobody traces it: a debugger or a seccomp filter inside works. Dropped before that, it ends;
/// afterwards it runs on.
#[derive(Debug)]
pub struct HeldTarget {
    child: ForkedChild,
    prepared: Prepared,
    has_begun: bool,
}

impl HeldTarget {
    /// Forks it.
    ///
    /// # Errors
    /// There can be no such child: [`LaunchError`] says why.
    pub fn new(target: &Target) -> Result<Self, LaunchError> {
        let prepared = Prepared::new(target, Watch::Life)?;
        let mask = SigSet::thread_get_mask().unwrap_or_else(|_| SigSet::empty());
        let child = fork(&prepared, mask)?;
        Ok(Self { child, prepared, has_begun: false })
    }

    /// Its number, for as long as it wasn't [waited](Self::wait) for.
    pub fn pid(&self) -> i32 {
        self.child.pid
    }

    /// Lets it execute its program; returns once it has.
    ///
    /// # Errors
    /// It can't be executed.
    pub(super) fn go(&mut self) -> Result<(), LaunchError> {
        self.child.go().map_err(LaunchError::setup("tell the child to go on"))?;
        match self.child.last_words() {
            Some((step, errno)) => Err(self.prepared.error(step, errno)),
            None => {
                self.has_begun = true;
                Ok(())
            }
        }
    }

    /// Whether it has ended, after at most this time.
    pub fn ends_within(&self, time: Duration) -> bool {
        let handle = proc_memory::pidfd_open(self.pid());
        if let Ok(handle) = handle {
            use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
            use std::os::fd::AsFd;
            let mut fds = [PollFd::new(handle.as_fd(), PollFlags::POLLIN)];
            let _ = poll(&mut fds, PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX));
        }
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
        let status = waitid(Id::Pid(Pid::from_raw(self.pid())), flags);
        !matches!(status, Ok(WaitStatus::StillAlive))
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// Somebody else has waited for it.
    pub fn wait(self) -> Result<Ending, LaunchError> {
        let failed = LaunchError::setup("wait for the program");
        loop {
            let status = tracee::wait_for(self.pid()).map_err(&failed)?;
            if let Some(ending) = Ending::from_wait_status(status) {
                return Ok(ending);
            }
        }
    }
}

impl Drop for HeldTarget {
    fn drop(&mut self) {
        if !self.has_begun {
            kill_unreaped(self.pid());
            let _ = waitpid(Pid::from_raw(self.pid()), None);
        }
    }
}
