//! The names that strace prints for numbers.
//!
//! The numbers are those of the machine that reads the log. They differ between architectures in
//! a few `O_…` and `MAP_…` values only.

/// Names and their numbers; where one holds the bits of another, it comes first.
pub(super) type Names = &'static [(&'static str, u64)];

macro_rules! names {
    ($($name:ident),* $(,)?) => { &[$((stringify!($name), libc::$name as u64)),*] };
}

macro_rules! numbers {
    ($($name:ident),* $(,)?) => { &[$((stringify!($name), libc::$name)),*] };
}

/// Protection of memory.
pub(super) const PROTECTION: Names = names![
    PROT_NONE,
    PROT_READ,
    PROT_WRITE,
    PROT_EXEC,
    PROT_GROWSDOWN,
    PROT_GROWSUP,
];

/// Flags of `mmap`.
pub(super) const MAPPING: Names = &[
    ("MAP_SHARED_VALIDATE", libc::MAP_SHARED_VALIDATE as u64),
    ("MAP_SHARED", libc::MAP_SHARED as u64),
    ("MAP_PRIVATE", libc::MAP_PRIVATE as u64),
    ("MAP_FIXED", libc::MAP_FIXED as u64),
    ("MAP_ANONYMOUS", libc::MAP_ANONYMOUS as u64),
    ("MAP_ANON", libc::MAP_ANONYMOUS as u64),
    ("MAP_FILE", 0),
    // x86 alone has it, and nobody else uses the bit.
    ("MAP_32BIT", 0x40),
    ("MAP_GROWSDOWN", libc::MAP_GROWSDOWN as u64),
    ("MAP_DENYWRITE", libc::MAP_DENYWRITE as u64),
    ("MAP_EXECUTABLE", libc::MAP_EXECUTABLE as u64),
    ("MAP_LOCKED", libc::MAP_LOCKED as u64),
    ("MAP_NORESERVE", libc::MAP_NORESERVE as u64),
    ("MAP_POPULATE", libc::MAP_POPULATE as u64),
    ("MAP_NONBLOCK", libc::MAP_NONBLOCK as u64),
    ("MAP_STACK", libc::MAP_STACK as u64),
    ("MAP_HUGETLB", libc::MAP_HUGETLB as u64),
    ("MAP_SYNC", 0x8_0000),
    ("MAP_FIXED_NOREPLACE", libc::MAP_FIXED_NOREPLACE as u64),
    ("MAP_UNINITIALIZED", 0x400_0000),
    ("MAP_DROPPABLE", 0x8),
];

/// Flags of `mremap`.
pub(super) const MOVING: Names = &[
    ("MREMAP_MAYMOVE", libc::MREMAP_MAYMOVE as u64),
    ("MREMAP_FIXED", libc::MREMAP_FIXED as u64),
    ("MREMAP_DONTUNMAP", 4),
];

/// Advice of `madvise`.
///
/// # References
/// Linux 6.12, `include/uapi/asm-generic/mman-common.h`
pub(super) const ADVICE: Names = &[
    ("MADV_NORMAL", 0),
    ("MADV_RANDOM", 1),
    ("MADV_SEQUENTIAL", 2),
    ("MADV_WILLNEED", 3),
    ("MADV_DONTNEED", 4),
    ("MADV_FREE", 8),
    ("MADV_REMOVE", 9),
    ("MADV_DONTFORK", 10),
    ("MADV_DOFORK", 11),
    ("MADV_MERGEABLE", 12),
    ("MADV_UNMERGEABLE", 13),
    ("MADV_HUGEPAGE", 14),
    ("MADV_NOHUGEPAGE", 15),
    ("MADV_DONTDUMP", 16),
    ("MADV_DODUMP", 17),
    ("MADV_WIPEONFORK", 18),
    ("MADV_KEEPONFORK", 19),
    ("MADV_COLD", 20),
    ("MADV_PAGEOUT", 21),
    ("MADV_POPULATE_READ", 22),
    ("MADV_POPULATE_WRITE", 23),
    ("MADV_DONTNEED_LOCKED", 24),
    ("MADV_COLLAPSE", 25),
    ("MADV_HWPOISON", 100),
    ("MADV_SOFT_OFFLINE", 101),
    ("MADV_GUARD_INSTALL", 102),
    ("MADV_GUARD_REMOVE", 103),
];

/// Flags of the calls that open a file.
pub(super) const OPENING: Names = &[
    ("O_RDONLY", libc::O_RDONLY as u64),
    ("O_WRONLY", libc::O_WRONLY as u64),
    ("O_RDWR", libc::O_RDWR as u64),
    ("O_ACCMODE", libc::O_ACCMODE as u64),
    ("O_CREAT", libc::O_CREAT as u64),
    ("O_EXCL", libc::O_EXCL as u64),
    ("O_NOCTTY", libc::O_NOCTTY as u64),
    ("O_TRUNC", libc::O_TRUNC as u64),
    ("O_APPEND", libc::O_APPEND as u64),
    ("O_NONBLOCK", libc::O_NONBLOCK as u64),
    ("O_SYNC", libc::O_SYNC as u64),
    ("O_DSYNC", libc::O_DSYNC as u64),
    ("O_DIRECT", libc::O_DIRECT as u64),
    ("O_LARGEFILE", KERNELS_LARGEFILE),
    ("O_TMPFILE", libc::O_TMPFILE as u64),
    ("O_DIRECTORY", libc::O_DIRECTORY as u64),
    ("O_NOFOLLOW", libc::O_NOFOLLOW as u64),
    ("O_NOATIME", libc::O_NOATIME as u64),
    ("O_CLOEXEC", libc::O_CLOEXEC as u64),
    ("O_PATH", libc::O_PATH as u64),
    ("O_ASYNC", libc::O_ASYNC as u64),
    ("FASYNC", libc::O_ASYNC as u64),
];

