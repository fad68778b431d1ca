//! Rows that add up to what the kernel counts.

use proc_memory::{Process, ProcessError, WeighedMapping};
use ptmalloc::{Allocator, Examination};
use serde::{Deserialize, Serialize};

use super::space::Space;
use super::{elf_bss, glibc, go, jemalloc, jvm, luajit, pymalloc, ruby, stacks, v8, zend};

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

/// Whose memory a process has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
#[non_exhaustive]
pub struct Account {
    /// The most resident first, unknown memory last; rows without anything are left out.
    pub rows: Vec<Row>,
}

impl Account {
    /// Accounts for all memory of a process. `examination` is what was found of its malloc.
    ///
    /// # Errors
    /// When `smaps` or the page map can't be read: no permission, a kernel thread, a zombie, or a
    /// process that has ended. What can't be read otherwise stays unknown.
    pub fn of(process: &Process, examination: &Examination) -> Result<Self, ProcessError> {
        let mut space = Space::of(process, WeighedMapping::all(process)?)?;
        // From what is proven by lists to what is proven by a header alone.
        let malloc = examination.state.as_ref().ok();
        stacks::claim(&mut space);
        if let Some(malloc) = malloc {
            glibc::claim_arenas(&mut space, malloc);
        }
        elf_bss::claim(&mut space);
        let all = examination.allocator.iter().chain(&examination.others);
        for allocator in all {
            match allocator {
                Allocator::Go => go::claim(&mut space),
                Allocator::Jemalloc => jemalloc::claim(&mut space),
                _ => {}
            }
        }
        for claim in
            [pymalloc::claim, zend::claim, ruby::claim, luajit::claim, jvm::claim, v8::claim]
        {
            claim(&mut space);
        }
        if let Some(malloc) = malloc {
            glibc::claim_blocks(&mut space, malloc);
            glibc::claim_pieces(&mut space, malloc);
        }
        let likely = examination.allocator.as_ref().filter(|_| malloc.is_none());
        let likely = likely.filter(|one| !matches!(one, Allocator::Glibc { .. }));
        space.into_rows(likely.map(Allocator::to_string)).map(|rows| Self { rows })
    }

    /// All that is resident.
    pub fn rss_bytes(&self) -> u64 {
        self.rows.iter().map(|row| row.rss_bytes).sum()
    }

    /// All that is in swap.
    pub fn swap_bytes(&self) -> u64 {
        self.rows.iter().map(|row| row.swap_bytes).sum()
    }

    /// Resident bytes of owners of this kind.
    pub fn of_kind(&self, kind: Kind) -> u64 {
        self.rows.iter().filter(|row| row.kind == kind).map(|row| row.rss_bytes).sum()
    }
}
