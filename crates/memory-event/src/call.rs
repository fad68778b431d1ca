//! A watched system call and what came of it.

use std::sync::Arc;

use super::Stack;

/// The system calls that sources watch: those that change a process's memory, and those that tell
/// which file is being read and which program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Syscall {
    /// Moves the program break.
    Brk,
    /// Makes a mapping.
    Mmap,
    /// Removes mappings.
    Munmap,
    /// Moves or resizes a mapping.
    Mremap,
    /// Changes what may be done with mapped memory.
    Mprotect,
    /// Advises the kernel, above all that memory may be dropped.
    Madvise,
    /// Opens a file (not on architectures younger than `openat`).
    Open,
    /// Opens a file.
    Openat,
    /// Opens a file, with constraints.
    Openat2,
    /// Creates and opens a file (not on architectures younger than `openat`).
    Creat,
    /// Closes a file descriptor.
    Close,
    /// Executes a program.
    Execve,
    /// Executes a program given by directory and name, or by file descriptor.
    Execveat,
}

impl Syscall {
    /// All of them; the most frequent first.
    pub const ALL: [Self; 13] = [
        Self::Brk,
        Self::Mmap,
        Self::Munmap,
        Self::Mremap,
        Self::Mprotect,
        Self::Madvise,
        Self::Open,
        Self::Openat,
        Self::Openat2,
        Self::Creat,
        Self::Close,
        Self::Execve,
        Self::Execveat,
    ];

    /// The name that the kernel, strace and the manual use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Brk => "brk",
            Self::Mmap => "mmap",
            Self::Munmap => "munmap",
            Self::Mremap => "mremap",
            Self::Mprotect => "mprotect",
            Self::Madvise => "madvise",
            Self::Open => "open",
            Self::Openat => "openat",
            Self::Openat2 => "openat2",
            Self::Creat => "creat",
            Self::Close => "close",
            Self::Execve => "execve",
            Self::Execveat => "execveat",
        }
    }

    /// The call of this name, if it is a watched one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|call| call.name() == name)
    }

    /// Its number on this machine's architecture; `None` if the architecture lacks the call.
    pub const fn number(self) -> Option<i64> {
        let number = match self {
            Self::Brk => libc::SYS_brk,
            Self::Mmap => libc::SYS_mmap,
            Self::Munmap => libc::SYS_munmap,
            Self::Mremap => libc::SYS_mremap,
            Self::Mprotect => libc::SYS_mprotect,
            Self::Madvise => libc::SYS_madvise,
            #[cfg(target_arch = "x86_64")]
            Self::Open => libc::SYS_open,
            #[cfg(target_arch = "x86_64")]
            Self::Creat => libc::SYS_creat,
            #[cfg(not(target_arch = "x86_64"))]
            Self::Open | Self::Creat => return None,
            Self::Openat => libc::SYS_openat,
            Self::Openat2 => libc::SYS_openat2,
            Self::Close => libc::SYS_close,
            Self::Execve => libc::SYS_execve,
            Self::Execveat => libc::SYS_execveat,
        };
        Some(number)
    }

    /// The watched call of this number on this machine's architecture.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|call| call.number() == Some(number))
    }

    /// Whether it acts on the caller's memory: `brk` to `madvise`.
    pub const fn is_memory(self) -> bool {
        (self as u8) <= Self::Madvise as u8
    }

    /// Whether it returns a new file descriptor.
    pub const fn is_open(self) -> bool {
        matches!(
            self,
            Self::Open | Self::Openat | Self::Openat2 | Self::Creat
        )
    }
}

/// A call that came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Which call.
    pub syscall: Syscall,
    /// The six argument registers; those beyond the call's own hold whatever the program had
    /// there. Addresses and lengths are in bytes, as the kernel takes them.
    pub args: [u64; 6],
    /// What the kernel returned, or the error number (positive). Also 512–516, the kernel's own
    /// numbers for a call that a signal interrupted and that will be made again.
    pub result: Result<u64, i32>,
    /// After a successful open, where the source can tell: the file that was opened, as the
    /// kernel names it (any bytes; ` (deleted)` may be appended).
    pub path: Option<Vec<u8>>,
    /// Who made it, where that was asked for and the call is one by which memory may grow.
    pub stack: Option<Arc<Stack>>,
}

