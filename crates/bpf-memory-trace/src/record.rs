//! What the programs write, and how it is read.

use memory_event::Syscall;

/// One thing that a watched thread did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// When, on the clock `CLOCK_MONOTONIC`, in nanoseconds.
    pub at_ns: u64,
    /// The process (the kernel's tgid), as the first pid namespace numbers it.
    pub pid: u32,
    /// The thread, likewise.
    pub tid: u32,
    /// What it did.
    pub what: Seen,
}

/// What a [`Record`] tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Seen {
    /// A system call came back.
    Returned {
        /// Which.
        syscall: Syscall,
        /// The six arguments; those beyond the call's own are what the registers held.
        args: [u64; 6],
        /// As the kernel returned it: negative error numbers. A direct descriptor of io_uring is its
        /// slot, counted from 2<sup>30</sup>.
        result: i64,
        /// It came by the 32-bit way in: of an i386 program, or by `int 0x80`. Arguments are as the
        /// 64-bit call has them; no stack comes along.
        is_i386: bool,
        /// Of a call that opens a file: the name that was asked for, at most 4,095 bytes of it.
        path: Option<Vec<u8>>,
        /// Who made the call, where that was asked for and the ring had room.
        stack: Option<StackCopy>,
    },
    /// The thread made another one; told before anything that the new one does.
    Forked {
        /// The new thread's process: the same one, or a new one.
        child_pid: u32,
        /// The new thread.
        child_tid: u32,
    },
    /// The process gave up its program for another one.
    Executed {
        /// The thread that made the call; from here on it is the process's first.
        former_tid: u32,
        /// It has rights that who executed it may lack: it is set-uid, set-gid or has capabilities
        /// (`AT_SECURE`).
        secure: bool,
        /// The file, by the name that was asked for; its first 255 bytes.
        path: Option<Vec<u8>>,
    },
    /// The thread ended.
    Exited {
        /// As waitpid(2) would give it.
        status: i32,
        /// If no other thread of the process lives: as waitpid(2) gives it to the parent.
        process_status: Option<i32>,
    },
}

/// The beginning of a user's stack, for an unwinder.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StackCopy {
    /// rip, rsp, rbp, rbx, r12, r13, r14, r15.
    pub registers: [u64; 8],
    /// Addresses, and what stands there: from a bit below `rsp` upwards whole KiB, without those in
    /// pages that nobody has touched.
    pub parts: Vec<(u64, Vec<u8>)>,
}

impl StackCopy {
    /// What was copied of a stack from another source.
    pub fn new(registers: [u64; 8], parts: Vec<(u64, Vec<u8>)>) -> Self {
        Self { registers, parts }
    }
}

/// Offsets in a record; what varies begins at [`HEAD_BYTES`].
pub mod field {
    pub const TIME: i16 = 0;
    pub const PID: i16 = 8;
    pub const TID: i16 = 12;
    pub const KIND: i16 = 16;
    pub const FLAGS: i16 = 18;
    /// Bytes of path that are there, with its final 0, or negative: none. Of a stack, a bit for each
    /// piece that is there.
    pub const EXTRA: i16 = 20;
    pub const RESULT: i16 = 24;
    pub const ARGUMENTS: i16 = 32;
}

/// Bytes of a record's head.
pub const HEAD_BYTES: i16 = 80;
/// Bytes of registers before a stack.
pub const REGISTERS_BYTES: i16 = 64;

/// Bytes of a piece of stack; each begins at a multiple.
pub const PIECE_BYTES: u16 = 1024;

/// Kinds that are no calls; a call's kind is its place in [`Syscall::ALL`].
pub const FORK: i32 = 64;
pub const EXEC: i32 = 65;
pub const EXIT: i32 = 66;
/// Of 32-bit code: [`I386_OLD_MMAP`](memory_event::I386_OLD_MMAP); its arguments stand behind the
/// head, unless they couldn't be read.
pub const OLD_MMAP: i32 = 67;
/// io_uring was asked to open a file, opened it, and closed one. A request is known by its address, the
/// last argument; the one before is the slot of a direct descriptor, plus one, or 0.
pub const URING_ASKS: i32 = 68;
pub const URING_OPENS: i32 = 69;
pub const URING_CLOSES: i32 = 70;
/// Besides a call's kind: 32-bit code made it.
pub const I386: i32 = 128;

/// Values in the map of watched processes, and a record's flags: this one and its children.
pub const FOLLOW: u8 = 1;
/// This one, for a moment, to see whether anything arrives.
pub const PROOF: u8 = 2;
/// All: nobody's children need be written down.
pub const ALL: u8 = 3;

/// `SIGNAL_GROUP_EXIT`: the process has one ending, not its last thread's.
const GROUP_EXIT: u64 = 4;

