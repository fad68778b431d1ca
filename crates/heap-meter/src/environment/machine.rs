//! Small files below `/proc` and `/sys`, and what only a call into the C library or the kernel tells.
//!
//! # Safety
//!
//! Unsafe code is allowed in this module because glibc's version has no safe wrapper in the libraries
//! that this crate uses. The call takes no pointer and returns a static string.
#![allow(unsafe_code)]

use nix::sys::personality::{self, Persona};
use nix::unistd::{SysconfVar, sysconf};

pub(super) fn online_cpus() -> Option<u64> {
    let online = sysconf(SysconfVar::_NPROCESSORS_ONLN).ok()??;
    u64::try_from(online).ok()
}

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
    personality::get().is_ok_and(|persona| persona.contains(Persona::ADDR_NO_RANDOMIZE))
}

/// A file's text; `None` when it cannot be read.
pub(super) fn text(path: &str) -> Option<String> {
    std::fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// A file's text without white space around it; `None` when nothing is left.
pub(super) fn trimmed(path: &str) -> Option<String> {
    text(path).and_then(|text| filled(&text))
}

/// The value of the first `name : value` line.
pub(super) fn field(text: &str, name: &str) -> Option<String> {
    let mut pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.find(|(key, _)| key.trim() == name).and_then(|(_, value)| filled(value))
}

/// A line of `/proc/meminfo`, whose kB are 1,024 bytes.
pub(super) fn meminfo_bytes(meminfo: &str, name: &str) -> Option<u64> {
    let value = field(meminfo, name)?;
    value.strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The word in brackets, as in `always [madvise] never`.
pub(super) fn chosen(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('[')?;
    filled(rest.split_once(']')?.0)
}

fn filled(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Some CPU @ 2.0: GHz\nmodel name\t: Other\n";
        assert_eq!(field(cpuinfo, "model name").as_deref(), Some("Some CPU @ 2.0: GHz"));
        assert_eq!(
            meminfo_bytes("MemTotal:        4027648 kB\nMemFree: 1 kB\n", "MemTotal"),
            Some(4_124_311_552)
        );
        assert_eq!(chosen("always [madvise] never\n").as_deref(), Some("madvise"));
    }

    #[test]
    fn what_is_missing_is_none() {
        assert_eq!(field("processor : 0\nmodel name :\n", "model name"), None);
        assert_eq!(meminfo_bytes("MemTotal: 5\n", "MemTotal"), None);
        assert_eq!(meminfo_bytes("MemTotal: 18446744073709551615 kB\n", "MemTotal"), None);
        assert_eq!(chosen("always"), None);
        assert_eq!(chosen("[]"), None);
        assert_eq!(trimmed("/proc/there is no such file"), None);
    }
}
