//! A watched system call, what came of it, and who made it.

use std::sync::Arc;

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
    pub const ALL: [Self; 13] = {
        let mut all = [Self::Brk; TABLE.len()];
        let mut index = 0;
        while index < all.len() {
            all[index] = TABLE[index].0;
            index += 1;
        }
        all
    };

    /// The name that the kernel, strace and the manual use.
    pub const fn name(self) -> &'static str {
        TABLE[self as usize].1
    }

    /// The call of this name, if it is a watched one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|call| call.name() == name)
    }

    /// Its number on this machine's architecture; `None` if the architecture lacks the call.
    pub const fn number(self) -> Option<i64> {
        match TABLE[self as usize].2 {
            LACKING => None,
            number => Some(number),
        }
    }

    /// The watched call of this number on this machine's architecture.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|call| call.number() == Some(number))
    }

    /// Its number for 32-bit code on x86-64: `mmap` is `mmap2`, whose offset counts pages of 4 KiB.
    ///
    /// # References
    /// `arch/x86/entry/syscalls/syscall_32.tbl`
    pub const fn i386_number(self) -> u32 {
        TABLE[self as usize].3
    }

    /// The watched call that 32-bit code makes by this number on x86-64, and its arguments as the
    /// 64-bit one has them. `None` also of [`I386_OLD_MMAP`].
    pub fn from_i386(number: u64, mut args: [u64; 6]) -> Option<(Self, [u64; 6])> {
        let of = |call: &Self| u64::from(call.i386_number()) == number;
        let call = Self::ALL.into_iter().find(of)?;
        if call == Self::Mmap {
            args[5] <<= 12;
        }
        Some((call, args))
    }

    /// Whether it acts on the caller's memory: `brk` to `madvise`.
    pub const fn is_memory(self) -> bool {
        (self as u8) <= Self::Madvise as u8
    }

    /// Whether it returns a new file descriptor.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Openat | Self::Openat2 | Self::Creat)
    }
}

/// The number of the first `mmap` of 32-bit code on x86-64. Its one argument points to six words of
/// 32 bits, which are those of the 64-bit `mmap`.
pub const I386_OLD_MMAP: u64 = 90;

/// Each with its name and its numbers, its own and i386's, at the place that it has among them.
const TABLE: [(Syscall, &str, i64, u32); 13] = [
    (Syscall::Brk, "brk", libc::SYS_brk, 45),
    (Syscall::Mmap, "mmap", libc::SYS_mmap, 192),
    (Syscall::Munmap, "munmap", libc::SYS_munmap, 91),
    (Syscall::Mremap, "mremap", libc::SYS_mremap, 163),
    (Syscall::Mprotect, "mprotect", libc::SYS_mprotect, 125),
    (Syscall::Madvise, "madvise", libc::SYS_madvise, 219),
    (Syscall::Open, "open", OPEN_AND_CREAT[0], 5),
    (Syscall::Openat, "openat", libc::SYS_openat, 295),
    (Syscall::Openat2, "openat2", libc::SYS_openat2, 437),
    (Syscall::Creat, "creat", OPEN_AND_CREAT[1], 8),
    (Syscall::Close, "close", libc::SYS_close, 6),
    (Syscall::Execve, "execve", libc::SYS_execve, 11),
    (Syscall::Execveat, "execveat", libc::SYS_execveat, 358),
];

#[cfg(target_arch = "x86_64")]
const OPEN_AND_CREAT: [i64; 2] = [libc::SYS_open, libc::SYS_creat];
#[cfg(not(target_arch = "x86_64"))]
const OPEN_AND_CREAT: [i64; 2] = [LACKING; 2];

/// In place of the number of a call that the architecture lacks.
const LACKING: i64 = -1;

/// A call that came back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
    /// A call of which neither path nor stack is known.
    pub fn new(syscall: Syscall, args: [u64; 6], result: Result<u64, i32>) -> Self {
        Self { syscall, args, result, path: None, stack: None }
    }

    /// The same with the [`path`](Self::path) of the file that it opened.
    #[must_use]
    pub fn with_path(mut self, path: Option<Vec<u8>>) -> Self {
        self.path = path;
        self
    }

    /// The same with who made it.
    #[must_use]
    pub fn with_stack(mut self, stack: Option<Arc<Stack>>) -> Self {
        self.stack = stack;
        self
    }

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
        let path = self.path.as_deref().filter(|path| reads && is_a_file(path))?;
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

/// The functions that led to a call, and what had been asked of malloc.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stack {
    /// Innermost first. A frame that has no name is its address in hex, `0x7f…`; one in a library
    /// whose symbols are gone is `library.so+0x1234`. Shared, so that a frame costs a pointer.
    pub frames: Vec<Arc<str>>,
    /// The walk ended before the thread's first function: nothing told where the caller's frame
    /// is, or there were too many.
    pub truncated: bool,
    /// Bytes that the program asked of `malloc` or one of its relatives when this made the heap
    /// grow; `None` where that can't be known for certain.
    pub requested_bytes: Option<u64>,
}

impl Stack {
    /// Of these frames.
    pub fn new(frames: Vec<Arc<str>>, truncated: bool, requested_bytes: Option<u64>) -> Self {
        Self { frames, truncated, requested_bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brk(asked: u64, returned: u64) -> Call {
        let args = [asked, 0, 0, 0, 0, 0];
        Call::new(Syscall::Brk, args, Ok(returned))
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
    fn calls_of_32_bit_code() {
        let args = [0, 0x7000, 3, 0x22, 5, 2];
        let mmap = Some((Syscall::Mmap, [0, 0x7000, 3, 0x22, 5, 0x2000]));
        assert_eq!(Syscall::from_i386(192, args), mmap);
        assert_eq!(Syscall::from_i386(6, args), Some((Syscall::Close, args)));
        // Numbers of the 64-bit close and brk.
        assert_eq!((Syscall::from_i386(3, args), Syscall::from_i386(12, args)), (None, None));
    }

    #[test]
    fn only_files_are_read() {
        let reads = |syscall, flags: i32, path: Option<&str>| {
            let args = match syscall {
                Syscall::Open => [0, flags as u64, 0, 0, 0, 0],
                _ => [0, 0, flags as u64, 0, 0, 0],
            };
            let path = path.map(|path| path.as_bytes().to_vec());
            let call = Call::new(syscall, args, Ok(3)).with_path(path);
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
        let memory: Vec<_> = Syscall::ALL.into_iter().filter(|call| call.is_memory()).collect();
        assert_eq!(memory.len(), 6);
        assert!(memory.contains(&Syscall::Brk) && memory.contains(&Syscall::Madvise));
    }
}
