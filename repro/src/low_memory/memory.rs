//! Whether the machine has the memory that a run takes.

use anyhow::Context;
use heap_meter::environment::available_memory_bytes;
use human_text::Bytes;

/// Where a LuaJIT with 32-bit GC pointers ends.
const LOW_BYTES: u64 = 2 << 30;

/// Beside its objects and C's heap, what else a child and its parent take.
const BESIDE_BYTES: u64 = 64 << 20;

/// The most that a run takes. Lua's part can't be told beforehand; it ends at `most_bytes` or, with
/// 32-bit GC pointers, at 2 GiB.
pub(super) fn needed(fill_bytes: u64, most_bytes: u64, gc64: bool) -> u64 {
    let lua = if gc64 {
        most_bytes
    } else {
        most_bytes.min(LOW_BYTES)
    };
    fill_bytes.saturating_add(lua).saturating_add(BESIDE_BYTES)
}

/// Refuses what the machine hasn't memory for now: the OOM killer would end it otherwise.
///
/// # Errors
///
/// When less is available, or the machine doesn't tell.
pub(super) fn ensure(needed_bytes: u64) -> anyhow::Result<()> {
    let available = available_memory_bytes().context("/proc/meminfo has no MemAvailable")?;
    anyhow::ensure!(
        available >= needed_bytes,
        "a run may take {}, and {} are available: take less with --most or --fill",
        Bytes(needed_bytes),
        Bytes(available)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_short_pointers_lua_never_takes_more_than_2_gib() {
        let beside = BESIDE_BYTES;
        assert_eq!(needed(1 << 30, 6 << 30, false), (3 << 30) + beside);
        assert_eq!(needed(1 << 30, 1 << 30, false), (2 << 30) + beside);
        assert_eq!(needed(1 << 30, 6 << 30, true), (7 << 30) + beside);
    }

    #[test]
    fn more_than_there_is_is_refused() {
        assert!(ensure(1).is_ok());
        let error = ensure(u64::MAX).unwrap_err().to_string();
        assert!(error.contains("--most"), "{error}");
    }
}
