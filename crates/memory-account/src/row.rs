//! One owner's part of the memory.

use serde::{Deserialize, Serialize};

/// What kind of owner a row has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// Arenas of glibc's malloc.
    MallocArena,
    /// Blocks of glibc's malloc with mappings of their own.
    MallocBlock,
    /// A language's runtime.
    Runtime,
    /// Another allocator.
    Allocator,
    /// Threads' stacks.
    Stack,
    /// Anonymous memory that the program has named: `prctl(PR_SET_VMA)`.
    Named,
    /// Files mapped privately: the program, its libraries, their data.
    File,
    /// Files mapped shared.
    FileShared,
    /// Memory shared between processes: System V, POSIX, memfd, anonymous.
    SharedMemory,
    /// The kernel's own pages, such as the vdso.
    Kernel,
    /// Anonymous memory of which it isn't known whose it is.
    Unknown,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::MallocArena,
        Self::MallocBlock,
        Self::Runtime,
        Self::Allocator,
        Self::Stack,
        Self::Named,
        Self::File,
        Self::FileShared,
        Self::SharedMemory,
        Self::Kernel,
        Self::Unknown,
    ];

    /// A fixed name for programs, the one that it has in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MallocArena => "malloc-arena",
            Self::MallocBlock => "malloc-block",
            Self::Runtime => "runtime",
            Self::Allocator => "allocator",
            Self::Stack => "stack",
            Self::Named => "named",
            Self::File => "file",
            Self::FileShared => "file-shared",
            Self::SharedMemory => "shared-memory",
            Self::Kernel => "kernel",
            Self::Unknown => "unknown",
        }
    }
}

/// One owner's part. Sizes are bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Row {
    /// For people: `main arena`, `thread stacks`, ….
    pub owner: String,
    /// For programs.
    pub kind: Kind,
    /// Pieces of memory.
    pub pieces: u64,
    /// Resident, pages shared with other processes counted in full.
    pub rss_bytes: u64,
    /// Of it what no other process has: what the machine would get back.
    pub private_bytes: u64,
    /// In swap.
    pub swap_bytes: u64,
    /// Of what is resident, what its owner doesn't use now; `None` if that isn't known.
    pub free_bytes: Option<u64>,
    /// Of what is resident and free, what its owner would give back if asked; `None` if that isn't
    /// known.
    pub returnable_bytes: Option<u64>,
    /// By what the owner was told.
    pub evidence: String,
}

impl Row {
    /// Nothing yet.
    pub(super) fn new(kind: Kind, owner: &str, evidence: &str) -> Self {
        Self {
            owner: owner.to_owned(),
            kind,
            pieces: 0,
            rss_bytes: 0,
            private_bytes: 0,
            swap_bytes: 0,
            free_bytes: None,
            returnable_bytes: None,
            evidence: evidence.to_owned(),
        }
    }

    /// Several together, under a name of their own; free is what is known of them.
    pub fn sum(owner: &str, rows: &[Self]) -> Self {
        let mut sum = Self::new(Kind::Unknown, owner, "");
        for row in rows {
            sum.pieces += row.pieces;
            sum.rss_bytes += row.rss_bytes;
            sum.private_bytes += row.private_bytes;
            sum.swap_bytes += row.swap_bytes;
            for (sum, one) in [
                (&mut sum.free_bytes, row.free_bytes),
                (&mut sum.returnable_bytes, row.returnable_bytes),
            ] {
                *sum = (*sum).map_or(one, |sum| Some(sum + one.unwrap_or(0)));
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_one_name() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
        assert!(Kind::ALL.is_sorted());
    }
}
