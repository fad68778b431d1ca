//! Reads all arenas of a process that may be at work, as often as it makes sense.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::arena;
use super::examiner::unreadable;
use super::flaw::Flaw;
use super::header::Header;
use super::locked::locked;
use super::map::Map;
use super::memory::Unreadable;
use super::remote::Remote;
use super::state::{Arena, Free, State};
use super::step;
use super::trim::Pages;
use super::unknown::Unknown;
use crate::environment::page_size_bytes;
use crate::process::Process;

/// Reads of an arena that keeps changing.
const ATTEMPTS: u32 = 4;
/// Repeated reads of all arenas of a process together.
const MOST_REPEATED: u32 = 12;
/// No read is repeated after this time: what a look at a busy process costs is bounded, too.
const MOST_TIME: Duration = Duration::from_millis(20);
/// The wait before the second one; each further one is twice as long.
pub(super) const FIRST_WAIT: Duration = Duration::from_micros(50);

/// Reads the state of a process whose arenas were found: that of each arena, and their sums.
pub(super) fn state<'p>(
    remote: &mut Remote<'p>,
    process: &'p Process,
    headers: Vec<Header>,
    map: Map,
) -> Result<State, Unknown> {
    let non_contiguous = headers[0].non_contiguous();
    let mut reader = Reader {
        remote,
        process,
        map,
        locked: None,
        sizes: Pages {
            page_bytes: page_size_bytes(),
            top_step_bytes: step::top_bytes(process),
        },
        repeated: 0,
        begun: Instant::now(),
    };
    let mut arenas = Vec::with_capacity(headers.len());
    for (index, header) in headers.into_iter().enumerate() {
        let read = reader.arena(header, index == 0);
        arenas.push(read.map_err(|error| unreadable(process, error))?);
    }
    let sum = |of: fn(&Free) -> u64| {
        let each = arenas.iter().map(|arena| arena.free.as_ref().map(of));
        each.sum::<Option<u64>>()
    };
    Ok(State {
        non_contiguous,
        system_bytes: arenas.iter().map(|arena| arena.system_bytes).sum(),
        free_bytes: sum(Free::total_bytes),
        returnable_bytes: sum(|free| free.returnable_bytes),
        arenas,
    })
}

struct Reader<'a, 'p> {
    remote: &'a mut Remote<'p>,
    process: &'p Process,
    map: Map,
    /// What is locked, once it was asked for.
    locked: Option<Vec<Range<u64>>>,
    sizes: Pages,
    repeated: u32,
    begun: Instant,
}

impl Reader<'_, '_> {
    fn arena(&mut self, mut header: Header, main: bool) -> Result<Arena, Unreadable> {
        let mut wait = FIRST_WAIT;
        let mut result = self.once(&header, main);
        for _ in 1..ATTEMPTS {
            match result {
                Ok(_) | Err(Flaw::TooMany(_)) => break,
                Err(Flaw::Unreadable(error @ (Unreadable::Gone | Unreadable::Denied))) => {
                    return Err(error);
                }
                Err(_) if self.has_tried_enough() => break,
                Err(Flaw::Locked | Flaw::Changed) => {}
                // It may have got memory since the mappings were read.
                Err(_) => self.refresh(),
            }
            self.repeated += 1;
            std::thread::sleep(wait);
            wait *= 2;
            header = Header::read(self.remote, header.layout, header.address)?;
            result = self.once(&header, main);
        }
        let (free, unknown) = match result {
            Ok(free) => (Some(free), None),
            Err(flaw) => (None, Some(flaw.to_string())),
        };
        Ok(Arena {
            address: header.address,
            main,
            locked: header.locked(),
            system_bytes: header.system_bytes(),
            free,
            unknown,
        })
    }

    fn once(&mut self, header: &Header, main: bool) -> Result<Free, Flaw> {
        let free = arena::free(self.remote, &self.map, header, main, self.sizes)?;
        if free.returnable_bytes == 0 || self.locked.is_some() {
            return Ok(free);
        }
        // Only now does it matter.
        let locked = locked(self.process);
        let again = !locked.is_empty();
        self.map.keep(&locked);
        self.locked = Some(locked);
        if again {
            return arena::free(self.remote, &self.map, header, main, self.sizes);
        }
        Ok(free)
    }

    fn has_tried_enough(&self) -> bool {
        self.repeated >= MOST_REPEATED || self.begun.elapsed() >= MOST_TIME
    }

    fn refresh(&mut self) {
        let locked = self.locked.as_deref().unwrap_or_default();
        // A process that has ended shows in the next read.
        self.map.renew(self.process, locked);
    }
}
