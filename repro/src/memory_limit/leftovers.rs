//! Cgroups whose maker was killed together with its keeper.
//!
//! Their process is dead too, since it dies with its parent, so they are empty. Only rmdir(2) is
//! tried, which the kernel refuses for a cgroup that holds a process.

use super::name::Maker;
use std::fs;
use std::path::Path;

/// Removes them from this place, and only them. Gives their names.
pub(super) fn remove(place: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(place) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| Maker::of(name).is_some_and(Maker::is_gone))
        .filter(|name| fs::remove_dir(place.join(name)).is_ok())
        .collect()
}
