//! What was found of one program.

use super::place::Place;
use super::started::Started;
use super::work::Work;
use heap_meter::malloc::{Examiner, State};
use heap_meter::process::Process;
use heap_meter::snapshot::Snapshot;
use std::time::Instant;

/// The runs of one program in one place.
#[derive(Debug)]
pub struct Measured {
    pub work: Work,
    pub runs: Vec<Run>,
}

/// One run.
#[derive(Debug)]
pub struct Run {
    /// Whose malloc it was found to be.
    pub allocator: Option<String>,
    /// What it kept, or why that isn't known.
    pub state: Result<State, String>,
    /// How long the look took.
    pub examined_seconds: f64,
    /// Just before the look, and after malloc_trim.
    pub before: Snapshot,
    pub after: Snapshot,
}

impl Measured {
    /// Runs the program so many times.
    ///
    /// # Errors
    ///
    /// When it can't be run or weighed.
    pub fn of(place: &Place, work: Work, repeats: u32) -> anyhow::Result<Self> {
        let runs = (0..repeats).map(|_| Run::of(place, &work));
        let runs = runs.collect::<anyhow::Result<_>>()?;
        Ok(Self { work, runs })
    }

    /// The run whose prediction is furthest from what came; one that isn't known is as far as can
    /// be. `None` without any run.
    pub fn worst(&self) -> Option<&Run> {
        let distance = |run: &&Run| run.difference_bytes().map_or(u64::MAX, i64::unsigned_abs);
        self.runs.iter().max_by_key(distance)
    }
}

impl Run {
    fn of(place: &Place, work: &Work) -> anyhow::Result<Self> {
        let mut started = Started::still(work, place)?;
        let process = Process::open(started.pid())?;
        let before = Snapshot::of(started.pid())?;
        let since = Instant::now();
        let found = Examiner::new().examine(&process);
        let examined_seconds = since.elapsed().as_secs_f64();
        started.trim()?;
        let after = Snapshot::of(started.pid())?;
        Ok(Self {
            allocator: found.allocator.map(|allocator| allocator.to_string()),
            state: found.state.map_err(|unknown| unknown.to_string()),
            examined_seconds,
            before,
            after,
        })
    }

    /// What malloc_trim was to give back, if that was known.
    pub fn predicted_bytes(&self) -> Option<u64> {
        self.state.as_ref().ok()?.returnable_bytes
    }

    /// Why it wasn't.
    pub fn unknown(&self) -> Option<String> {
        match &self.state {
            Err(reason) => Some(reason.clone()),
            Ok(state) if state.returnable_bytes.is_none() => {
                let mut arenas = state.arenas.iter();
                arenas.find_map(|arena| arena.unknown.clone())
            }
            Ok(_) => None,
        }
    }

    /// The resident memory that went.
    pub fn given_back_bytes(&self) -> i64 {
        self.before.rss_bytes.cast_signed() - self.after.rss_bytes.cast_signed()
    }

    /// By how much too much was predicted.
    pub fn difference_bytes(&self) -> Option<i64> {
        Some(self.predicted_bytes()?.cast_signed() - self.given_back_bytes())
    }
}
