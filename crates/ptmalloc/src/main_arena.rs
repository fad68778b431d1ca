//! Finds the main arena in a library, and from it all others, in a process that may be at work.

use std::ops::Range;

use proc_memory::{Process, Stat};

use super::backoff::Backoff;
use super::error::Bound;
use super::error::{Inconsistency, Unreadable};
use super::find;
use super::layout::Layout;
use super::loaded_image::LoadedImage;
use super::malloc_state::MallocState;
use super::map::FreeMap;
use super::memory::{Remote, TargetMemory};

/// Data of one image that is searched for an arena.
const MOST_SEARCHED_BYTES: u64 = 32 << 20;
/// So much of it at a time, and beyond that what begins in it.
const WINDOW_BYTES: u64 = 1 << 16;
const OVERLAP_BYTES: u64 = 4096;
/// What can seem to be a main arena; mostly one does.
const MOST_CANDIDATES: usize = 16;
/// Reads of a ring that changes; a new arena is a rare thing.
const RING_ATTEMPTS: usize = 3;
/// A ring of more arenas is followed once a look.
const LONG_RING: usize = 1024;
/// Looks for arenas that can't be followed, each at what is mapped then.
const ATTEMPTS: usize = 4;

pub(super) enum MainArenaSearch {
    Used(Vec<MallocState>),
    Unused,
    /// Arenas that had changed or in which a thread may have been stopped, to the last look.
    AtWork,
    /// Nothing that resembles arenas, in a process that got memory meanwhile or may have: the arena may
    /// speak of memory that the list of mappings doesn't have yet.
    Changing,
    Nothing,
}

enum CandidateCheck {
    Used(Vec<MallocState>),
    Unused,
    /// What seems to be arenas, but doesn't fit together: all headers that were read.
    Broken(Vec<MallocState>),
    Nothing,
}

