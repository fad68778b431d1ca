//! What a run wants of the machine: enough memory, and addresses that aren't randomised.
//!
//! Where the break begins is drawn anew for each process, anywhere in a GiB, and that would decide
//! more about Lua's share than the hole does. The wish not to randomise is a property of a process
//! that its children inherit and that counts when they execute their program; the parent itself, at
//! whose program nothing changes any more, needn't care.

use anyhow::Context;
use heap_meter::environment::available_memory_bytes;
use human_text::Bytes;
use nix::sys::personality::{self, Persona};

/// Where a LuaJIT with 32-bit GC pointers ends.
const LOW_BYTES: u64 = 2 << 30;

/// Beside its objects and C's heap, what else a child and its parent take.
const BESIDE_BYTES: u64 = 64 << 20;

/// The most that a run takes. Lua's part can't be told beforehand; it ends at `most_bytes` or, with
/// 32-bit GC pointers, at 2 GiB.
pub(super) fn needed_bytes(fill_bytes: u64, most_bytes: u64, gc64: bool) -> u64 {
    let lua = if gc64 { most_bytes } else { most_bytes.min(LOW_BYTES) };
    fill_bytes.saturating_add(lua).saturating_add(BESIDE_BYTES)
}

/// Refuses what the machine hasn't memory for now: the OOM killer would end it otherwise.
///
/// # Errors
/// When less is available, or the machine doesn't tell.
pub(super) fn ensure_memory(needed_bytes: u64) -> anyhow::Result<()> {
    let available = available_memory_bytes().context("/proc/meminfo has no MemAvailable")?;
    anyhow::ensure!(
        available >= needed_bytes,
        "a run may take {}, and {} are available: take less with --most or --fill",
        Bytes(needed_bytes),
        Bytes(available)
    );
    Ok(())
}

/// What the report says about randomisation; it is switched off unless it is wanted.
pub(super) fn randomisation_note(wanted: bool) -> String {
    if wanted {
        return "address randomisation was left on (--aslr): where the break begins moves the \
                figures too"
            .to_owned();
    }
    match switch_off() {
        Ok(()) => "address randomisation was off in the children (personality(2), \
                   ADDR_NO_RANDOMIZE); --aslr leaves it on"
            .to_owned(),
        Err(error) => format!(
            "address randomisation was ON in the children, because the kernel refused to switch it \
             off (personality(2), ADDR_NO_RANDOMIZE): {error}; where the break begins moves the \
             figures too. Outside a container, or with its seccomp filter off, it can be"
        ),
    }
}

/// Has programs that this thread's children execute from now on run without randomisation.
///
/// # Errors
/// When the kernel refuses, as the seccomp filters of containers have it do.
///
/// # References
/// personality(2), `ADDR_NO_RANDOMIZE`.
fn switch_off() -> nix::Result<()> {
    let present = personality::get()?;
    personality::set(present | Persona::ADDR_NO_RANDOMIZE).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_short_pointers_lua_never_takes_more_than_2_gib() {
        let beside = BESIDE_BYTES;
        assert_eq!(needed_bytes(1 << 30, 6 << 30, false), (3 << 30) + beside);
        assert_eq!(needed_bytes(1 << 30, 1 << 30, false), (2 << 30) + beside);
        assert_eq!(needed_bytes(1 << 30, 6 << 30, true), (7 << 30) + beside);
    }

    #[test]
    fn more_than_there_is_is_refused() {
        assert!(ensure_memory(1).is_ok());
        let error = ensure_memory(u64::MAX).unwrap_err().to_string();
        assert!(error.contains("--most"), "{error}");
    }
}
