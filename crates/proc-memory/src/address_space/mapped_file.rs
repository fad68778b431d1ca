//! The file that a process has mapped, and other files that a process names.
//!
//! Who owns a process decides what its paths lead to: a FIFO that nobody writes to, a device that
//! does something when it is opened, a link to what others may not read. So no such path is opened
//! as it stands. It is walked without following any link (the kernel's own name of a mapped file
//! has none), what it ends at is looked at before it is opened, and it is opened without waiting.
//!
//! # Safety
//! A page of a file is mapped where the kernel likes, not accessible, and unmapped again. Nothing
//! refers to it.
//!
//! # References
//! open(2) (`O_PATH`), `proc_pid_map_files(5)`, `proc_pid_root(5)`
#![allow(unsafe_code)]

use std::ffi::OsStr;
use std::fs::File;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Component, Path};
use std::{io, ptr};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::{Mode, SFlag, fstat};

use super::mapping::Device;
use super::mappings::Mappings;
use crate::page_size_bytes;
use crate::process::Process;

/// Which file is mapped, as a line of `/proc/PID/maps` tells it.
#[derive(Clone, Copy, Debug)]
pub struct MappedFile<'a> {
    /// First address, and first above it.
    pub addresses: &'a Range<u64>,
    /// The file system's device, which on some (btrfs, overlayfs) isn't the one that `stat` tells.
    pub device: Device,
    /// The file's inode, as it is told beside that device.
    pub inode: u64,
    /// Its path; see [`Mapping::path`](super::Mapping::path).
    pub path: &'a Path,
}

/// Why a file that a process names could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotOpened {
    /// There is no file of that name, or a link on the way to it.
    #[error("no file has its name any more; {AS_ROOT}")]
    Gone,
    /// Another file has its name, and the mapped one can't be had otherwise.
    #[error("another file has its name by now; {AS_ROOT}")]
    OtherFile,
    /// A link, directory, device, FIFO or socket has its name. It was not opened.
    #[error("what has its name is no regular file: not opened")]
    NotRegular,
    /// This user may not.
    #[error("this user may not read it; root may, with CAP_DAC_READ_SEARCH")]
    Denied,
    /// It can't be opened without waiting: somebody holds a lease on it (`F_SETLEASE`).
    #[error("a program holds a lease on it (fcntl(2), F_SETLEASE)")]
    Leased,
    /// Anything else.
    #[error("{0}")]
    Io(#[source] io::Error),
}

const AS_ROOT: &str = "only root gets the mapped one, by /proc/PID/map_files";

impl MappedFile<'_> {
    /// Opens the very file that is mapped, to be read: as the kernel has it, else by its path from
    /// the process's root directory, else by its path from ours (the kernel tells the path of a
    /// process that has changed its root alone as we see it). It is taken only if the kernel gives
    /// the same device and inode for it when this process maps it.
    ///
    /// It never waits, follows no link and opens nothing but regular files.
    ///
    /// # Errors
    /// See [`NotOpened`]. Without `CAP_CHECKPOINT_RESTORE` or `CAP_SYS_ADMIN` a file that was
    /// deleted or replaced can't be had.
    pub fn open(&self, process: &Process) -> Result<File, NotOpened> {
        let by_kernel = self.by_kernel(process);
        let found = by_kernel.or_else(|_| match self.by_path(process.root()) {
            Err(NotOpened::Gone | NotOpened::Denied) => self.by_path(directory(AT_FDCWD, "/")),
            found => found,
        })?;
        // Its number was its own all the time.
        match process.is_alive() {
            true => Ok(found),
            false => Err(NotOpened::Gone),
        }
    }

    fn by_kernel(&self, process: &Process) -> Result<File, NotOpened> {
        let Range { start, end } = self.addresses;
        self.checked(process.map_file(&format!("{start:x}-{end:x}"))?)
    }

    fn by_path(&self, root: Result<OwnedFd, Errno>) -> Result<File, NotOpened> {
        self.checked(walk(root?, self.path)?)
    }

    fn checked(&self, found: OwnedFd) -> Result<File, NotOpened> {
        let file = reopened(&found)?;
        match as_mapped(&file)? == Some((self.device, self.inode)) {
            true => Ok(file),
            false => Err(NotOpened::OtherFile),
        }
    }
}