/// Reads one, with its flags; `None` of what no program here has written.
pub fn parse(bytes: &[u8]) -> Option<(Record, u8)> {
    let extra = word(bytes, field::EXTRA)?.cast_signed();
    let arg = |n: i16| double(bytes, field::ARGUMENTS + 8 * n);
    let args = [arg(0)?, arg(1)?, arg(2)?, arg(3)?, arg(4)?, arg(5)?];
    let kind = kind(bytes)?;
    let what = match kind {
        FORK => Seen::Forked { child_pid: args[0] as u32, child_tid: args[1] as u32 },
        EXEC => Seen::Executed {
            former_tid: args[0] as u32,
            secure: args[1] != 0,
            path: path(bytes, extra),
        },
        EXIT => {
            let [of_thread, of_all, flags, live, of_first, _] = args;
            // It has one ending, or its first thread's, which may have ended long ago.
            let of_process = match flags & GROUP_EXIT {
                0 => of_first,
                _ => of_all,
            };
            Seen::Exited {
                status: of_thread as i32,
                process_status: (live == 0).then_some(of_process as i32),
            }
        }
        call => {
            let is_i386 = call == OLD_MMAP || call & I386 != 0;
            let syscall = match call {
                OLD_MMAP => Syscall::Mmap,
                URING_ASKS | URING_OPENS => Syscall::Openat,
                URING_CLOSES => Syscall::Close,
                call => *Syscall::ALL.get(usize::try_from(call & !I386).ok()?)?,
            };
            let args = match call {
                OLD_MMAP => old_mmap(bytes).filter(|_| extra == 0).unwrap_or_default(),
                _ if is_i386 => Syscall::from_i386(syscall.i386_number().into(), args)?.1,
                _ => args,
            };
            Seen::Returned {
                syscall,
                args,
                result: double(bytes, field::RESULT)?.cast_signed(),
                is_i386,
                path: path(bytes, extra).filter(|_| syscall.is_open()),
                stack: stack(bytes, extra).filter(|_| syscall.is_memory() && !is_i386),
            }
        }
    };
    let record = Record {
        at_ns: double(bytes, field::TIME)?,
        pid: word(bytes, field::PID)?,
        tid: word(bytes, field::TID)?,
        what,
    };
    Some((record, *bytes.get(field::FLAGS as usize)?))
}

/// A record's kind.
pub fn kind(bytes: &[u8]) -> Option<i32> {
    half(bytes, field::KIND).map(i32::from)
}

fn path(bytes: &[u8], extra: i32) -> Option<Vec<u8>> {
    let length = usize::try_from(extra).ok()?.checked_sub(1)?;
    let path = bytes.get(HEAD_BYTES as usize..)?.get(..length)?;
    Some(path.to_vec())
}

fn old_mmap(bytes: &[u8]) -> Option<[u64; 6]> {
    let mut args = [0; 6];
    for (n, arg) in args.iter_mut().enumerate() {
        *arg = word(bytes, HEAD_BYTES + 4 * n as i16)?.into();
    }
    Some(args)
}

fn stack(bytes: &[u8], extra: i32) -> Option<StackCopy> {
    if extra <= 0 {
        return None;
    }
    let mut registers = [0; 8];
    for (n, register) in registers.iter_mut().enumerate() {
        *register = double(bytes, HEAD_BYTES + 8 * n as i16)?;
    }
    let [_, rsp, ..] = registers;
    let piece_bytes = u64::from(PIECE_BYTES);
    let mut at = rsp - rsp % piece_bytes;
    let mut parts: Vec<(u64, Vec<u8>)> = Vec::new();
    let pieces = bytes.get((HEAD_BYTES + REGISTERS_BYTES) as usize..)?;
    for (n, piece) in pieces.chunks_exact(PIECE_BYTES.into()).enumerate() {
        if extra >> n & 1 == 1 {
            match parts.last_mut() {
                Some((start, part)) if *start + part.len() as u64 == at => part.extend(piece),
                _ => parts.push((at, piece.to_vec())),
            }
        }
        at = at.wrapping_add(piece_bytes);
    }
    Some(StackCopy { registers, parts })
}

fn take<const N: usize>(bytes: &[u8], at: i16) -> Option<[u8; N]> {
    bytes.get(at as usize..)?.first_chunk().copied()
}

fn half(bytes: &[u8], at: i16) -> Option<u16> {
    take(bytes, at).map(u16::from_ne_bytes)
}

fn word(bytes: &[u8], at: i16) -> Option<u32> {
    take(bytes, at).map(u32::from_ne_bytes)
}

fn double(bytes: &[u8], at: i16) -> Option<u64> {
    take(bytes, at).map(u64::from_ne_bytes)
}

#[cfg(test)]
mod tests;
