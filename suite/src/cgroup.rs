//! A cgroup to put processes into.

use std::fs;
use std::path::{Path, PathBuf};

use crate::skipped;
use crate::waiting::eventually;

/// A cgroup of version 2, removed with the value; its processes go back to where all are.
pub struct Cgroup {
    root: PathBuf,
    directory: PathBuf,
}

impl Cgroup {
    /// `None`, and a word why, where none may be made.
    pub fn made(name: &str) -> Option<Self> {
        let roots = ["unified", ""].map(|root| Path::new("/sys/fs/cgroup").join(root));
        for root in roots {
            let directory = root.join(name);
            if root.join("cgroup.controllers").exists() && fs::create_dir(&directory).is_ok() {
                return Some(Self { root, directory });
            }
        }
        skipped("no cgroup of version 2 may be made here");
        None
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Makes one below it, and says where that is.
    pub fn below(&self) -> PathBuf {
        let below = self.directory.join("below");
        fs::create_dir(&below).unwrap();
        below
    }

    /// Has a process come into it.
    pub fn take(&self, pid: impl ToString) {
        fs::write(self.directory.join("cgroup.procs"), pid.to_string()).unwrap();
    }

    /// Has its processes stand still, or go on, and waits until they do.
    pub fn freeze(&self, frozen: bool) {
        let number = u8::from(frozen);
        fs::write(self.directory.join("cgroup.freeze"), number.to_string()).unwrap();
        let events = || fs::read_to_string(self.directory.join("cgroup.events")).unwrap();
        eventually("it is frozen, or isn't", || events().contains(&format!("frozen {number}")));
    }

    /// Makes it anew under its name, as systemd does when a unit is started again.
    pub fn renew(&self) {
        self.remove();
        fs::create_dir(&self.directory).unwrap();
    }

    fn remove(&self) {
        for directory in [self.directory.join("below"), self.directory.clone()] {
            let processes = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
            for pid in processes.lines() {
                let _ = fs::write(self.root.join("cgroup.procs"), pid);
            }
            let _ = fs::remove_dir(directory);
        }
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        self.remove();
    }
}
