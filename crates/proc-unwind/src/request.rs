//! What had been asked of glibc's malloc, read from the registers of its functions.
//!
//! When malloc has to ask the kernel, it stands in `_int_malloc(arena, bytes)`, which has called
//! `sysmalloc(nb, arena)`: `bytes` is what the program asked for, `nb` what malloc makes of it, a
//! chunk with its header, rounded up. Both functions need their number again after the call, so
//! both keep it in a register that calls leave alone. Neither has a symbol in a stripped library,
//! and which register it is, is the compiler's choice. So it is proven each time:
//!
//! 1. the function's code has the instruction that copies its second argument into such a
//!    register, and the one that adds a chunk's header and rounding (0x17) to it;
//! 2. another of its registers holds the chunk's size that belongs to that number;
//! 3. so does a register of the function that it called;
//! 4. its caller is, by name, malloc or calloc, or is realloc's or memalign's helper, whose own
//!    registers hold the same request.
//!
//! If any of it is missing, the request is unknown.
//!
//! # References
//! glibc `malloc/malloc.c` (2.36): `_int_malloc`, `sysmalloc`, `_int_realloc`, `_int_memalign`,
//! `checked_request2size`

use super::names::AllocatorKind;
use super::recover::{CallerFrame, number};

/// So many frames are enough to hold every function of malloc's.
pub(super) const MOST_FRAMES: usize = 10;
/// Copies and sums that matter stand near a function's start.
const START_BYTES: u64 = 80;
/// Bytes of a page; the unit of a mapping's size.
const PAGE: u64 = 4096;

/// The requested bytes; `allocators` says for each frame whether its function is malloc's by name.
/// `resized` is what `mremap` was asked for, if that is the call.
pub(super) fn requested(
    frames: &[CallerFrame],
    allocators: &[Option<AllocatorKind>],
    resized: Option<u64>,
) -> Option<u64> {
    let named = |index: usize| allocators.get(index).copied().flatten();
    if let Some(new_bytes) = resized {
        // realloc itself makes this call, and keeps both numbers.
        let realloc = frames.get(1).filter(|_| named(1) == Some(AllocatorKind::Realloc))?;
        let bytes = argument(realloc, Argument::Second)?;
        let chunk = chunk_bytes(bytes)?;
        let mapped = chunk.checked_add(8)?.checked_next_multiple_of(PAGE)?;
        return (mapped == new_bytes && realloc.holds(chunk)).then_some(bytes);
    }
    let (index, asked) = (1..frames.len()).find_map(|index| {
        let bytes = inner_request(&frames[index], &frames[index - 1])?;
        Some((index, bytes))
    })?;
    let helper = frames.get(index + 1)?;
    if !same_file(&frames[index], helper) {
        return None;
    }
    if named(index + 1) == Some(AllocatorKind::Plain) {
        return Some(asked);
    }
    let outer = frames.get(index + 2)?;
    if !same_file(helper, outer) {
        return None;
    }
    let bytes = argument(outer, Argument::Second)?;
    let chunk = chunk_bytes(bytes)?;
    if !helper.holds(chunk) {
        return None;
    }
    if named(index + 2) == Some(AllocatorKind::Realloc) {
        // `_int_realloc` asks for the chunk's size less the rounding that will be added again.
        return (chunk - 15 == asked).then_some(bytes);
    }
    // `_int_memalign` asks for room to cut an aligned piece out of.
    let alignment = asked.checked_sub(chunk)?.checked_sub(32)?;
    let proven = alignment.is_power_of_two() && alignment >= 32 && helper.holds(alignment);
    proven.then_some(bytes)
}

/// What `_int_malloc` was asked for, if that is what this frame is.
fn inner_request(frame: &CallerFrame, called: &CallerFrame) -> Option<u64> {
    let code = frame.code(START_BYTES)?;
    let home = home(&code, Argument::Second)?;
    if !same_file(frame, called) || !rounds_up(&code, home) {
        return None;
    }
    let bytes = frame.own_value(home)?;
    let chunk = chunk_bytes(bytes)?;
    let elsewhere = |(number, value)| number != home && value == chunk;
    (frame.own().any(elsewhere) && called.holds(chunk)).then_some(bytes)
}

