//! The directory of a cgroup, which may be removed and made anew.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

#[derive(Debug)]
pub(super) struct CgroupDirectory {
    path: PathBuf,
    directory: File,
    number: u64,
}

impl CgroupDirectory {
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let directory = File::open(&path)?;
        let number = directory.metadata()?.ino();
        Ok(Self { path, directory, number })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// If another one has its name by now, it is that one; whether it is.
    pub(super) fn is_another(&mut self) -> bool {
        let number = fs::metadata(&self.path).map_or(self.number, |found| found.ino());
        if number == self.number {
            return false;
        }
        match Self::open(self.path.clone()) {
            Ok(another) => {
                *self = another;
                true
            }
            // Gone again.
            Err(_) => false,
        }
    }
}
