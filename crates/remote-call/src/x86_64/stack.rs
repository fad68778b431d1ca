//! A process that is called into, and whether a thread's stack there has room for a call.

use std::fs::File;
use std::os::unix::fs::FileExt;

use proc_memory::Mapping;

use super::maps::{StoppedMappings, is_data};
use crate::{HoldOptions, Unfit};
use tracee::Registers;

/// A call wants that much of a stack: the frame takes 4 KiB, 12 with AMX.
const ROOM_BYTES: u64 = 64 << 10;

/// The kernel keeps that much free between a stack that grows and what is below.
const GAP_BYTES: u64 = 1 << 20;

/// What a call needs to know of a process.
#[derive(Debug)]
pub(super) struct CallTarget<'a> {
    pub(super) pid: i32,
    pub(super) tids: &'a [i32],
    /// One of them; the first thread of a process may have ended, and its memory is gone then.
    pub(super) any_tid: i32,
    pub(super) memory: &'a File,
    pub(super) mappings: &'a StoppedMappings,
    pub(super) options: &'a HoldOptions,
}

impl CallTarget<'_> {
    fn word(&self, address: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        self.memory.read_exact_at(&mut bytes, address).ok()?;
        Some(u64::from_le_bytes(bytes))
    }

    /// A thread uses the main stack, or the one that the C library made for it; what other memory
    /// there is below a stack pointer, nobody knows.
    pub(super) fn check_stack(&self, tid: i32, registers: &Registers) -> Result<(), Unfit> {
        let pointer = registers.rsp;
        let mapping = self.mappings.at(pointer).ok_or(Unfit::UnknownStack)?;
        if !is_data(&mapping) {
            return Err(Unfit::UnknownStack);
        }
        let bottom = pointer.saturating_sub(ROOM_BYTES);
        let has_room = if mapping.is_stack() && tid == self.pid {
            bottom >= mapping.start || self.can_grow(&mapping, bottom)
        } else {
            // glibc and musl put a thread's control block, which `fs` points to and whose first
            // word is its own address, on top of its stack.
            let block = registers.fs_base;
            let is_librarys = (mapping.start..mapping.end).contains(&block)
                && pointer < block
                && self.word(block) == Some(block);
            if !is_librarys {
                return Err(Unfit::UnknownStack);
            }
            bottom >= mapping.start && !self.has_guard(bottom, pointer)
        };
        has_room.then_some(()).ok_or(Unfit::SmallStack)
    }

    fn can_grow(&self, stack: &Mapping, bottom: u64) -> bool {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", self.any_tid));
        let limits = limits.unwrap_or_default();
        let mut lines = limits.lines();
        let limit = lines.find_map(|line| line.strip_prefix("Max stack size"));
        let limit = match limit.and_then(|rest| rest.split_whitespace().next()) {
            Some("unlimited") => u64::MAX,
            Some(bytes) => bytes.parse().unwrap_or(0),
            None => 0,
        };
        let bottom_page = bottom & !0xfff;
        let next = self.mappings.at_or_above(bottom_page.saturating_sub(GAP_BYTES));
        stack.end - bottom_page <= limit
            && next.is_none_or(|next| (next.start, next.end) == (stack.start, stack.end))
    }

    /// Guard pages that are no mappings of their own (`MADV_GUARD_INSTALL`, Linux 6.13, used by
    /// glibc 2.42): `pagemap` shows them since 6.15, in bit 58. Without it none is seen.
    fn has_guard(&self, start: u64, end: u64) -> bool {
        const GUARD: u64 = 1 << 58;
        let Ok(pagemap) = File::open(format!("/proc/{}/pagemap", self.any_tid)) else {
            return false;
        };
        (start >> 12..=end >> 12).any(|page| {
            let mut entry = [0; 8];
            let read = pagemap.read_exact_at(&mut entry, page * 8);
            read.is_ok() && u64::from_le_bytes(entry) & GUARD != 0
        })
    }

    /// Whether a thread is where the kernel, had a signal come, would have sent it elsewhere: it
    /// may then have to begin something anew that it does per processor.
    ///
    /// # References
    /// `linux/rseq.h`; `kernel/rseq.c` (`rseq_signal_deliver`)
    pub(super) fn is_in_sequence(&self, tid: i32, instruction: u64) -> bool {
        // Linux before 5.13 doesn't tell.
        let Ok(Some(area)) = tracee::rseq_address(tid) else {
            return false;
        };
        let Some(sequence) = self.word(area + 8).filter(|&sequence| sequence != 0) else {
            return false;
        };
        let (start, length) = (self.word(sequence + 8), self.word(sequence + 16));
        match (start, length) {
            (Some(start), Some(length)) => instruction.wrapping_sub(start) < length,
            // A wild pointer, for which the kernel would end the process.
            _ => true,
        }
    }
}
