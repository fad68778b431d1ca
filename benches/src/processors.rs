//! Keeping what this process starts on one processor.
//!
//! # Safety
//!
//! `unsafe` is needed for sched_getaffinity(2) and sched_setaffinity(2), which read and write a set
//! of bits on this stack.
#![allow(unsafe_code)]

use std::io;
use std::mem::size_of;

/// Until it is dropped, this thread and the processes that it starts run on one processor.
///
/// A tracer and what it traces wake each other at every call. On two processors the one that waits
/// falls idle each time, and waking it takes as long as the processor, or the hypervisor above it,
/// likes: 20 µs or 400. On one processor only the switch is left, which is what tracers differ in.
#[derive(Debug)]
pub struct OneProcessor {
    before: libc::cpu_set_t,
}

impl OneProcessor {
    /// Picks the last of the processors that this thread may use.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn keep_to() -> io::Result<Self> {
        let before = allowed()?;
        let numbers = 0..8 * size_of::<libc::cpu_set_t>();
        // SAFETY: the number is below the number of bits in the set.
        let is_allowed = |number: &usize| unsafe { libc::CPU_ISSET(*number, &before) };
        let last = numbers.rev().find(is_allowed);
        let last = last.ok_or_else(|| io::Error::other("no processor is allowed"))?;
        let mut one = no_processor();
        // SAFETY: as above.
        unsafe { libc::CPU_SET(last, &mut one) };
        allow(&one)?;
        Ok(Self { before })
    }
}

impl Drop for OneProcessor {
    fn drop(&mut self) {
        // The set was allowed before; if it isn't any more, one processor is still enough.
        let _ = allow(&self.before);
    }
}

fn no_processor() -> libc::cpu_set_t {
    // SAFETY: a set of bits, for which all zeros is the empty set.
    unsafe { std::mem::zeroed() }
}

fn allowed() -> io::Result<libc::cpu_set_t> {
    let mut set = no_processor();
    // SAFETY: the set is writable for its size; 0 is this thread.
    match unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) } {
        0 => Ok(set),
        _ => Err(io::Error::last_os_error()),
    }
}

fn allow(set: &libc::cpu_set_t) -> io::Result<()> {
    // SAFETY: the set is readable for its size; 0 is this thread.
    match unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), set) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::available_parallelism;

    #[test]
    fn one_processor_and_then_all_again() {
        let before = available_parallelism().unwrap();
        let one = OneProcessor::keep_to().unwrap();
        assert_eq!(available_parallelism().unwrap().get(), 1);
        drop(one);
        assert_eq!(available_parallelism().unwrap(), before);
    }
}
