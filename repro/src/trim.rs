//! malloc_trim(3).
//!
//! # Safety
//!
//! `unsafe` is needed for the call itself.
#![allow(unsafe_code)]

/// Has malloc give back what it can, at the top and inside. glibc only; elsewhere nothing happens.
///
/// # References
///
/// malloc_trim(3); glibc `malloc/malloc.c`, `mtrim`: whole free pages are given back with madvise,
/// in every arena, since 2.8.
pub(crate) fn malloc_trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes malloc's own locks; may be called at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}