/// The C library calls it 0 where every file may be large; the kernel has a bit for it.
const KERNELS_LARGEFILE: u64 = if cfg!(target_arch = "aarch64") {
    0o400_000
} else {
    0o100_000
};

/// Flags of `clone` that matter here.
pub(super) const CLONING: Names = names![CLONE_THREAD];

/// The number of a name.
pub(super) fn number_of(names: Names, name: &[u8]) -> Option<u64> {
    let found = names.iter().find(|(known, _)| known.as_bytes() == name);
    found.map(|(_, number)| *number)
}

/// The kernel's own error numbers for a call that a signal interrupted.
///
/// # References
/// Linux `include/linux/errno.h`
const RESTARTS: &[(&str, i32)] = &[
    ("ERESTARTSYS", 512),
    ("ERESTARTNOINTR", 513),
    ("ERESTARTNOHAND", 514),
    ("ENOIOCTLCMD", 515),
    ("ERESTART_RESTARTBLOCK", 516),
];

const ERRORS: &[(&str, i32)] = numbers![
    EPERM,
    ENOENT,
    ESRCH,
    EINTR,
    EIO,
    ENXIO,
    E2BIG,
    ENOEXEC,
    EBADF,
    ECHILD,
    EAGAIN,
    ENOMEM,
    EACCES,
    EFAULT,
    ENOTBLK,
    EBUSY,
    EEXIST,
    EXDEV,
    ENODEV,
    ENOTDIR,
    EISDIR,
    EINVAL,
    ENFILE,
    EMFILE,
    ENOTTY,
    ETXTBSY,
    EFBIG,
    ENOSPC,
    ESPIPE,
    EROFS,
    EMLINK,
    EPIPE,
    EDOM,
    ERANGE,
    EDEADLK,
    ENAMETOOLONG,
    ENOLCK,
    ENOSYS,
    ENOTEMPTY,
    ELOOP,
    EOVERFLOW,
    EOPNOTSUPP,
    ETIMEDOUT,
    ESTALE,
    EDQUOT,
    ENOMEDIUM,
    EMEDIUMTYPE,
    ECANCELED,
    ENOKEY,
    EKEYEXPIRED,
    EKEYREVOKED,
    EKEYREJECTED,
    EOWNERDEAD,
    EUSERS,
    ENODATA,
    ELIBACC,
    ELIBBAD,
    ELIBSCN,
    ELIBMAX,
    ELIBEXEC,
    EILSEQ,
    EREMOTEIO,
    ERFKILL,
    EHWPOISON,
    ECONNREFUSED,
    ECONNRESET,
    ENOTCONN,
    EPROTO,
    EBADMSG,
    ENOBUFS,
    EALREADY,
    EINPROGRESS,
];

const SIGNALS: &[(&str, i32)] = numbers![
    SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL, SIGUSR1, SIGSEGV,
    SIGUSR2, SIGPIPE, SIGALRM, SIGTERM, SIGSTKFLT, SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN,
    SIGTTOU, SIGURG, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGWINCH, SIGIO, SIGPWR, SIGSYS,
];

/// The number of an error's name.
pub(super) fn error_number(name: &[u8]) -> Option<i32> {
    let known = ERRORS.iter().chain(RESTARTS);
    let also = [("ENOTSUP", libc::EOPNOTSUPP), ("EWOULDBLOCK", libc::EAGAIN)];
    known
        .chain(&also)
        .find(|(known, _)| known.as_bytes() == name)
        .map(|(_, number)| *number)
}

/// The name of an error.
pub(super) fn error_name(number: i32) -> Option<&'static str> {
    let found = ERRORS.iter().chain(RESTARTS).find(|(_, n)| *n == number);
    found.map(|(name, _)| *name)
}

/// The kernel's first real-time signal; the C library's `SIGRTMIN` lies higher.
const FIRST_REAL_TIME: i32 = 32;

/// The number of a signal as strace names it: `SIGKILL`, `SIGRTMIN`, `SIGRT_7`, or plain.
pub(super) fn signal_number(name: &[u8]) -> Option<i32> {
    if let Some((_, number)) = SIGNALS.iter().find(|(known, _)| known.as_bytes() == name) {
        return Some(*number);
    }
    let name = str::from_utf8(name).ok()?;
    if name == "SIGRTMIN" {
        return Some(FIRST_REAL_TIME);
    }
    let number = match name.strip_prefix("SIGRT_") {
        Some(above) => FIRST_REAL_TIME + above.parse::<u8>().ok().map(i32::from)?,
        None => name.strip_prefix("SIG_").unwrap_or(name).parse().ok()?,
    };
    (1..=64).contains(&number).then_some(number)
}

/// As strace names a signal.
pub(super) fn signal_name(number: i32) -> String {
    match SIGNALS.iter().find(|(_, known)| *known == number) {
        Some((name, _)) => (*name).to_owned(),
        None if number >= FIRST_REAL_TIME => format!("SIGRT_{}", number - FIRST_REAL_TIME),
        None => format!("{number}"),
    }
}
