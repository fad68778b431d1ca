//! Another process's memory, read in batches.

use std::ops::Range;

use nix::errno::Errno;
use proc_memory::{PageMap, PageState, Process, ProcessError, ProcessMemory, Reason};

use super::error::Unreadable;
use super::limits::{Deadline, ExaminationLimits};

/// What can be read of a process. A trait, so that a made-up memory can be examined, too.
pub(super) trait TargetMemory {
    /// Appends the bytes of all these ranges to `into`, or fails as a whole.
    fn read(&mut self, places: &[Range<u64>], into: &mut Vec<u8>) -> Result<(), Unreadable>;

    /// Appends the bytes of one range.
    fn read_one(&mut self, place: Range<u64>, into: &mut Vec<u8>) -> Result<(), Unreadable> {
        self.read(std::slice::from_ref(&place), into)
    }

    /// Bytes of these pages that are resident and would give a page frame back: the kernel's shared
    /// page of zeros wouldn't. The ranges are of whole pages, in rising order, and do not overlap.
    fn resident_bytes(&mut self, pages: &[Range<u64>]) -> Result<u64, Unreadable>;

    /// What of these pages is resident, in the same sense and rising order; what lies between them
    /// may be told, too.
    fn resident(&mut self, pages: &[Range<u64>]) -> Result<Vec<Range<u64>>, Unreadable>;

    /// How much of it may be looked at.
    fn limits(&self) -> ExaminationLimits {
        ExaminationLimits::WHOLE
    }
}

/// Places that are read before the time is looked at.
const MOST_PLACES: usize = 1024;

pub(super) struct Remote<'p> {
    process: &'p Process,
    deadline: Deadline,
    memory: Option<ProcessMemory>,
    resident: Option<PageMap>,
}

impl<'p> Remote<'p> {
    pub(super) fn new(process: &'p Process, deadline: Deadline) -> Self {
        Self { process, deadline, memory: None, resident: None }
    }

    pub(super) fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// What the kernel says of its pages.
    fn page_map(&mut self) -> Result<&mut PageMap, Unreadable> {
        let resident = match self.resident.take() {
            Some(resident) => resident,
            None => PageMap::open(self.process).map_err(|error| unopened(&error))?,
        };
        Ok(self.resident.insert(resident))
    }
}

impl TargetMemory for Remote<'_> {
    fn limits(&self) -> ExaminationLimits {
        self.deadline.limits()
    }

    fn read(&mut self, places: &[Range<u64>], into: &mut Vec<u8>) -> Result<(), Unreadable> {
        let memory = match self.memory.take() {
            Some(memory) => memory,
            None => ProcessMemory::open(self.process).map_err(|error| unopened(&error))?,
        };
        let memory = self.memory.insert(memory);
        for some in places.chunks(MOST_PLACES) {
            self.deadline.check()?;
            let (before, wanted) = (into.len(), some.iter().map(|one| one.end - one.start));
            let wanted: u64 = wanted.sum();
            if memory.read(some, into)? as u64 != wanted {
                into.truncate(before);
                return Err(Unreadable::NotMapped);
            }
        }
        Ok(())
    }

    fn resident_bytes(&mut self, pages: &[Range<u64>]) -> Result<u64, Unreadable> {
        if pages.is_empty() {
            return Ok(0);
        }
        let deadline = self.deadline;
        self.page_map()?.bytes(PageState::Resident, pages, || deadline.check())
    }

    fn resident(&mut self, pages: &[Range<u64>]) -> Result<Vec<Range<u64>>, Unreadable> {
        let mut found = Vec::new();
        if !pages.is_empty() {
            let deadline = self.deadline;
            let pages_of = self.page_map()?;
            pages_of.each(
                PageState::Resident,
                pages,
                || deadline.check(),
                |one| found.push(one),
            )?;
        }
        Ok(found)
    }
}

/// Why its memory or its page map can't be had.
fn unopened(error: &ProcessError) -> Unreadable {
    match &error.reason {
        Reason::Denied { .. } => Unreadable::Denied,
        Reason::Io(error) => Errno::from_raw(error.raw_os_error().unwrap_or_default()).into(),
        Reason::NotInKernel => Unreadable::Kernel(Errno::ENOENT),
        _ => Unreadable::Gone,
    }
}
