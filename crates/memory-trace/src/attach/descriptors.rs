//! How many descriptors events take, and whether this process may have them.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::AttachError;
use super::points::Points;
use super::rings::Rings;

/// Raises this process's limit of descriptors if so many more threads need it and it may be.
pub(super) fn room_for(threads: usize, rings: &Rings, points: &Points) -> Result<(), AttachError> {
    let (soft, hard) = limits();
    let wanted = wanted(threads, rings, points);
    if wanted > hard {
        return Err(too_many(threads, rings, points));
    }
    if wanted > soft {
        let raised = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
        raised.map_err(|errno| AttachError::Setup {
            step: "raise the limit of descriptors",
            source: errno.into(),
        })?;
    }
    Ok(())
}

/// Says that so many more threads are too many.
pub(super) fn too_many(threads: usize, rings: &Rings, points: &Points) -> AttachError {
    let limit = limits().1;
    let wanted = wanted(threads, rings, points).max(limit + 1);
    AttachError::Descriptors { threads, cpus: rings.cpus(), wanted, limit }
}

fn wanted(threads: usize, rings: &Rings, points: &Points) -> u64 {
    let others = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    let each = points.attrs().count() * rings.cpus();
    // Some more threads may come while it is being attached.
    const SPARE: usize = 2;
    ((threads + SPARE) * each + others) as u64
}

/// The soft and the hard limit.
fn limits() -> (u64, u64) {
    // It can't fail for this resource.
    getrlimit(Resource::RLIMIT_NOFILE).unwrap_or_default()
}
