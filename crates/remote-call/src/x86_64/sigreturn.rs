//! Finds the two pieces of the process's own code that a call returns through.
//!
//! First one that stores `rax`, the function's value, where a register says that the function has
//! to preserve, and returns; then `rt_sigreturn`, as every signal handler's frame has it for its
//! return address. Both are found by their bytes, since nothing has to be where its name says.
//!
//! # References
//! glibc 2.36 `sysdeps/unix/sysv/linux/x86_64/libc_sigaction.c` (`__restore_rt`); musl
//! `src/signal/x86_64/restore.s`; System V ABI for AMD64, 3.2.1 (preserved registers)

use std::fs::File;
use std::os::unix::fs::FileExt;

use proc_memory::Mapping;

use super::maps::{StoppedMappings, is_c_library, is_program};
use tracee::Registers;

/// `mov $15, %rax; syscall`, in both encodings of the first.
const RESTORES: [&[u8]; 2] =
    [&[0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05], &[0xb8, 15, 0, 0, 0, 0x0f, 0x05]];

/// More than either piece of code has.
const CODE_BYTES: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WayBack {
    pub(super) store: StoreCode,
    pub(super) restore: RestoreCode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StoreCode {
    pub(super) address: u64,
    base: Base,
    /// It stores to what the register holds and this.
    displacement: i8,
    /// Between storing and returning it takes as many bytes from the stack.
    pub(super) skipped_bytes: u64,
}

/// Code that makes the system call `rt_sigreturn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RestoreCode {
    pub(super) address: u64,
    /// The instruction behind the system call.
    pub(super) end: u64,
}

/// A register that functions preserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base {
    Rbx,
    Rbp,
    R13,
    R14,
    R15,
}

impl StoreCode {
    /// Sets the register such that the value is stored at `address`.
    pub(super) fn aim(&self, registers: &mut Registers, address: u64) {
        let register = match self.base {
            Base::Rbx => &mut registers.rbx,
            Base::Rbp => &mut registers.rbp,
            Base::R13 => &mut registers.r13,
            Base::R14 => &mut registers.r14,
            Base::R15 => &mut registers.r15,
        };
        *register = address.wrapping_add_signed(-i64::from(self.displacement));
    }
}

impl WayBack {
    /// Looks through all code that came from files.
    ///
    /// # Errors
    /// What is missing.
    pub(super) fn find(memory: &File, mappings: &[Mapping]) -> Result<Self, &'static str> {
        let mut code: Vec<_> = mappings.iter().filter(|map| is_program(map)).collect();
        code.sort_by_key(|map| !is_c_library(map));
        let restore = find_in_all(memory, &code, restore);
        let restore = restore.ok_or("a return from a signal handler (rt_sigreturn)")?;
        let store = find_in_all(memory, &code, store);
        let store = store.ok_or("code that stores a function's value and returns")?;
        Ok(Self { store, restore })
    }

    /// Whether it still is where it was found.
    pub(super) fn is_there(&self, memory: &File, mappings: &StoppedMappings) -> bool {
        let code = |address| {
            let program = mappings.at(address).is_some_and(|map| is_program(&map));
            let mut code = [0; CODE_BYTES];
            let read = program && memory.read_exact_at(&mut code, address).is_ok();
            read.then_some(code)
        };
        let (at_restore, at_store) = (self.restore.address, self.store.address);
        let found_restore = code(at_restore).and_then(|code| restore(at_restore, &code));
        let found_store = code(at_store).and_then(|code| store(at_store, &code));
        found_restore == Some(self.restore) && found_store == Some(self.store)
    }
}

/// The first piece of code in these mappings of which `parse` makes something.
fn find_in_all<T>(
    memory: &File,
    code: &[&Mapping],
    parse: fn(u64, &[u8]) -> Option<T>,
) -> Option<T> {
    let find =
        |map: &&Mapping| tracee::find_in_memory(memory, &(map.start..map.end), CODE_BYTES, parse);
    code.iter().find_map(find)
}

fn restore(address: u64, code: &[u8]) -> Option<RestoreCode> {
    let form = RESTORES.iter().find(|form| code.starts_with(form))?;
    let end = address + form.len() as u64;
    Some(RestoreCode { address, end })
}

