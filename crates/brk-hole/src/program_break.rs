//! Where the program break of this process is.
//!
//! # Safety
//!
//! `unsafe` is needed for two calls that only ask: `brk` with 0 and `sysconf`.
#![allow(unsafe_code)]

/// The break now, as the kernel has it: the first address after the data segment.
///
/// Any thread that allocates may move it, so the value is old when it arrives.
///
/// Asked by the system call itself: glibc's `sbrk(0)` answers from a variable of its own, and
/// musl's fails.
///
/// # References
///
/// brk(2), "C library/kernel differences"; Linux `mm/mmap.c`, `SYSCALL_DEFINE1(brk)`: a request
/// below the segment's start changes nothing and returns the present break.
pub fn current() -> usize {
    // SAFETY: the kernel refuses a break of 0 and answers with the present one; nothing changes.
    let answer = unsafe { libc::syscall(libc::SYS_brk, 0) };
    answer as usize
}

/// [`current`] rounded up to a whole page: where a hole has to lie.
pub fn page_aligned() -> usize {
    current().next_multiple_of(page_size())
}

/// Bytes in a page.
pub fn page_size() -> usize {
    // SAFETY: sysconf(3) with a known name only reads.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(bytes).expect("_SC_PAGESIZE is known on every Linux")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_goes_up_to_the_next_page() {
        let aligned = page_aligned();
        assert_eq!(aligned % page_size(), 0);
        assert!(page_size().is_power_of_two());
    }
}
