//! What only a call into the C library or the kernel tells.
//!
//! # Safety
//!
//! Unsafe code is allowed in this module because these calls have no safe wrapper in the libraries
//! that this crate uses. None of them takes a pointer; the one that returns a pointer returns a
//! static string.
#![allow(unsafe_code)]

/// Processors that are online.
pub(super) fn online_cpus() -> Option<u64> {
    configured(libc::_SC_NPROCESSORS_ONLN)
}

fn configured(name: libc::c_int) -> Option<u64> {
    // SAFETY: sysconf(3) takes a number and answers -1 to one that it does not know.
    let value = unsafe { libc::sysconf(name) };
    u64::try_from(value).ok().filter(|&value| value > 0)
}

/// Name and version of the C library.
#[cfg(target_env = "gnu")]
pub(super) fn libc_name() -> Option<String> {
    // SAFETY: the function takes nothing and returns a pointer into libc's read-only data.
    let version = unsafe { libc::gnu_get_libc_version() };
    // SAFETY: that pointer is not null and its string ends in a NUL byte and lives as long as the
    // process (gnu_get_libc_version(3)).
    let version = unsafe { std::ffi::CStr::from_ptr(version) };
    Some(format!("glibc {}", version.to_string_lossy()))
}

/// Name of the C library; musl has no call that tells its version.
#[cfg(not(target_env = "gnu"))]
pub(super) fn libc_name() -> Option<String> {
    cfg!(target_env = "musl").then(|| "musl".to_owned())
}

/// Whether this process's personality turns randomisation off.
pub(super) fn aslr_is_off_for_this_process() -> bool {
    /// Asks without setting anything (personality(2)).
    const ASK: libc::c_ulong = 0xffff_ffff;
    // SAFETY: with this argument the call changes nothing and takes no pointer.
    let persona = unsafe { libc::personality(ASK) };
    persona != -1 && persona & libc::ADDR_NO_RANDOMIZE != 0
}
