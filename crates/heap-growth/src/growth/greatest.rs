//! The process that grew most, as it was then.
//!
//! Memory may go back at any time, so a state has to be kept before it does. Keeping one costs as
//! much as copying the process's ranges; it is done only when memory is about to go back, and only
//! if the state exceeds the one that is kept by 1/64. So a run that grows from 4 KiB to 2 GiB and
//! gives something back at every step is copied fewer than a thousand times, and there is one copy
//! at a time.

use super::layout::MemoryLayout;
use super::memory::TrackedMemory;
use super::process::ProcessGrowth;

/// A greater state replaces the one that is kept only if it exceeds it by this part.
const WORTH_KEEPING: i64 = 64;

/// The state that is kept; none unless it is wanted.
#[derive(Debug, Default)]
pub(super) struct Greatest {
    pub(super) wanted: bool,
    kept: Option<GreatestLayout>,
}

#[derive(Debug)]
struct GreatestLayout {
    layout: MemoryLayout,
    memory: TrackedMemory,
    program_has_ended: bool,
}

impl Greatest {
    /// Memory of the process may be about to go back.
    pub(super) fn before_less(&mut self, pid: i32, process: &ProcessGrowth) {
        let so_far = self.kept_growth_bytes();
        if self.wanted && process.held.total() - so_far > so_far / WORTH_KEEPING {
            self.kept = Some(GreatestLayout::of(pid, process));
        }
    }

    /// The process's program ended.
    pub(super) fn ended(&mut self, pid: i32, process: &ProcessGrowth) {
        if !self.wanted {
            return;
        }
        if process.held.total() > self.kept_growth_bytes() {
            self.kept = Some(GreatestLayout::of(pid, process));
        }
        if let Some(kept) = &mut self.kept
            && kept.is_of(pid)
        {
            follow(&mut kept.layout, process);
            kept.program_has_ended = true;
        }
    }

    /// By how much the process of the state that is kept had grown; 0 if none is.
    pub(super) fn kept_growth_bytes(&self) -> i64 {
        self.kept.as_ref().map_or(0, |kept| kept.layout.growth_bytes)
    }

    /// The state to show; some process of these may have grown more by now.
    pub(super) fn layout<'a>(
        &self,
        living: impl Iterator<Item = (i32, &'a ProcessGrowth)>,
    ) -> Option<MemoryLayout> {
        if !self.wanted {
            return None;
        }
        let mut best: Option<MemoryLayout> = self.kept.as_ref().map(GreatestLayout::shown);
        for (pid, process) in living {
            let growth = process.held.total();
            let so_far = best.as_ref().map_or(0, |best| best.growth_bytes);
            if growth > so_far {
                best = Some(GreatestLayout::of(pid, process).shown());
            } else if let (Some(best), Some(kept)) = (&mut best, &self.kept)
                && kept.is_of(pid)
                && best.pid == pid
            {
                follow(best, process);
            }
        }
        best
    }
}

impl GreatestLayout {
    fn of(pid: i32, process: &ProcessGrowth) -> Self {
        let memory = process.memory.clone();
        let mut layout = MemoryLayout {
            at: process.changed_at,
            growth_bytes: process.held.total(),
            program_break: memory.program_break(),
            knows_earlier: memory.knows_earlier(),
            ..MemoryLayout::of(pid, Vec::new())
        };
        follow(&mut layout, process);
        Self { layout, memory, program_has_ended: false }
    }

    /// Whether it is of the program that this process still runs.
    fn is_of(&self, pid: i32) -> bool {
        self.layout.pid == pid && !self.program_has_ended
    }

    fn shown(&self) -> MemoryLayout {
        MemoryLayout { parts: self.memory.parts(), ..self.layout.clone() }
    }
}

/// What goes on being told after the state was kept.
fn follow(layout: &mut MemoryLayout, process: &ProcessGrowth) {
    layout.greatest_growth_bytes = process.greatest_growth_bytes;
    layout.refused_brks = process.refused_brks;
    layout.blocker = process.blocker();
}
