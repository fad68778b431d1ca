//! What this process itself takes.

use heap_meter::snapshot::Snapshot;

/// The most memory that this process has had resident, in bytes.
pub(crate) fn own_peak_rss_bytes() -> Option<u64> {
    let here = Snapshot::of(std::process::id().cast_signed()).ok()?;
    Some(here.peak_rss_bytes)
}
