//! Watching by tracepoints: the kernel writes down each watched call, this side reads it a moment
//! later.

use super::beside::Tells;
use super::emitter::Emitter;
use super::follower::Follower;
use super::perf::{self, PerfEvent};
use super::points::Points;
use super::rings::Rings;
use super::sample_record::{SampleData, SampleRecord};
use super::tracefs::Tracefs;
use super::{AttachError, AttachNote, Stopper, Whom, threads};
use memory_event::Sink;

/// Longest time between two looks at the rings, in milliseconds.
const ROUND_MILLISECONDS: u8 = 10;

/// The tracepoints are open on every thread; nothing was told yet.
pub(super) struct ByTracepoints {
    rings: Rings,
    points: Points,
    events: Vec<PerfEvent>,
    follower: Follower,
    held: bool,
    /// Records that came before the process's threads were all known.
    early: Vec<SampleRecord>,
    /// As far as the records tell.
    lost: u64,
}

impl ByTracepoints {
    /// Proves the tracepoints on this thread, and opens them on every thread of the processes or on
    /// every CPU.
    pub(super) fn open(
        whom: &Whom,
        ring_bytes: Option<usize>,
        stack_bytes: u16,
    ) -> Result<Self, AttachError> {
        if !cfg!(target_arch = "x86_64") {
            return Err(AttachError::Architecture);
        }
        let tracefs = Tracefs::open()
            .map_err(|source| AttachError::tracepoints("the kernel's tracefs", source))?;
        let points = Points::read(&tracefs, stack_bytes)
            .map_err(|source| AttachError::tracepoints("the list of tracepoints", source))?;
        drop(tracefs);
        let mut rings = Rings::new(ring_bytes, whom.ring_times())?;
        threads::prove(&mut rings, &points)?;
        let opened = match whom {
            Whom::Processes(pids) => threads::open_all(pids, &mut rings, &points)?,
            Whom::Everybody => threads::open_everywhere(&rings, &points)?,
        };
        Ok(Self {
            rings,
            points,
            events: opened.events,
            follower: Follower::new(opened.processes, whom, Tells::default()),
            held: opened.held,
            early: opened.early,
            lost: 0,
        })
    }

    /// Follows until all has ended or it is asked to stop; gives the number of records.
    pub(super) fn follow<S: Sink>(
        mut self,
        teller: &mut Emitter<S>,
        stopper: &Stopper,
    ) -> Result<u64, AttachError> {
        if self.held {
            teller.notes.add(AttachNote::HeldForAMoment);
        }
        self.follower.begin(teller, false);
        for record in std::mem::take(&mut self.early) {
            self.follower.hold(record, teller);
        }
        while !self.follower.all_ended() && !stopper.asked() {
            self.rings.wait(stopper.bell(), ROUND_MILLISECONDS);
            let round_ns = perf::now_ns();
            self.drain(teller);
            self.follower.tell_ripe(round_ns, teller);
        }
        let until_ns = perf::now_ns();
        self.drain(teller);
        let by_events: u64 = self.events.iter().filter_map(PerfEvent::lost).sum();
        teller.lost_events = by_events.max(self.lost);
        Ok(self.follower.finish(until_ns, teller))
    }

    fn drain<S: Sink>(&mut self, teller: &mut Emitter<S>) {
        let (follower, lost) = (&mut self.follower, &mut self.lost);
        self.rings.drain(&self.points, |record| match record.what {
            SampleData::Lost(count) => *lost += count,
            _ => follower.hold(record, teller),
        });
    }
}