/// `mov %rax, displacement(%base)`, then any `add $n, %rsp` and `pop`, then `ret`.
fn store(address: u64, code: &[u8]) -> Option<StoreCode> {
    let (&[prefix, 0x89, operands], mut rest) = code.split_first_chunk::<3>()? else {
        return None;
    };
    let base = match (prefix, operands & 7) {
        (0x48, 3) => Base::Rbx,
        (0x48, 5) => Base::Rbp,
        (0x49, 5) => Base::R13,
        (0x49, 6) => Base::R14,
        (0x49, 7) => Base::R15,
        _ => return None,
    };
    let displacement = match operands >> 3 {
        // With these two it means something else.
        0 if !matches!(base, Base::Rbp | Base::R13) => 0,
        0b01_000 => {
            let (&displacement, behind) = rest.split_first()?;
            rest = behind;
            displacement.cast_signed()
        }
        _ => return None,
    };
    let mut skipped_bytes = 0;
    loop {
        rest = match rest {
            [0xc3, ..] => break,
            // Not `pop %rsp`, 5c.
            [0x58..=0x5b | 0x5d..=0x5f, rest @ ..] | [0x41, 0x58..=0x5f, rest @ ..] => {
                skipped_bytes += 8;
                rest
            }
            [0x48, 0x83, 0xc4, bytes @ 0..=0x78, rest @ ..] if bytes % 8 == 0 => {
                skipped_bytes += u64::from(*bytes);
                rest
            }
            _ => return None,
        };
    }
    Some(StoreCode { address, base, displacement, skipped_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_that_stores_the_value() {
        let parse = |code: &[u8]| {
            store(0, code).map(|store| (store.base, store.displacement, store.skipped_bytes))
        };
        assert_eq!(parse(&[0x48, 0x89, 0x03, 0xc3]), Some((Base::Rbx, 0, 0)));
        // mov %rax, -8(%rbp); add $16, %rsp; pop %r12; pop %rbx; ret
        let code = [0x48, 0x89, 0x45, 0xf8, 0x48, 0x83, 0xc4, 16, 0x41, 0x5c, 0x5b, 0xc3];
        assert_eq!(parse(&code), Some((Base::Rbp, -8, 32)));
        assert_eq!(parse(&[0x49, 0x89, 0x47, 0x10, 0x5d, 0xc3]), Some((Base::R15, 16, 8)));
        for wrong in [
            // mov %rcx, (%rbx)
            &[0x48, 0x89, 0x0b, 0xc3][..],
            // mov %eax, (%rbx)
            &[0x89, 0x03, 0xc3, 0xc3],
            // mov %rax, 0xc3(%rip)
            &[0x48, 0x89, 0x05, 0xc3, 0, 0, 0],
            // mov %rax, (%rdi)
            &[0x48, 0x89, 0x07, 0xc3],
            // pop %rsp
            &[0x48, 0x89, 0x03, 0x5c, 0xc3],
            // A stack pointer of odd multiples.
            &[0x48, 0x89, 0x03, 0x48, 0x83, 0xc4, 4, 0xc3],
            // No end within reach.
            &[0x48, 0x89, 0x03, 0x5b],
        ] {
            assert_eq!(parse(wrong), None, "{wrong:x?}");
        }
    }

    #[test]
    fn this_process_has_both() {
        let mappings = StoppedMappings::open(std::process::id() as i32).unwrap();
        let memory = File::open("/proc/self/mem").unwrap();
        let found = WayBack::find(&memory, &mappings.all()).unwrap();
        assert!(found.is_there(&memory, &mappings), "{found:x?}");
        let mut elsewhere = found;
        elsewhere.store.address += 1;
        assert!(!elsewhere.is_there(&memory, &mappings));
    }

    #[test]
    fn found_wherever_it_lies() {
        use std::io::{Seek, Write};
        // What is read at once.
        const PIECE_BYTES: u64 = 256 << 10;
        let line = format!("0-{:x} r-xp 0 00:00 1 /a", 2 * PIECE_BYTES);
        let mapping = proc_memory::parse_line(line.as_bytes()).unwrap().to_owned();
        let last = 2 * PIECE_BYTES - CODE_BYTES as u64;
        for offset in [0, 5, PIECE_BYTES - 1, PIECE_BYTES, last] {
            let mut bytes = vec![0x90; 2 * PIECE_BYTES as usize];
            bytes[offset as usize..][..9].copy_from_slice(RESTORES[0]);
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&bytes).unwrap();
            file.rewind().unwrap();
            let found = find_in_all(&file, &[&mapping], restore);
            assert_eq!(found.map(|restore| restore.address), Some(offset));
        }
    }
}
