//! Finds the main arena in a library, and from it all others, in a process that may be at work.

use super::find;
use super::flaw::Flaw;
use super::header::Header;
use super::image::Image;
use super::layout::Layout;
use super::map::Map;
use super::memory::{Memory, Unreadable};
use super::patience::Patience;
use super::remote::Remote;
use super::ring;
use super::work;
use crate::process::Process;

/// Data of one image that is searched for an arena.
const MOST_SEARCHED_BYTES: u64 = 32 << 20;
/// Reads of a ring that changes; a new arena is a rare thing.
const RING_ATTEMPTS: usize = 3;
/// A ring of more arenas is followed once a look.
const LONG_RING: usize = 1024;
/// Looks for arenas that can't be followed, each at what is mapped then.
const ATTEMPTS: usize = 4;

/// What was found of glibc's malloc.
pub(super) enum Found {
    Used(Vec<Header>),
    Unused,
    /// Arenas that changed, or in which a thread may have been stopped, in each look.
    AtWork,
    Nothing,
}

/// What one look found.
enum Look {
    Used(Vec<Header>),
    Unused,
    /// What seems to be arenas, but doesn't fit together: all headers that were read.
    Broken(Vec<Header>),
    Nothing,
}

type Place = (&'static Layout, u64);

/// Looks into the data of an image; `remembered` is where in it another process had the arena.
pub(super) fn find(
    remote: &mut Remote<'_>,
    process: &Process,
    image: &Image,
    map: &mut Map,
    remembered: Option<Place>,
) -> Result<Found, Unreadable> {
    let remembered =
        remembered.map(|(layout, offset)| (layout, image.start().wrapping_add(offset)));
    let mut places: Vec<Place> = remembered.into_iter().collect();
    let mut before: Option<Vec<Header>> = None;
    let mut at_work = false;
    let mut may_have_grown = false;
    let mut patience = Patience::new();
    for attempt in 0..ATTEMPTS {
        if attempt > 0 && !patience.wait() || may_have_grown && !map.renew(process, &[]) {
            break;
        }
        let mut look = look_at(remote, &places, map)?;
        if matches!(look, Look::Nothing) {
            (look, places) = search(remote, image, map)?;
        }
        match look {
            Look::Unused => return Ok(Found::Unused),
            Look::Used(arenas) => return Ok(Found::Used(arenas)),
            Look::Broken(seen) => {
                let same = before.as_ref() == Some(&seen);
                if same && !at_work && !work::is_possible(process) {
                    break;
                }
                // What changed meanwhile explains itself; what didn't may have got memory since.
                may_have_grown = same || before.is_none();
                at_work |= seen.iter().any(Header::locked)
                    || before.as_ref().is_some_and(|before| *before != seen)
                    || work::is_possible(process);
                before = Some(seen);
            }
            Look::Nothing => may_have_grown = true,
        }
    }
    Ok(match at_work {
        true => Found::AtWork,
        false => Found::Nothing,
    })
}

/// Looks where the main arena has been found before, or what seemed to be one.
fn look_at(remote: &mut Remote<'_>, places: &[Place], map: &Map) -> Result<Look, Unreadable> {
    let mut headers = Vec::new();
    for (layout, address) in places {
        let header = Header::read(remote, layout, *address)?;
        if header.is_unused() {
            return Ok(Look::Unused);
        }
        if header.resembles(map) {
            headers.push(header);
        }
    }
    rings(remote, map, headers)
}

fn search(
    remote: &mut Remote<'_>,
    image: &Image,
    map: &Map,
) -> Result<(Look, Vec<Place>), Unreadable> {
    let mut unused = None;
    let mut headers = Vec::new();
    for data in &image.data {
        if data.end - data.start > MOST_SEARCHED_BYTES {
            continue;
        }
        let mut resident = Vec::new();
        let page = data.start..data.end;
        remote
            .resident()?
            .each(std::slice::from_ref(&page), |part| resident.push(part))?;
        let mut bytes = vec![0; (data.end - data.start) as usize];
        for part in resident {
            let mut piece = Vec::new();
            remote.read(std::slice::from_ref(&part), &mut piece)?;
            let at = (part.start - data.start) as usize;
            if let Some(place) = bytes.get_mut(at..at + piece.len()) {
                place.copy_from_slice(&piece);
            }
        }
        headers.extend(find::candidates(&bytes, data.start, map));
        unused = unused.or_else(|| find::unused(&bytes, data.start));
    }
    let places = headers.iter().map(|one| (one.layout, one.address));
    let places = places.collect();
    let look = match (rings(remote, map, headers)?, unused) {
        (Look::Nothing, Some(_)) => Look::Unused,
        (look, _) => look,
    };
    Ok((look, places))
}

/// Follows the rings from these headers: one of them has to be right.
fn rings(remote: &mut Remote<'_>, map: &Map, headers: Vec<Header>) -> Result<Look, Unreadable> {
    let mut used = Vec::new();
    let mut broken = Vec::new();
    for main in headers {
        match ring_of(remote, map, main)? {
            Ok(arenas) => used.push(arenas),
            Err(seen) => broken.extend(seen),
        }
    }
    Ok(match used.pop() {
        Some(arenas) if used.is_empty() => Look::Used(arenas),
        None if !broken.is_empty() => Look::Broken(broken),
        _ => Look::Nothing,
    })
}

/// All arenas, or all that were read of a ring that can't be followed.
fn ring_of(
    remote: &mut Remote<'_>,
    map: &Map,
    main: Header,
) -> Result<Result<Vec<Header>, Vec<Header>>, Unreadable> {
    let (layout, address) = (main.layout, main.address);
    let mut header = main;
    let mut seen = Vec::new();
    for _ in 0..RING_ATTEMPTS {
        seen.clear();
        match ring::arenas(remote, map, header, &mut seen) {
            Ok(()) => return Ok(Ok(seen)),
            Err(Flaw::Unreadable(error @ (Unreadable::Gone | Unreadable::Denied))) => {
                return Err(error);
            }
            // So many are no matter of a moment, but of time.
            Err(_) if seen.len() > LONG_RING => break,
            Err(_) => header = Header::read(remote, layout, address)?,
        }
    }
    Ok(Err(seen))
}
