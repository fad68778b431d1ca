//! A file on disk, and how to tell whether it is still the same one.
//!
//! # Safety
//!
//! Calls into libc with C strings and structures that live on this stack, and a descriptor that is
//! owned until it passes to a stream.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::ptr::NonNull;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A file whose last change is younger than this when it is read could change once more without a
/// trace: timestamps are as coarse as a tick of the kernel's clock (4 ms), on some file systems a
/// second, on FAT two.
const COARSEST_TIMESTAMP: Duration = Duration::from_secs(2);

/// What tells one state of one file from every other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    device: libc::dev_t,
    inode: libc::ino_t,
    size: libc::off_t,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileIdentity {
    fn from(status: &libc::stat) -> Self {
        Self {
            device: status.st_dev,
            inode: status.st_ino,
            size: status.st_size,
            modified: (status.st_mtime, status.st_mtime_nsec),
            changed: (status.st_ctime, status.st_ctime_nsec),
        }
    }

    /// Length of the file in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.size.unsigned_abs()
    }

    /// Whether a later change is certain to show. The time of change can't be set by anybody, as
    /// that of modification can; a clock that was put back makes a file look young, never old.
    fn is_settled(&self) -> bool {
        let (seconds, nanoseconds) = self.changed;
        let since_1970 = || {
            let whole = Duration::from_secs(u64::try_from(seconds).ok()?);
            Some(whole + Duration::from_nanos(u64::try_from(nanoseconds).ok()?))
        };
        let changed = since_1970().and_then(|since| UNIX_EPOCH.checked_add(since));
        let age = changed.and_then(|changed| SystemTime::now().duration_since(changed).ok());
        age.is_some_and(|age| age > COARSEST_TIMESTAMP)
    }
}

/// A regular file with something in it, open for reading.
#[derive(Debug)]
pub(crate) struct RegularFile {
    descriptor: OwnedFd,
    /// What it was when it was opened.
    pub(crate) identity: FileIdentity,
    /// Whether this identity stands for the contents: nothing that happens to the file from now on
    /// leaves it as it is.
    pub(crate) settled: bool,
}

impl RegularFile {
    /// Opens it; `None` for what isn't there, may not be read, has no length, or isn't a regular
    /// file. The latter isn't even opened: a pipe's writer would notice.
    pub(crate) fn open(path: &CStr) -> Option<Self> {
        usable(&status_of(|status| {
            // SAFETY: a C string, and room for the answer.
            unsafe { libc::stat(path.as_ptr(), status) }
        })?)?;
        // SAFETY: a C string and valid flags.
        let descriptor = unsafe {
            libc::open(
                path.as_ptr(),
                libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NOCTTY | libc::O_NONBLOCK,
            )
        };
        if descriptor < 0 {
            return None;
        }
        // SAFETY: just opened, and nobody else knows it.
        let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
        let identity = usable(&status_of_open(descriptor.as_raw_fd())?)?;
        let settled = identity.is_settled();
        Some(Self { descriptor, identity, settled })
    }

    /// The file as a stdio stream, which is how OpenSSL reads files.
    pub(crate) fn into_stream(self) -> Option<FileStream> {
        // SAFETY: the descriptor is open for reading, and passes to the stream if there is one.
        let stream = unsafe { libc::fdopen(self.descriptor.as_raw_fd(), c"r".as_ptr()) };
        let stream = NonNull::new(stream)?;
        Some(FileStream { stream, descriptor: self.descriptor.into_raw_fd() })
    }
}

/// A stdio stream that nobody owns yet; whoever gets it closes it.
#[derive(Debug)]
pub(crate) struct FileStream {
    pub(crate) stream: NonNull<libc::FILE>,
    descriptor: c_int,
}

impl FileStream {
    /// What the file is by now. The stream must still be open.
    pub(crate) fn identity_now(&self) -> Option<FileIdentity> {
        usable(&status_of_open(self.descriptor)?)
    }
}

fn usable(status: &libc::stat) -> Option<FileIdentity> {
    let regular = status.st_mode & libc::S_IFMT == libc::S_IFREG;
    (regular && status.st_size > 0).then(|| FileIdentity::from(status))
}

fn status_of_open(descriptor: c_int) -> Option<libc::stat> {
    // SAFETY: room for the answer; a descriptor that isn't open is an error and no more.
    status_of(|status| unsafe { libc::fstat(descriptor, status) })
}

fn status_of(ask: impl FnOnce(*mut libc::stat) -> c_int) -> Option<libc::stat> {
    let mut status = MaybeUninit::uninit();
    let answer = ask(status.as_mut_ptr());
    // SAFETY: stat(2) and fstat(2) fill it in when they return 0.
    (answer == 0).then(|| unsafe { status.assume_init() })
}
