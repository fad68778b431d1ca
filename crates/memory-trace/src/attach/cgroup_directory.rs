//! The directory of a cgroup, which may be removed and made anew.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// Whether the kernel refused a cgroup because it is being removed: another may take its place.
///
/// # References
/// Linux `kernel/cgroup/cgroup.c`, `css_tryget_online_from_dir` (`ENOENT`), `cgroup_get_from_fd`
pub(super) fn is_gone(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOENT)
}

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

    /// Another one that has its name by now. It may be gone again at any moment.
    pub(super) fn another(&self) -> Option<Self> {
        let number = fs::metadata(&self.path).map_or(self.number, |found| found.ino());
        (number != self.number).then(|| Self::open(self.path.clone()).ok()).flatten()
    }
}
