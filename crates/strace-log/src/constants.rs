//! The numbers behind the names that strace prints: nix's, and what it doesn't have.
//!
//! The numbers are those of the machine that reads the log. They differ between architectures in
//! a few `O_…` and `MAP_…` values only.

use std::sync::LazyLock;

use bitflags::Flags;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::mman::{MRemapFlags, MapFlags, ProtFlags};
use nix::sys::signal::Signal;

/// The number of a name.
pub(super) type Names = fn(&[u8]) -> Option<u64>;

/// The bits that nix knows by this name.
fn known<F: Flags<Bits = i32>>(name: &[u8]) -> Option<u64> {
    let found = F::FLAGS.iter().find(|flag| flag.name().as_bytes() == name)?;
    Some(u64::from(found.value().bits().cast_unsigned()))
}

/// Protection of memory.
pub(super) fn protection(name: &[u8]) -> Option<u64> {
    known::<ProtFlags>(name)
}

/// Flags of `mmap`.
pub(super) fn mapping(name: &[u8]) -> Option<u64> {
    known::<MapFlags>(name).or(match name {
        // x86 alone has it, and nobody else uses the bit.
        b"MAP_32BIT" => Some(0x40),
        b"MAP_UNINITIALIZED" => Some(0x400_0000),
        b"MAP_DROPPABLE" => Some(0x8),
        _ => None,
    })
}

/// Flags of `mremap`.
pub(super) fn moving(name: &[u8]) -> Option<u64> {
    known::<MRemapFlags>(name)
}

/// Flags of the calls that open a file.
pub(super) fn opening(name: &[u8]) -> Option<u64> {
    match name {
        // The commonest by far, and nix's list has it behind twenty others.
        b"O_RDONLY" => Some(0),
        // The C library calls it 0 where every file may be large; the kernel has a bit for it.
        b"O_LARGEFILE" if cfg!(target_arch = "aarch64") => Some(0o400_000),
        b"O_LARGEFILE" => Some(0o100_000),
        b"FASYNC" => known::<OFlag>(b"O_ASYNC"),
        _ => known::<OFlag>(name),
    }
}

/// The one flag of `clone` that matters here.
pub(super) fn cloning(name: &[u8]) -> Option<u64> {
    (name == b"CLONE_THREAD").then_some(libc::CLONE_THREAD as u64)
}

/// Advice of `madvise`.
pub(super) fn advice(name: &[u8]) -> Option<u64> {
    let found = ADVICE.iter().find(|(known, _)| known.as_bytes() == name);
    found.map(|(_, number)| *number)
}

/// # References
/// Linux 6.12, `include/uapi/asm-generic/mman-common.h`
const ADVICE: &[(&str, u64)] = &[
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

/// The kernel's other errors have numbers below this.
const END_OF_ERRORS: i32 = 134;

/// The number of an error's name.
pub(super) fn error_number(name: &[u8]) -> Option<i32> {
    static ERRORS: LazyLock<Vec<(String, i32)>> = LazyLock::new(|| {
        let name = |number| (format!("{:?}", Errno::from_raw(number)), number);
        (1..END_OF_ERRORS).map(name).collect()
    });
    let known = ERRORS.iter().map(|(name, number)| (&**name, *number));
    let also = [("ENOTSUP", libc::EOPNOTSUPP), ("EWOULDBLOCK", libc::EAGAIN)];
    let mut all = known.chain(RESTARTS.iter().copied()).chain(also);
    all.find(|(known, _)| known.as_bytes() == name).map(|(_, number)| number)
}

/// The kernel's first real-time signal; the C library's `SIGRTMIN` lies higher.
const FIRST_REAL_TIME: i32 = 32;

/// The number of a signal as strace names it: `SIGKILL`, `SIGRTMIN`, `SIGRT_7`, or plain.
pub(super) fn signal_number(name: &[u8]) -> Option<i32> {
    let name = str::from_utf8(name).ok()?;
    if let Ok(signal) = name.parse::<Signal>() {
        return Some(signal as i32);
    }
    if name == "SIGRTMIN" {
        return Some(FIRST_REAL_TIME);
    }
    let number = match name.strip_prefix("SIGRT_") {
        Some(above) => FIRST_REAL_TIME + above.parse::<u8>().ok().map(i32::from)?,
        None => name.strip_prefix("SIG_").unwrap_or(name).parse().ok()?,
    };
    (1..=64).contains(&number).then_some(number)
}
