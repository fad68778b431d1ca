//! Counts by size: of runs of free memory, and of the chunks between them.

use serde::{Deserialize, Serialize};

/// Runs, or chunks, of similar size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SizeClass {
    /// Smaller than this; `None` for the largest.
    pub below_bytes: Option<u64>,
    /// How many there are.
    pub count: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}

impl SizeClass {
    /// Nothing yet, below each of these sizes; the last one has no end.
    pub(super) fn below<const N: usize>(bounds: [u64; N]) -> [Self; N] {
        bounds.map(|below| Self {
            below_bytes: (below < u64::MAX).then_some(below),
            ..Self::default()
        })
    }

    /// Adds each of the others to the one of its size.
    pub(super) fn sum(classes: &mut [Self], others: &[Self]) {
        for (class, other) in classes.iter_mut().zip(others) {
            class.below_bytes = other.below_bytes;
            class.count += other.count;
            class.bytes += other.bytes;
        }
    }

    /// Adds one of this size to its class.
    pub(super) fn add(classes: &mut [Self], size_bytes: u64) {
        let fits = |class: &&mut Self| class.below_bytes.is_none_or(|below| size_bytes < below);
        if let Some(class) = classes.iter_mut().find(fits) {
            class.count += 1;
            class.bytes += size_bytes;
        }
    }
}
