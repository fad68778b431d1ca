//! Where the command's memory lies in each arm, seen in one more run of each.

use anyhow::Context;
use heap_growth::{Growth, MemoryLayout};
use heap_meter::experiment::{Arm, StopFlag};
use memory_event::{Event, Sink};
use memory_trace::{Launch, LaunchOptions};

use super::HOLE;
use crate::hooks::Holes;

/// Arms by name, those in which anything grew. `None` if somebody wished to stop.
pub(super) fn of(
    arms: &[Arm],
    stop: &StopFlag,
) -> anyhow::Result<Option<Vec<(String, MemoryLayout)>>> {
    let mut layouts = Vec::new();
    for arm in arms {
        let holes = (arm.name == HOLE).then(Holes::default);
        let mut options = LaunchOptions::new();
        if let Some(holes) = &holes {
            options = holes.punched_by(options);
        }
        let mut growth = Growth::default();
        growth.keep_layout();
        let launch = options
            .start(&arm.target, Mapped { growth, holes })
            .with_context(|| format!("no map of the arm {} could be made", arm.name))?;
        let Some(growth) = finished(launch, stop)? else {
            return Ok(None);
        };
        layouts.extend(growth.layout().map(|layout| (arm.name.clone(), layout)));
    }
    Ok(Some(layouts))
}

fn finished(launch: Launch<Mapped>, stop: &StopFlag) -> anyhow::Result<Option<Growth>> {
    /// So long a wish to stop may wait.
    const TICK: std::time::Duration = std::time::Duration::from_millis(20);
    while !launch.ends_within(TICK) {
        if stop.is_wanted() {
            launch.kill();
        }
    }
    let growth = launch.wait()?.sink.growth;
    Ok((!stop.is_wanted()).then_some(growth))
}

struct Mapped {
    growth: Growth,
    holes: Option<Holes>,
}

impl Sink for Mapped {
    fn take(&mut self, event: &Event) {
        if let Some(holes) = &self.holes {
            holes.tell(&mut self.growth);
        }
        self.growth.take(event);
    }
}
