//! The seccomp filter: which calls stop.
//!
//! Everything but the watched calls is allowed by number alone, so that the kernel (since 5.11)
//! keeps a bitmap of them and runs no filter at all for, say, `read`.
//!
//! # Safety
//! The one unsafe call hands the kernel a program by pointer; see there.
#![allow(unsafe_code)]

use libc::sock_filter;
use nix::errno::Errno;

use super::syscall_reader::{I386_ARCHITECTURE, I386_PRCTL, I386_SECCOMP};
use memory_event::{I386_OLD_MMAP, Syscall};

/// `SECCOMP_RET_DATA` of our stops; of no meaning yet but to a reader of a dump.
const OUR_MARK: u32 = 0x6d68;

/// Offsets in `struct seccomp_data`, the filter's input.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
/// Low half of the first argument, on a little-endian machine.
const FIRST_ARGUMENT: u32 = 16;

/// Builds the filter for the given architecture (`AUDIT_ARCH_*`), and on x86-64 for the calls of 32-bit
/// code: stop on watched calls and on the installation of further filters, allow all else, and all of
/// other architectures.
///
/// # References
/// `Documentation/userspace-api/seccomp_filter.rst`; seccomp(2)
pub(super) fn build(architecture: u32) -> Vec<sock_filter> {
    let watched = Syscall::ALL.into_iter().filter_map(Syscall::number);
    let watched = watched.chain([libc::SYS_seccomp]).map(|number| number as u32);
    let mut program = vec![load(ARCHITECTURE)];
    program.extend(for_calls_of(architecture, watched, libc::SYS_prctl as u32));
    if let Some(i386) = I386_ARCHITECTURE {
        let watched = Syscall::ALL.into_iter().map(Syscall::i386_number);
        let watched = watched.chain([I386_OLD_MMAP, I386_SECCOMP].map(|number| number as u32));
        program.extend(for_calls_of(i386, watched, I386_PRCTL as u32));
    }
    program.push(give(libc::SECCOMP_RET_ALLOW));
    program
}

/// The verdict on calls of this architecture, by the numbers that it has for them; goes on with the next
/// instruction after these if the loaded architecture is another.
fn for_calls_of(
    architecture: u32,
    stopping: impl Iterator<Item = u32>,
    prctl: u32,
) -> Vec<sock_filter> {
    let mut program = vec![load(NUMBER)];
    for number in stopping {
        program.push(jump_if_equal(number, 0, 1));
        program.push(give(libc::SECCOMP_RET_TRACE | OUR_MARK));
    }
    // prctl is frequent and harmless, except for this one use.
    program.extend([
        jump_if_equal(prctl, 1, 0),
        give(libc::SECCOMP_RET_ALLOW),
        load(FIRST_ARGUMENT),
        jump_if_equal(libc::PR_SET_SECCOMP as u32, 0, 1),
        give(libc::SECCOMP_RET_TRACE | OUR_MARK),
        give(libc::SECCOMP_RET_ALLOW),
    ]);
    let over = u8::try_from(program.len()).expect("calls are few");
    program.insert(0, jump_if_equal(architecture, 0, over));
    program
}

/// How the filter came to be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Installed {
    /// Without further ado: the caller has CAP_SYS_ADMIN, or had given up new rights before.
    Plainly,
    /// After giving up new rights through exec, for itself and its children.
    WithNoNewPrivileges,
}

/// Installs the filter in the calling thread, for it and for all that it starts, for ever.
///
/// Allocates nothing, locks nothing: fit for a forked child.
///
/// # Errors
/// The kernel's error number.
///
/// # References
/// seccomp(2); PR_SET_NO_NEW_PRIVS(2const)
pub(super) fn install(program: &[sock_filter]) -> Result<Installed, Errno> {
    match set(program) {
        Ok(()) => Ok(Installed::Plainly),
        Err(Errno::EACCES) => {
            nix::sys::prctl::set_no_new_privs()?;
            set(program).map(|()| Installed::WithNoNewPrivileges)
        }
        Err(errno) => Err(errno),
    }
}

fn set(program: &[sock_filter]) -> Result<(), Errno> {
    // Before Linux 5.16 a filter switches on a mitigation (SSBD) that slows the whole program
    // down, unless told that there's no need. Kernels before 4.17 don't know the flag.
    match set_with(program, libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW) {
        Err(Errno::EINVAL) => set_with(program, 0),
        result => result,
    }
}

fn set_with(program: &[sock_filter], flags: libc::c_ulong) -> Result<(), Errno> {
    let program = libc::sock_fprog {
        len: program.len() as u16,
        // The kernel only reads; the type is shared with calls that write.
        filter: program.as_ptr().cast_mut(),
    };
    let (call, mode) = (libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER);
    // SAFETY: `filter` points to `len` instructions that outlive the call; the kernel copies and
    // verifies them.
    Errno::result(unsafe { libc::syscall(call, mode, flags, &raw const program) }).map(drop)
}

/// Loads the 32-bit word at this offset of `struct seccomp_data`.
const fn load(offset: u32) -> sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset)
}

/// Skips `then` instructions if the loaded word is `value`, `otherwise` if it isn't.
const fn jump_if_equal(value: u32, then: u8, otherwise: u8) -> sock_filter {
    let code = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    instruction(code, then, otherwise, value)
}

/// Ends with this verdict.
const fn give(verdict: u32) -> sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, 0, 0, verdict)
}

const fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> sock_filter {
    let code = code as u16;
    sock_filter { code, jt, jf, k }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the filter as the kernel does, on the instructions that it is made of.
    fn verdict(architecture: u32, number: i64, first_argument: u32) -> u32 {
        let program = build(0xC000_003E);
        let (mut at, mut loaded) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            match code {
                0x20 => {
                    loaded = match k {
                        NUMBER => number as u32,
                        ARCHITECTURE => architecture,
                        FIRST_ARGUMENT => first_argument,
                        other => panic!("loads offset {other}"),
                    }
                }
                0x15 => at += usize::from(if loaded == k { jt } else { jf }),
                0x06 => return k & 0xffff_0000,
                other => panic!("instruction {other:#x}"),
            }
        }
    }

    #[test]
    fn stops_on_watched_calls_only() {
        const TRACE: u32 = libc::SECCOMP_RET_TRACE;
        const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
        let native = 0xC000_003E;
        for number in 0..500 {
            let watched = Syscall::from_number(number).is_some() || number == libc::SYS_seccomp;
            let wanted = if watched { TRACE } else { ALLOW };
            assert_eq!(verdict(native, number, 0), wanted, "call {number}");
            let watched = Syscall::from_i386(number as u64, [0; 6]).is_some();
            let stops = watched || [90, 354].contains(&number);
            let wanted = if I386_ARCHITECTURE.is_some() && stops { TRACE } else { ALLOW };
            assert_eq!(verdict(0x4000_0003, number, 0), wanted, "call {number} of 32-bit code");
            assert_eq!(verdict(0xC000_00B7, number, 0), ALLOW, "foreign");
        }
        let prctl = |option: i32| verdict(native, libc::SYS_prctl, option as u32);
        assert_eq!(prctl(libc::PR_SET_NAME), ALLOW);
        assert_eq!(prctl(libc::PR_SET_SECCOMP), TRACE);
    }
}