/// Opens a regular file to be read, by its path from a root directory, without following any link
/// on the way and without waiting for anybody.
///
/// # Errors
/// See [`NotOpened`].
pub fn open_regular(root: OwnedFd, path: &Path) -> Result<File, NotOpened> {
    reopened(&walk(root, path)?)
}

/// Our own root directory, for [`open_regular`].
///
/// # Errors
/// If this process has no descriptor left.
pub fn root_directory() -> io::Result<OwnedFd> {
    Ok(directory(AT_FDCWD, "/")?)
}

/// What a path leads to, held but not opened.
fn walk(root: OwnedFd, path: &Path) -> Result<OwnedFd, NotOpened> {
    let mut names = path.components().filter_map(|part| match part {
        Component::RootDir | Component::CurDir => None,
        Component::Normal(name) => Some(Ok(name)),
        // A way up could lead out.
        Component::ParentDir | Component::Prefix(_) => Some(Err(NotOpened::Gone)),
    });
    let mut next = names.next().ok_or(NotOpened::NotRegular)??;
    let mut place = root;
    for name in names {
        place = directory(&place, next)?;
        next = name?;
    }
    Ok(openat(&place, next, PATH_ONLY, Mode::empty())?)
}

const PATH_ONLY: OFlag = OFlag::O_PATH.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

fn directory(place: impl AsFd, name: impl AsRef<OsStr>) -> Result<OwnedFd, Errno> {
    let flags = PATH_ONLY | OFlag::O_DIRECTORY;
    openat(place, name.as_ref(), flags, Mode::empty())
}

/// Opens what is held, if it is a regular file.
fn reopened(found: &OwnedFd) -> Result<File, NotOpened> {
    let mode = SFlag::from_bits_truncate(fstat(found)?.st_mode);
    if mode & SFlag::S_IFMT != SFlag::S_IFREG {
        return Err(NotOpened::NotRegular);
    }
    // Without waiting: also for whoever holds a lease on it.
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let path = format!("/proc/self/fd/{}", found.as_raw_fd());
    let file = openat(AT_FDCWD, path.as_str(), flags, Mode::empty())?;
    Ok(file.into())
}

/// Device and inode that the kernel tells of a file where it is mapped.
///
/// # References
/// `fs/proc/task_mmu.c` (`show_map_vma`) takes them from the file system and the inode itself, while
/// `stat` asks the file system, which may tell a subvolume's or a layer's.
fn as_mapped(file: &File) -> Result<Option<(Device, u64)>, NotOpened> {
    let length = page_size_bytes() as usize;
    let (none, private) = (libc::PROT_NONE, libc::MAP_PRIVATE);
    let fd = file.as_raw_fd();
    // SAFETY: without MAP_FIXED it takes no place that is in use.
    let page = unsafe { libc::mmap(ptr::null_mut(), length, none, private, fd, 0) };
    if page == libc::MAP_FAILED {
        return Err(Errno::last().into());
    }
    let found = Mappings::own().map(|mut own| own.at(page as u64));
    // SAFETY: it is this function's own, as long as that, and nothing refers to it.
    unsafe { libc::munmap(page, length) };
    let found = found?.map_err(|error| NotOpened::Io(io::Error::other(error)))?;
    Ok(found.map(|mapping| (mapping.device, mapping.inode)))
}

impl From<Errno> for NotOpened {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP | Errno::ESRCH => Self::Gone,
            Errno::EACCES | Errno::EPERM => Self::Denied,
            Errno::EWOULDBLOCK => Self::Leased,
            errno => Self::Io(errno.into()),
        }
    }
}

impl From<io::Error> for NotOpened {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(errno) => Errno::from_raw(errno).into(),
            None => Self::Io(error),
        }
    }
}

impl From<NotOpened> for io::Error {
    fn from(reason: NotOpened) -> Self {
        match reason {
            NotOpened::Io(error) => error,
            reason => Self::other(reason),
        }
    }
}

#[cfg(test)]
mod tests;
