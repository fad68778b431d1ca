//! Rows that add up to what the kernel counts.

use proc_memory::{Process, ProcessError, WeighedMapping};
use ptmalloc::{Allocator, Examination};
use serde::{Deserialize, Serialize};

use super::row::{Kind, Row};
use super::space::Space;
use super::{
    elf_bss, glibc, go, jemalloc, jvm, luajit, mimalloc, pymalloc, ruby, stacks, v8, zend,
};

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
                Allocator::Mimalloc => mimalloc::claim(&mut space),
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
        let likely = examination.allocator.as_ref();
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

    /// The row of an allocator other than glibc's.
    pub fn of_allocator(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.kind == Kind::Allocator && row.owner == name)
    }

    /// Resident bytes of owners of this kind.
    pub fn of_kind(&self, kind: Kind) -> u64 {
        self.rows.iter().filter(|row| row.kind == kind).map(|row| row.rss_bytes).sum()
    }
}