fn same_file(one: &CallerFrame, other: &CallerFrame) -> bool {
    one.module.image.id == other.module.image.id && one.module.bias == other.module.bias
}

fn argument(frame: &CallerFrame, argument: Argument) -> Option<u64> {
    frame.own_value(home(&frame.code(START_BYTES)?, argument)?)
}

/// The size of the chunk that malloc makes for a request.
///
/// # References
/// glibc `malloc/malloc.c` (2.36), `request2size`
fn chunk_bytes(requested: u64) -> Option<u64> {
    if requested > i64::MAX as u64 {
        return None;
    }
    Some(((requested + 8 + 15) & !15).max(32))
}

/// Which of a function's arguments.
#[derive(Clone, Copy)]
enum Argument {
    /// In `rsi`, number 6 in an instruction.
    Second = 6,
}

/// The register, kept by calls, that a function copies an argument to: `mov %rsi, register`.
/// `None` if there are none or several.
fn home(code: &[u8], argument: Argument) -> Option<usize> {
    let mut found = None;
    for instruction in code.windows(3) {
        let &[prefix, 0x89, operands] = instruction else {
            continue;
        };
        if operands & 0o370 != 0o300 | (argument as u8) << 3 {
            continue;
        }
        let number = match (prefix, operands & 7) {
            (0x48, 3) => number::RBX,
            (0x48, 5) => number::RBP,
            (0x49, low @ 4..=7) => number::R12 + usize::from(low - 4),
            _ => continue,
        };
        if found.replace(number).is_some_and(|before| before != number) {
            return None;
        }
    }
    found
}

/// Whether code computes the second argument plus 23, from `rsi` or from where it was copied to:
/// `lea 0x17(register), …` or `add $0x17, …`.
fn rounds_up(code: &[u8], home: usize) -> bool {
    code.windows(4).any(|instruction| {
        let &[prefix, code, operands, 0x17] = instruction else {
            return false;
        };
        // Bit 0 of the prefix extends the register that is read.
        let read = (prefix & 1, operands & 7);
        let of_home = match home {
            number::RBX => (0, 3),
            number::RBP => (0, 5),
            // r12 can't be told this way, it needs one byte more.
            home => (1, (home - 8) as u8),
        };
        let reads = read == (0, 6) || read == of_home && operands & 7 != 4;
        match code {
            0x8d => prefix & 0xfa == 0x48 && operands & 0o300 == 0o100 && reads,
            0x83 => prefix & 0xfe == 0x48 && operands & 0o370 == 0o300 && reads,
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks() {
        for (bytes, chunk) in [(0, 32), (24, 32), (25, 48), (40, 48), (41, 64), (640, 656)] {
            assert_eq!(chunk_bytes(bytes), Some(chunk), "{bytes}");
        }
        assert_eq!(chunk_bytes(u64::MAX), None);
    }

    #[test]
    fn where_an_argument_is_kept() {
        // push %r12; mov %rsi,%r12; push %rbp; mov %rdi,%rbp; lea 0x17(%rsi),%rbx
        let code = b"\x41\x54\x49\x89\xf4\x55\x48\x89\xfd\x48\x8d\x5e\x17";
        assert_eq!(home(code, Argument::Second), Some(number::R12));
        assert!(rounds_up(code, number::R12));
        // mov %rsi,%rbx; lea 0x17(%rbx),%rax
        let code = b"\x48\x89\xf3\x48\x8d\x43\x17";
        assert_eq!(home(code, Argument::Second), Some(number::RBX));
        assert!(rounds_up(code, number::RBX));
        assert!(!rounds_up(code, number::RBP));
        // mov %rsi,%rbx; mov %rsi,%rbp
        assert_eq!(home(b"\x48\x89\xf3\x48\x89\xf5", Argument::Second), None);
        // mov %rdi,%rbx; mov %rsi,%rax
        assert_eq!(home(b"\x48\x89\xfb\x48\x89\xf0", Argument::Second), None);
        assert!(!rounds_up(b"\x48\x8d\x5e\x18", number::RBX));
    }
}
