//! Watching by tracepoints: the kernel writes down each watched call, this side reads it a moment
//! later.

use super::beside::Tells;
use super::cgroup_directory::{CgroupDirectory, is_gone};
use super::emitter::Emitter;
use super::follower::Follower;
use super::perf::{self, PerfEvent, Whose};
use super::points::Points;
use super::process_status;
use super::rings::Rings;
use super::sample_record::{SampleData, SampleRecord};
use super::threads::OpenedEvents;
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
    /// As far as those events told that are closed by now.
    lost_by_closed: u64,
    /// Of which the events are.
    cgroup: Option<CgroupDirectory>,
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
        let mut cgroup = None;
        let opened = match whom {
            Whom::Processes(pids) => threads::open_all(pids, &mut rings, &points)?,
            Whom::Cgroup { directory, pids } => {
                let open = CgroupDirectory::open(directory.clone());
                let open = open.map_err(AttachError::setup("open the cgroup's directory"))?;
                let open = cgroup.insert(open);
                let events = threads::open_everywhere(Whose::Cgroup(open.fd()), &rings, &points)?;
                let threads = |pid: &i32| (*pid, process_status::all_threads(*pid));
                let processes = pids.iter().map(threads).collect();
                OpenedEvents { events, processes, ..OpenedEvents::default() }
            }
            Whom::Everybody => {
                let events = threads::open_everywhere(Whose::Everybody, &rings, &points)?;
                OpenedEvents { events, ..OpenedEvents::default() }
            }
        };
        Ok(Self {
            rings,
            points,
            events: opened.events,
            follower: Follower::new(opened.processes, whom, Tells::default()),
            held: opened.held,
            early: opened.early,
            lost: 0,
            lost_by_closed: 0,
            cgroup,
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
            self.look_at_cgroup()?;
        }
        let until_ns = perf::now_ns();
        self.drain(teller);
        teller.lost_events = self.lost_by_events().max(self.lost);
        Ok(self.follower.finish(until_ns, teller))
    }

    fn lost_by_events(&self) -> u64 {
        self.lost_by_closed + self.events.iter().filter_map(PerfEvent::lost).sum::<u64>()
    }

    /// Follows another cgroup that has taken the place of the one that there was.
    fn look_at_cgroup(&mut self) -> Result<(), AttachError> {
        let Some(another) = self.cgroup.as_ref().and_then(CgroupDirectory::another) else {
            return Ok(());
        };
        let whose = Whose::Cgroup(another.fd());
        match threads::open_everywhere(whose, &self.rings, &self.points) {
            Err(AttachError::Setup { source, .. }) if is_gone(&source) => {}
            events => {
                let events = events?;
                self.lost_by_closed = self.lost_by_events();
                (self.events, self.cgroup) = (events, Some(another));
            }
        }
        Ok(())
    }

    fn drain<S: Sink>(&mut self, teller: &mut Emitter<S>) {
        let (follower, lost) = (&mut self.follower, &mut self.lost);
        self.rings.drain(&self.points, |record| match record.what {
            SampleData::Lost(count) => *lost += count,
            _ => follower.hold(record, teller),
        });
    }
}
