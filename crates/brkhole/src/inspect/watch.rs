//! One look or many, and where each goes.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::cli::{InspectArguments, InspectFormat};
use crate::output::{self, Readers};
use crate::signals;

/// To the upper left corner, and the screen cleared.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// When the next look is due, and whether there is one.
pub(super) struct Rounds {
    is_over: Arc<AtomicBool>,
    watch: Option<WatchClock>,
}

struct WatchClock {
    /// From the beginning of one look to that of the next.
    every: Duration,
    since: Instant,
    /// Ends a wait.
    ended: Receiver<()>,
}

impl Rounds {
    /// With `every` looks go on until a signal asks for the end, and the process then ends in order;
    /// without it, a signal does what it always does.
    ///
    /// # Errors
    /// When signals can't be listened to.
    pub(super) fn new(every: Option<Duration>) -> anyhow::Result<Self> {
        let is_over = Arc::new(AtomicBool::new(false));
        let watch = every.map(|every| WatchClock::new(every, &is_over));
        Ok(Self { watch: watch.transpose()?, is_over })
    }

    /// Whether nobody has asked for the end yet.
    pub(super) fn go_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }

    /// Asks whether somebody has.
    pub(super) fn over(&self) -> impl Fn() -> bool + Sync {
        let is_over = &*self.is_over;
        || is_over.load(Ordering::Relaxed)
    }

    /// Waits for the next; false if there is none.
    pub(super) fn next(&mut self) -> bool {
        let Some(watch) = &mut self.watch else {
            return false;
        };
        let rest = watch.every.saturating_sub(watch.since.elapsed());
        if watch.ended.recv_timeout(rest).is_ok() {
            return false;
        }
        watch.since = Instant::now();
        true
    }
}

impl WatchClock {
    fn new(every: Duration, is_over: &Arc<AtomicBool>) -> anyhow::Result<Self> {
        let (sender, ended) = channel();
        let over = Arc::clone(is_over);
        signals::Ends::listen()?.each(move |_| {
            over.store(true, Ordering::Relaxed);
            // Nobody receives it any more where the process ends already.
            let _ = sender.send(());
        });
        Ok(Self { every, since: Instant::now(), ended })
    }
}

/// Where texts go, one after the other.
pub(super) struct Place<'a> {
    arguments: &'a InspectArguments,
    /// `None` for standard output.
    file: Option<&'a Path>,
    redraws: bool,
    is_first: bool,
}

impl<'a> Place<'a> {
    pub(super) fn new(arguments: &'a InspectArguments) -> Self {
        let is_table = arguments.format == InspectFormat::Table;
        let file = arguments.file.as_deref();
        let file = file.filter(|file| !output::is_stdout(file));
        let is_shown = file.is_none() && io::stdout().is_terminal();
        Self {
            arguments,
            file,
            redraws: arguments.watch.is_some() && is_table && is_shown,
            is_first: true,
        }
    }

    /// Whether nothing has been written yet.
    pub(super) fn is_first(&self) -> bool {
        self.is_first
    }

    /// Whether one text follows the other, as for a program that reads on.
    pub(super) fn is_stream(&self) -> bool {
        self.arguments.watch.is_some() && self.file.is_none()
    }

    /// Puts a text there; false if nobody reads any more.
    ///
    /// # Errors
    /// When it can't be written.
    pub(super) fn put(&mut self, text: &str) -> anyhow::Result<bool> {
        let is_first = std::mem::replace(&mut self.is_first, false);
        // All have ended: the last that was seen of them stays.
        if !is_first && text.is_empty() && self.arguments.format == InspectFormat::Table {
            return Ok(true);
        }
        if let Some(path) = self.file {
            let readers = match self.arguments.format {
                InspectFormat::Openmetrics => Readers::All,
                _ => Readers::Usual,
            };
            return output::to_file_for(readers, path, text).map(|()| true);
        }
        let before = match self.arguments.format {
            _ if self.redraws => CLEAR,
            InspectFormat::Table | InspectFormat::Openmetrics if !is_first => "\n",
            _ => "",
        };
        output::to_stdout(format!("{before}{text}"))
    }
}
