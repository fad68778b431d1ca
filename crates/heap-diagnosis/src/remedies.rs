//! What to do, in the same words wherever it is said.

use proc_memory::{Mapping, page_size_bytes};

/// Against a mapping in the way of the break.
pub(crate) const MOVE_THE_MAPPING: &str = "Find who makes that mapping and have it lie elsewhere; \
    until then malloc_trim(0) gives freed memory back.";

/// Against one that was put there for the sake of addresses below 2 GiB.
pub(crate) const GC64: &str = "A LuaJIT with 64-bit GC pointers (GC64, today's default) has no \
    need of low addresses; until then malloc_trim(0) gives freed memory back.";

/// Below it lies what 32-bit pointers with a sign can hold.
const TWO_GIB: u64 = 2 << 30;

/// Against a mapping above the break of a running process, of which only its place and kind are
/// known, not how it came there.
pub(super) fn against(blocker: &Mapping, program_break: u64) -> String {
    if is_lone_page_at(blocker, program_break) {
        format!(
            "That page looks put there on purpose, as programs did to keep low addresses free for \
             a garbage collector. {GC64}"
        )
    } else if is_low(blocker) {
        format!(
            "It lies below 2 GiB, where a program has to ask for memory expressly, as a LuaJIT with \
             32-bit GC pointers does. {GC64}"
        )
    } else {
        MOVE_THE_MAPPING.to_owned()
    }
}

/// A single page that can only be read and holds no file has no use of its own, least of all right
/// at the break: it looks put there to stop it.
pub(super) fn is_lone_page_at(mapping: &Mapping, program_break: u64) -> bool {
    let permissions = mapping.permissions;
    mapping.start == program_break
        && mapping.length_bytes() == page_size_bytes()
        && mapping.inode == 0
        && !permissions.write
        && !permissions.execute
        && !permissions.shared
}

/// A 64-bit program gets nothing there unless it asks for it (`MAP_32BIT`, or an address).
fn is_low(mapping: &Mapping) -> bool {
    let is_anonymous = mapping.inode == 0 && mapping.name.is_empty();
    cfg!(target_pointer_width = "64") && is_anonymous && mapping.end <= TWO_GIB
}

/// How the data limit is set.
pub(crate) const DATA_SETTING: &str = "ulimit -d (LimitDATA= in a systemd unit)";

/// How the limit on the address space is set.
pub(crate) const ADDRESS_SPACE_SETTING: &str = "ulimit -v (LimitAS= in a systemd unit)";

/// Against a seccomp filter.
pub(crate) const FILTER: &str = "Look at what its sandbox allows: a container's seccomp profile, \
    SystemCallFilter= of a systemd unit, or the program's own filter (Seccomp: 2 in \
    /proc/PID/status).";

/// Against a limit.
pub(crate) fn raise(setting: &str) -> String {
    format!("Raise it with {setting}, or have the program need less.")
}

/// For a process that can't be changed and holds freed memory now.
pub(super) fn trim(pid: i32) -> String {
    format!(
        "A program that can't be changed gives freed memory back by `brkhole trim {pid}`, or by a \
         restart."
    )
}
