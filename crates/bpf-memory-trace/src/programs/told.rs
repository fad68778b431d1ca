//! Which calls are told, and by which functions of the kernel.

use memory_event::{I386_OLD_MMAP, Syscall};

use crate::record::{I386, OLD_MMAP};

/// By which way into the kernel a call came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abi {
    /// 64-bit code's.
    Native,
    /// 32-bit code's, with numbers and registers of its own.
    I386,
}

/// A call that is told: how it comes, and what becomes of it.
#[derive(Clone, Copy, Debug)]
pub struct ToldCall {
    pub abi: Abi,
    pub number: i32,
    /// Of its record.
    pub kind: i32,
    pub shape: Shape,
}

impl ToldCall {
    pub fn name(self) -> &'static str {
        let syscall = Syscall::ALL.get((self.kind & !I386) as usize);
        syscall.map_or("old_mmap", |syscall| syscall.name())
    }
}

/// Calls that are told, and the functions that do their work; the most frequent first.
///
/// # References
/// `arch/x86/entry/syscalls/syscall_64.tbl`, `syscall_32.tbl`; `arch/x86/include/asm/syscall_wrapper.h`
pub fn functions() -> Vec<(String, ToldCall)> {
    let native = Syscall::ALL.into_iter().filter_map(|syscall| {
        let number = syscall.number()?.try_into().ok()?;
        let (kind, shape) = (syscall as i32, Shape::of(syscall));
        let name = format!("__x64_sys_{}", syscall.name());
        Some((name, ToldCall { abi: Abi::Native, number, kind, shape }))
    });
    let i386 = Syscall::ALL.into_iter().map(|syscall| {
        let number = syscall.i386_number().cast_signed();
        let shape = match Shape::of(syscall) {
            opens @ Shape::Opens(_) => opens,
            // The unwinder reads no 32-bit stacks.
            _ => Shape::Plain,
        };
        let name = match syscall {
            Syscall::Mmap => "__ia32_sys_mmap_pgoff".to_owned(),
            Syscall::Open | Syscall::Openat | Syscall::Execve | Syscall::Execveat => {
                format!("__ia32_compat_sys_{}", syscall.name())
            }
            _ => format!("__ia32_sys_{}", syscall.name()),
        };
        (name, ToldCall { abi: Abi::I386, number, kind: I386 | syscall as i32, shape })
    });
    let (number, shape) = (I386_OLD_MMAP as i32, Shape::OldMmap);
    let old_mmap = ToldCall { abi: Abi::I386, number, kind: OLD_MMAP, shape };
    let old_mmap = ("__ia32_compat_sys_ia32_mmap".to_owned(), old_mmap);
    native.chain(i386).chain([old_mmap]).collect()
}

/// What a call's record has besides its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Nothing.
    Plain,
    /// The user's stack: memory may have grown.
    Growth,
    /// The same if the third argument, the protection, permits to write.
    Writable,
    /// The file's name, which is the argument of this number.
    Opens(usize),
    /// Its arguments, which lie in memory.
    OldMmap,
}

impl Shape {
    pub const ALL: [Self; 6] =
        [Self::Plain, Self::Growth, Self::Writable, Self::Opens(0), Self::Opens(1), Self::OldMmap];

    fn of(syscall: Syscall) -> Self {
        match syscall {
            Syscall::Brk | Syscall::Mremap => Self::Growth,
            Syscall::Mmap | Syscall::Mprotect => Self::Writable,
            Syscall::Open | Syscall::Creat => Self::Opens(0),
            Syscall::Openat | Syscall::Openat2 => Self::Opens(1),
            _ => Self::Plain,
        }
    }
}