impl Call {
    /// Whether the kernel did not do what was asked.
    ///
    /// `brk` never returns an error: asked for a break that it won't give, it returns the present
    /// one, which is what makes this call easy to overlook (`strace -c` shows no errors for it).
    /// Here a `brk` failed if it asked for an address and got another; `brk(0)`, the question
    /// where the break is, never fails.
    ///
    /// # References
    /// brk(2), “C library/kernel differences”; `mm/mmap.c`, `SYSCALL_DEFINE1(brk, …)`
    pub fn failed(&self) -> bool {
        match self.result {
            Err(_) => true,
            Ok(returned) => {
                self.syscall == Syscall::Brk && self.args[0] != 0 && returned != self.args[0]
            }
        }
    }

    /// The descriptor through which a file is going to be read, and nothing but read: whoever may
    /// write to it, too, as a database does, keeps it rather than reads it. No directory, no
    /// device. Of `openat2`, whose flags lie in memory, it is presumed. `None` if the file isn't
    /// known.
    pub fn opened_for_reading(&self) -> Option<(i32, &[u8])> {
        let flags = match self.syscall {
            Syscall::Open => self.args[1],
            Syscall::Openat => self.args[2],
            Syscall::Openat2 => 0,
            _ => return None,
        };
        let flags = flags as i32;
        let unread = libc::O_DIRECTORY | libc::O_PATH;
        let reads = flags & libc::O_ACCMODE == libc::O_RDONLY && flags & unread == 0;
        let path = self
            .path
            .as_deref()
            .filter(|path| reads && is_a_file(path))?;
        Some((self.result.ok()? as i32, path))
    }

    /// The descriptor of the file that a successful `mmap` maps.
    pub fn mapped_file(&self) -> Option<i32> {
        let [_, _, _, flags, fd, _] = self.args;
        let maps_a_file = self.syscall == Syscall::Mmap
            && self.result.is_ok()
            && flags & libc::MAP_ANONYMOUS as u64 == 0;
        maps_a_file.then_some(fd as i32)
    }
}

fn is_a_file(path: &[u8]) -> bool {
    !path.starts_with(b"/dev/") && !path.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brk(asked: u64, returned: u64) -> Call {
        let args = [asked, 0, 0, 0, 0, 0];
        Call {
            syscall: Syscall::Brk,
            args,
            result: Ok(returned),
            path: None,
            stack: None,
        }
    }

    #[test]
    fn a_brk_that_returns_another_address_failed() {
        assert!(!brk(0, 0x26b2000).failed(), "only asking");
        assert!(!brk(0x26d3000, 0x26d3000).failed());
        assert!(brk(0x26d3000, 0x26b2000).failed());
        assert!(brk(1, 0x26b2000).failed(), "below the start of the segment");
    }

    #[test]
    fn names_and_numbers_lead_back() {
        for call in Syscall::ALL {
            assert_eq!(Syscall::from_name(call.name()), Some(call));
            if let Some(number) = call.number() {
                assert_eq!(Syscall::from_number(number), Some(call));
            }
        }
        assert_eq!(Syscall::from_name("read"), None);
        assert_eq!(Syscall::from_number(libc::SYS_read), None);
    }

    #[test]
    fn only_files_are_read() {
        let reads = |syscall, flags: i32, path: Option<&str>| {
            let call = Call {
                syscall,
                args: match syscall {
                    Syscall::Open => [0, flags as u64, 0, 0, 0, 0],
                    _ => [0, 0, flags as u64, 0, 0, 0],
                },
                result: Ok(3),
                path: path.map(|path| path.as_bytes().to_vec()),
                stack: None,
            };
            call.opened_for_reading().is_some()
        };
        assert!(reads(Syscall::Open, libc::O_RDONLY, Some("/etc/hosts")));
        assert!(reads(Syscall::Openat, libc::O_CLOEXEC, Some("relative")));
        assert!(!reads(Syscall::Openat, libc::O_RDWR, Some("my.db")));
        assert!(!reads(Syscall::Openat, libc::O_WRONLY, Some("/var/log/x")));
        assert!(!reads(Syscall::Openat, libc::O_DIRECTORY, Some("/etc")));
        assert!(!reads(Syscall::Open, libc::O_RDONLY, Some("/dev/urandom")));
        assert!(!reads(Syscall::Open, libc::O_RDONLY, None));
        assert!(!reads(Syscall::Creat, 0, Some("/tmp/x")));
    }

    #[test]
    fn memory_calls() {
        let memory: Vec<_> = Syscall::ALL
            .into_iter()
            .filter(|call| call.is_memory())
            .collect();
        assert_eq!(memory.len(), 6);
        assert!(memory.contains(&Syscall::Brk) && memory.contains(&Syscall::Madvise));
    }
}
