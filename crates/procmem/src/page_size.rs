//! The size of a page.
#![allow(unsafe_code)]

use std::sync::LazyLock;

/// Size of a page in bytes.
///
/// # Panics
///
/// Never in practice: POSIX requires the C library to know it.
#[must_use]
pub fn page_size_bytes() -> u64 {
    // Asked for at every memory call that is told.
    static BYTES: LazyLock<u64> = LazyLock::new(|| {
        // SAFETY: sysconf(3) takes a number.
        let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        u64::try_from(bytes).expect("sysconf(3) knows the page size")
    });
    *BYTES
}