type Place = (&'static Layout, u64);

/// Looks into the data of an image; `remembered` is where in it another process had the arena.
pub(super) fn find(
    remote: &mut Remote<'_>,
    process: &Process,
    image: &LoadedImage,
    map: &mut FreeMap,
    remembered: Option<Place>,
) -> Result<MainArenaSearch, Unreadable> {
    let remembered =
        remembered.map(|(layout, offset)| (layout, image.start().wrapping_add(offset)));
    let mut places: Vec<Place> = remembered.into_iter().collect();
    let mut before: Option<Vec<MallocState>> = None;
    let mut outcome = MainArenaSearch::Nothing;
    let mut may_have_grown = false;
    let mut patience = Backoff::new();
    for attempt in 0..ATTEMPTS {
        // One look alone tells nothing of what is at work, however long it took.
        let looks_again = attempt == 0 || patience.wait() || attempt == 1;
        if !looks_again || may_have_grown && !map.renew(process, &[]) {
            break;
        }
        let mut look = look_at(remote, &places, map)?;
        if matches!(look, CandidateCheck::Nothing) {
            (look, places) = search(remote, image, map)?;
        }
        match look {
            CandidateCheck::Unused => return Ok(MainArenaSearch::Unused),
            CandidateCheck::Used(arenas) => return Ok(MainArenaSearch::Used(arenas)),
            CandidateCheck::Broken(seen) => {
                let same = before.as_ref() == Some(&seen);
                let at_work = before.is_some() && !same
                    || seen.iter().any(MallocState::locked)
                    || may_be_at_work(process);
                outcome = match at_work {
                    true => MainArenaSearch::AtWork,
                    false => MainArenaSearch::Nothing,
                };
                if same && !at_work {
                    break;
                }
                // What changed meanwhile explains itself; what didn't may have got memory since.
                may_have_grown = same || before.is_none();
                before = Some(seen);
            }
            CandidateCheck::Nothing => {
                let extent = map.extent();
                let is_there = map.renew(process, &[]);
                let has_grown = map.extent() != extent;
                if !is_there || !has_grown && (attempt > 0 || !may_be_at_work(process)) {
                    return Ok(MainArenaSearch::Nothing);
                }
                outcome = MainArenaSearch::Changing;
                may_have_grown = false;
            }
        }
    }
    Ok(outcome)
}

/// Looks where the main arena has been found before, or what seemed to be one.
fn look_at(
    remote: &mut Remote<'_>,
    places: &[Place],
    map: &FreeMap,
) -> Result<CandidateCheck, Unreadable> {
    let mut headers = Vec::new();
    for (layout, address) in places {
        let header = MallocState::read(remote, layout, *address)?;
        if header.is_unused() {
            return Ok(CandidateCheck::Unused);
        }
        if header.resembles(map) {
            headers.push(header);
        }
    }
    rings(remote, map, headers)
}

fn search(
    remote: &mut Remote<'_>,
    image: &LoadedImage,
    map: &FreeMap,
) -> Result<(CandidateCheck, Vec<Place>), Unreadable> {
    let mut unused = None;
    let mut headers: Vec<MallocState> = Vec::new();
    let mut left = MOST_SEARCHED_BYTES;
    let mut beyond = false;
    let mut bytes = Vec::new();
    for data in &image.data {
        left = left.saturating_sub(data.end - data.start);
        if left == 0 {
            beyond = true;
            break;
        }
        for start in (data.start..data.end).step_by(WINDOW_BYTES as usize) {
            let window = start..data.end.min(start + WINDOW_BYTES + OVERLAP_BYTES);
            resident(remote, window, &mut bytes)?;
            let deadline = remote.deadline();
            for found in find::candidates(&bytes, start, map, || deadline.check()) {
                let found = found?;
                if found.address >= start + WINDOW_BYTES {
                    break;
                }
                headers.push(found);
                if headers.len() > MOST_CANDIDATES {
                    return Err(Bound::Candidates(MOST_CANDIDATES).into());
                }
            }
            unused = unused.or_else(|| find::unused(&bytes, start));
        }
    }
    let places = headers.iter().map(|one| (one.layout, one.address));
    let places = places.collect();
    let look = match (rings(remote, map, headers)?, unused) {
        (CandidateCheck::Nothing, Some(_)) => CandidateCheck::Unused,
        (CandidateCheck::Nothing, None) if beyond => {
            return Err(Bound::Data(MOST_SEARCHED_BYTES).into());
        }
        (look, _) => look,
    };
    Ok((look, places))
}

/// What is in a piece of memory; zeros where nothing is resident, or nothing at all if nothing is.
fn resident(
    remote: &mut Remote<'_>,
    window: Range<u64>,
    bytes: &mut Vec<u8>,
) -> Result<(), Unreadable> {
    let parts = remote.resident(std::slice::from_ref(&window))?;
    bytes.clear();
    if parts.is_empty() {
        return Ok(());
    }
    for part in parts {
        let part = part.start.max(window.start)..part.end.min(window.end);
        if part.is_empty() {
            continue;
        }
        bytes.resize((part.start - window.start) as usize, 0);
        remote.read_one(part, bytes)?;
    }
    bytes.resize((window.end - window.start) as usize, 0);
    Ok(())
}

/// Follows the rings from these headers: one of them has to be right.
fn rings(
    remote: &mut Remote<'_>,
    map: &FreeMap,
    headers: Vec<MallocState>,
) -> Result<CandidateCheck, Unreadable> {
    let mut used = Vec::new();
    let mut broken = Vec::new();
    for main in headers {
        match ring_of(remote, map, main)? {
            Ok(arenas) => used.push(arenas),
            Err(seen) => broken.extend(seen),
        }
        let most = remote.limits().arenas;
        if broken.len() > most {
            return Err(Bound::Arenas(most).into());
        }
        if used.len() > 1 {
            return Ok(CandidateCheck::Nothing);
        }
    }
    Ok(match used.pop() {
        Some(arenas) if used.is_empty() => CandidateCheck::Used(arenas),
        None if !broken.is_empty() => CandidateCheck::Broken(broken),
        _ => CandidateCheck::Nothing,
    })
}

/// All arenas, or all that were read of a ring that can't be followed.
fn ring_of(
    remote: &mut Remote<'_>,
    map: &FreeMap,
    main: MallocState,
) -> Result<Result<Vec<MallocState>, Vec<MallocState>>, Unreadable> {
    let (layout, address) = (main.layout, main.address);
    let mut header = main;
    let mut seen = Vec::new();
    for _ in 0..RING_ATTEMPTS {
        seen.clear();
        match find::ring(remote, map, header, &mut seen) {
            Ok(()) => return Ok(Ok(seen)),
            Err(Inconsistency::Unreadable(error)) if error.is_final() => return Err(error),
            // So many are no matter of a moment, but of time.
            Err(_) if seen.len() > LONG_RING => break,
            Err(_) => header = MallocState::read(remote, layout, address)?,
        }
    }
    Ok(Err(seen))
}

/// Threads that are looked at; more of them take no lock less.
const MOST_THREADS: usize = 1024;

/// Whether any thread is other than asleep: it runs, waits for a CPU or for the disk, or was
/// stopped, and so may be in the middle of malloc. A program with one thread takes no lock, so that
/// nothing else tells it. What can't be read counts as at work.
///
/// # References
/// `proc_pid_stat(5)`
fn may_be_at_work(process: &Process) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{}/task", process.pid())) else {
        return true;
    };
    threads.flatten().take(MOST_THREADS).any(|thread| {
        let stat = std::fs::read(thread.path().join("stat")).unwrap_or_default();
        Stat::parse(&stat).is_none_or(|stat| stat.state != b'S')
    })
}
