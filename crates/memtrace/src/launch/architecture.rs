//! What differs between processor architectures.

/// The kernel's name (`AUDIT_ARCH_*`) for the native calls of this architecture; `None` where the
/// launcher was never made to work.
///
/// # References
/// `include/uapi/linux/audit.h`
pub(crate) const NATIVE: Option<u32> =
    if cfg!(all(target_arch = "x86_64", target_pointer_width = "64")) {
        Some(0xC000_003E)
    } else if cfg!(all(
        target_arch = "aarch64",
        target_endian = "little",
        target_pointer_width = "64"
    )) {
        Some(0xC000_00B7)
    } else {
        None
    };
