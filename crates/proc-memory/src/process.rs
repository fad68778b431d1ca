//! A handle on one process that cannot come to mean another.

mod error;
mod stat;
mod status;

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, fstat};
use nix::unistd::geteuid;

pub use error::{ProcessError, ROOT_IS_REFUSED, Reason, as_root};
pub use stat::Stat;
pub use status::{Status, kib_field};

/// The processes that are visible now, by number.
///
/// # Errors
/// `/proc` can't be listed.
pub fn all_pids() -> io::Result<Vec<i32>> {
    let mut pids = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        pids.extend(name.to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    pids.sort_unstable();
    Ok(pids)
}

/// Longer than any line of `stat`: 52 numbers of 20 digits and a name.
const STAT_BYTES: usize = 2048;

/// A process, held by its open `/proc` directory.
///
/// A pid is only a number: when its process ends, the kernel may hand it to the next one. An open
/// `/proc/PID` directory is bound to the process itself (the kernel keeps its `struct pid` in the
/// directory's inode, `fs/proc/base.c`), so every file opened through it belongs to that process,
/// and once it has ended the lookup fails with `ESRCH` or `ENOENT`, whoever has the number by then.
///
/// References: `proc(5)`; `fs/proc/base.c` (`proc_pid_make_inode`, `proc_tgid_base_lookup`).
#[derive(Debug)]
pub struct Process {
    pid: i32,
    directory: OwnedFd,
    /// Its `stat`, from the first reading on: an open one can be read again and again.
    stat: OnceLock<File>,
}

impl Process {
    /// Takes hold of the process that has the number `pid` now.
    ///
    /// The one moment at which another process can be meant is before this call; a caller that
    /// started the process itself and has not yet waited for it is safe from that too, because the
    /// number stays taken until the wait.
    ///
    /// # Errors
    /// [`Reason::NoSuchProcess`] when nothing visible has that number; [`Reason::NoProc`] when
    /// `/proc` is not mounted; [`Reason::Io`] for anything else, such as too many open files.
    pub fn open(pid: i32) -> Result<Self, ProcessError> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let failed = |reason| ProcessError::new(pid, "", reason);
        if pid <= 0 {
            return Err(failed(Reason::NoSuchProcess));
        }
        match open(format!("/proc/{pid}").as_str(), flags, Mode::empty()) {
            Ok(directory) => Ok(Self { pid, directory, stat: OnceLock::new() }),
            Err(Errno::ENOENT | Errno::ESRCH) if proc_is_mounted() => {
                Err(failed(Reason::NoSuchProcess))
            }
            Err(Errno::ENOENT) => Err(failed(Reason::NoProc)),
            Err(errno) => Err(failed(Reason::Io(errno.into()))),
        }
    }

    /// Itself, unless the number is that of a thread other than its process's first; but where that one
    /// has ended, the files of any thread that lives are the process's.
    ///
    /// # Errors
    /// [`Reason::Thread`]; or its `status` can't be read.
    ///
    /// # References
    /// `proc_pid_status(5)`, `Tgid`
    pub fn thread_group_leader(self) -> Result<Self, ProcessError> {
        match Status::parse(self.whole("status")?).number("Tgid") {
            Some(process)
                if process != self.pid && Self::open(process).is_ok_and(|it| it.is_alive()) =>
            {
                Err(ProcessError::new(self.pid, "", Reason::Thread { process }))
            }
            _ => Ok(self),
        }
    }

    /// The process's number, as this process's pid namespace sees it.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Whether the process still runs: neither gone nor a zombie that waits to be reaped.
    pub fn is_alive(&self) -> bool {
        self.stat().is_ok_and(|stat| !stat.has_ended())
    }

    /// The user that runs it, also where its program is set-uid and where it hides its files.
    ///
    /// # Errors
    /// The process has ended, or its `status` is hidden (`hidepid`).
    ///
    /// # References
    /// `proc_pid_status(5)`: the first number of `Uid` is the real one
    pub fn real_uid(&self) -> Result<u32, ProcessError> {
        let status = Status::parse(self.whole("status")?);
        let number = status.number("Uid");
        number.ok_or_else(|| self.malformed("status", "there is no Uid"))
    }

    /// Opens one of the process's files, such as `maps`.
    pub fn file(&self, name: &'static str) -> Result<File, ProcessError> {
        self.open_raw(name).map_err(|errno| self.explain(name, errno.into()))
    }

    /// The whole of one of the process's files, from its beginning, as far as `MOST_BYTES`.
    ///
    /// There is room for most files from the start: a vector that grows while it is read into costs
    /// a system call for each step.
    pub fn whole(&self, name: &'static str) -> Result<Vec<u8>, ProcessError> {
        const ROOM_BYTES: usize = 8192;
        const MOST_BYTES: u64 = 4 << 20;
        let mut content = Vec::with_capacity(ROOM_BYTES);
        let read = self.file(name)?.take(MOST_BYTES).read_to_end(&mut content);
        read.map_err(|error| self.explain(name, error))?;
        Ok(content)
    }

    /// What the kernel tells of it in `stat` now.
    ///
    /// # Errors
    /// The process has ended and was waited for, or its `stat` is hidden (`hidepid`).
    pub fn stat(&self) -> Result<Stat, ProcessError> {
        let file = match self.stat.get() {
            Some(file) => file,
            None => {
                let file = self.file("stat")?;
                self.stat.get_or_init(|| file)
            }
        };
        // One read: the kernel writes the line anew for whoever reads from the beginning.
        let mut line = [0; STAT_BYTES];
        let length = file.read_at(&mut line, 0).map_err(|error| self.explain("stat", error))?;
        Stat::parse(&line[..length]).ok_or_else(|| self.malformed("stat", "fields are missing"))
    }

    /// Its root directory, held but not opened.
    pub fn root(&self) -> Result<OwnedFd, Errno> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        openat(&self.directory, "root", flags, Mode::empty())
    }

    /// What is mapped at a range of addresses, such as `7f0000000000-7f0000001000`, held but not
    /// opened.
    pub fn map_file(&self, addresses: &str) -> Result<OwnedFd, Errno> {
        let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
        let path = format!("map_files/{addresses}");
        openat(&self.directory, path.as_str(), flags, Mode::empty())
    }

    /// The error for a file of this process whose content is not what its format promises.
    pub fn malformed(&self, file: &'static str, what: &'static str) -> ProcessError {
        ProcessError::new(self.pid, file, Reason::Malformed(what))
    }

    /// The error for a file of a process that seems to have no memory any more.
    pub fn without_memory(&self, file: &'static str) -> ProcessError {
        self.explain(file, Errno::ESRCH.into())
    }

    /// Turns what the kernel said about one of this process's files into a reason that a person
    /// can act on. `ESRCH` and `ENOENT` each have several, which only the process's state tells
    /// apart.
    pub fn explain(&self, file: &'static str, error: io::Error) -> ProcessError {
        let reason = match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EACCES | Errno::EPERM) => Reason::Denied {
                owner_uid: fstat(&self.directory).ok().map(|status| status.st_uid),
                our_uid: geteuid().as_raw(),
            },
            Some(errno @ (Errno::ESRCH | Errno::ENOENT)) => self.why_absent(errno, error),
            _ => Reason::Io(error),
        };
        ProcessError::new(self.pid, file, reason)
    }

    fn why_absent(&self, errno: Errno, error: io::Error) -> Reason {
        let mut content = Vec::new();
        let stat = self
            .open_raw("stat")
            .ok()
            .and_then(|mut file| file.read_to_end(&mut content).ok())
            .and_then(|_| Stat::parse(&content));
        match stat {
            None => Reason::Ended,
            Some(stat) if stat.is_kernel_thread() => Reason::KernelThread,
            // The main thread counts itself, as a zombie, until the last of the others is gone.
            Some(stat) if stat.has_ended() && stat.threads > 1 => {
                Reason::MainThreadEnded { threads: stat.threads }
            }
            Some(stat) if stat.has_ended() => Reason::Zombie,
            Some(_) if errno == Errno::ENOENT => Reason::NotInKernel,
            Some(_) => Reason::Io(error),
        }
    }

    fn open_raw(&self, name: &str) -> Result<File, Errno> {
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        openat(&self.directory, name, flags, Mode::empty()).map(File::from)
    }
}

/// Reads the whole of a `/proc` file from its beginning into `buffer`, which keeps its storage from
/// one weighing to the next.
///
/// Reading at offset 0 makes the kernel write the file's content anew, so an open file can be read
/// again and again (`seq_file`, `fs/seq_file.c`).
pub fn reread(file: &File, buffer: &mut Vec<u8>) -> io::Result<()> {
    const STEP: usize = 4096;
    let mut length = 0;
    loop {
        buffer.resize(length + STEP, 0);
        match file.read_at(&mut buffer[length..], length as u64) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    buffer.truncate(length);
    Ok(())
}

fn proc_is_mounted() -> bool {
    std::path::Path::new("/proc/self/stat").exists()
}
