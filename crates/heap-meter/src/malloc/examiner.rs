//! Looks into one process after the other.

use std::collections::HashMap;

use super::allocator::Allocator;
use super::examination::{Examination, Library};
use super::file;
use super::find;
use super::flaw::Flaw;
use super::header::Header;
use super::image::{Image, images};
use super::layout::Layout;
use super::map::Map;
use super::memory::{Memory, Unreadable};
use super::recognise;
use super::remote::Remote;
use super::retry;
use super::ring;
use super::unknown::Unknown;
use super::work;
use crate::address_space::AddressSpace;
use crate::process::Process;

/// Files that are remembered at most.
const MOST_FILES: usize = 10_000;
/// Data of one image that is searched for an arena.
const MOST_SEARCHED_BYTES: u64 = 32 << 20;
/// Addresses that a 32-bit process can have end here.
const THIRTY_TWO_BITS: u64 = 1 << 32;
/// Reads of a ring that changes; a new arena is a rare thing.
const RING_ATTEMPTS: usize = 3;
/// A ring of more arenas is followed once a look.
const LONG_RING: usize = 1024;
/// Looks for arenas that can't be followed, each with a new list of mappings.
const ATTEMPTS: usize = 4;

/// Looks into processes; remembers what is worth remembering of a library, so that the next process
/// that has it mapped costs less.
#[derive(Debug, Default)]
pub struct Examiner {
    files: HashMap<(u32, u32, u64), Known>,
}

/// What is remembered of a file.
#[derive(Clone, Debug, Default)]
struct Known {
    version: Option<String>,
    /// Allocators that it has in itself.
    allocators: Vec<Allocator>,
    /// Where the main arena is, from the beginning of the image.
    arena: Option<(&'static Layout, u64)>,
}

impl Examiner {
    /// One that remembers nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks into a process.
    ///
    /// Nothing is done to it: its memory is read, through `process_vm_readv` and `/proc`. See the
    /// [module](super) for what a figure means that comes out.
    pub fn examine(&mut self, process: &Process) -> Examination {
        match AddressSpace::of_process(process) {
            Ok(space) => self.examine_with(process, &space),
            Err(error) => Examination::unknown(Unknown::Process(error.to_string())),
        }
    }

    /// As [`examine`](Self::examine), with a list of its mappings that was read a moment ago.
    pub fn examine_with(&mut self, process: &Process, space: &AddressSpace) -> Examination {
        if !cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
            return Examination::unknown(Unknown::Architecture);
        }
        let mut buffer = Vec::new();
        let before = match process.stat(&mut buffer) {
            Ok(stat) => stat,
            Err(error) => return Examination::unknown(Unknown::Process(error.to_string())),
        };
        // The list is that of another program if the heap starts elsewhere now.
        let start = space.program_break().map(|heap| heap.start);
        if start.is_some() && before.start_brk().is_some_and(|now| Some(now) != start) {
            return Examination::unknown(Unknown::Exec);
        }
        let user = |start: &u64| *start < 1 << 63;
        let mut starts = space.mappings().iter().map(|mapping| mapping.start);
        if starts.rfind(user).is_none_or(|last| last < THIRTY_TWO_BITS) {
            return Examination::unknown(Unknown::ThirtyTwoBit);
        }
        let mut examination = self.look(process, space);
        match process.stat(&mut buffer) {
            Ok(after) if after.has_ended() => {
                let gone = process.explain("mem", nix::errno::Errno::ESRCH.into());
                examination.state = Err(Unknown::Process(gone.to_string()));
            }
            Ok(after) if after.image != before.image => examination.state = Err(Unknown::Exec),
            Ok(_) => {}
            Err(error) => examination.state = Err(Unknown::Process(error.to_string())),
        }
        examination
    }

    fn look(&mut self, process: &Process, space: &AddressSpace) -> Examination {
        let images = images(space);
        let mut others = recognise::libraries(&images);
        // The program is mapped below its libraries.
        for image in images.first().into_iter().chain(musl(&images)) {
            for allocator in self.known(process, image).allocators.clone() {
                if !others.contains(&allocator) {
                    others.push(allocator);
                }
            }
        }
        let mut map = Map::of(space);
        let mut remote = Remote::new(process);
        let glibc: Vec<&Image> = images
            .iter()
            .filter(|image| recognise::is_glibc(image.name()))
            .collect();
        let (image, allocator, found) = match glibc[..] {
            [] => {
                let Some((image, found)) =
                    self.find_static(&mut remote, process, &images, &mut map, &others)
                else {
                    let state = Err(match others.first() {
                        Some(other) => Unknown::Other(other.clone()),
                        None => Unknown::NotFound,
                    });
                    return Examination::of(others, state);
                };
                let version = None;
                let is_static = true;
                (image, Allocator::Glibc { version, is_static }, found)
            }
            [image] => {
                let version = self.known(process, image).version.clone();
                let is_static = false;
                let found = self.find(&mut remote, process, image, &mut map);
                (image, Allocator::Glibc { version, is_static }, found)
            }
            _ => {
                let state = Err(Unknown::Several(glibc.len()));
                return Examination::of(others, state);
            }
        };
        let state = match found {
            // Since 2.43 it is set up before it is used.
            Ok(Found::Used(arenas)) if arenas.len() > 1 || !arenas[0].has_no_memory() => {
                retry::state(&mut remote, process, arenas, map)
            }
            Ok(Found::Used(_) | Found::Unused) => match others.first() {
                Some(other) => Err(Unknown::Other(other.clone())),
                None => Err(Unknown::NotUsed),
            },
            Ok(Found::AtWork) => Err(Unknown::AtWork(allocator.clone())),
            Ok(Found::Nothing) => Err(Unknown::Form(allocator.clone())),
            Err(error) => Err(unreadable(process, error)),
        };
        Examination::glibc(allocator, others, state, Library::of(image))
    }

    /// What is known of a file, which is read the first time.
    fn known(&mut self, process: &Process, image: &Image) -> &mut Known {
        if self.files.len() >= MOST_FILES {
            self.files.clear();
        }
        let key = (image.device.major, image.device.minor, image.inode);
        self.files.entry(key).or_insert_with(|| {
            file::read(process, image).map_or_else(Known::default, |bytes| {
                if recognise::is_glibc(image.name()) {
                    Known {
                        version: file::glibc_version(&bytes),
                        ..Known::default()
                    }
                } else {
                    Known {
                        allocators: recognise::by_words(&bytes),
                        ..Known::default()
                    }
                }
            })
        })
    }

    /// A program without libraries may have glibc in itself.
    fn find_static<'i>(
        &mut self,
        remote: &mut Remote<'_>,
        process: &Process,
        images: &'i [Image],
        map: &mut Map,
        others: &[Allocator],
    ) -> Option<(&'i Image, Result<Found, Unreadable>)> {
        let image = images.first()?;
        let is_other = !others.is_empty() && others != [Allocator::Go];
        if is_other || images.len() > 1 {
            return None;
        }
        match self.find(remote, process, image, map) {
            Ok(Found::Nothing) => None,
            found => Some((image, found)),
        }
    }

    fn find(
        &mut self,
        remote: &mut Remote<'_>,
        process: &Process,
        image: &Image,
        map: &mut Map,
    ) -> Result<Found, Unreadable> {
        let key = (image.device.major, image.device.minor, image.inode);
        let mut places: Vec<Place> = Vec::new();
        if let Some((layout, offset)) = self.files.get(&key).and_then(|known| known.arena) {
            places.push((layout, image.start.wrapping_add(offset)));
        }
        let mut before: Option<Vec<Header>> = None;
        let mut at_work = false;
        let mut wait = retry::FIRST_WAIT;
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                std::thread::sleep(wait);
                wait *= 2;
                // An arena may have got memory since the mappings were read.
                let Ok(space) = AddressSpace::of_process(process) else {
                    break;
                };
                *map = Map::of(&space);
            }
            let mut look = look_at(remote, &places, map)?;
            if matches!(look, Look::Nothing) {
                (look, places) = search(remote, image, map)?;
            }
            match look {
                Look::Unused => return Ok(Found::Unused),
                Look::Used(arenas) => {
                    let place = (
                        arenas[0].layout,
                        arenas[0].address.wrapping_sub(image.start),
                    );
                    if let Some(known) = self.files.get_mut(&key) {
                        known.arena = Some(place);
                    }
                    return Ok(Found::Used(arenas));
                }
                Look::Broken(seen) => {
                    if !at_work && before.as_ref() == Some(&seen) && !work::is_possible(process) {
                        break;
                    }
                    at_work |= seen.iter().any(Header::locked)
                        || before.as_ref().is_some_and(|before| *before != seen)
                        || work::is_possible(process);
                    before = Some(seen);
                }
                Look::Nothing => {}
            }
        }
        Ok(match at_work {
            true => Found::AtWork,
            false => Found::Nothing,
        })
    }
}

/// What was found of glibc's malloc.
enum Found {
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

/// musl's library is both loader and libc, and called by either name.
fn musl(images: &[Image]) -> impl Iterator<Item = &Image> {
    images
        .iter()
        .skip(1)
        .filter(|image| image.name() == b"libc.so")
}

/// Says why memory couldn't be read, with what helps.
pub(super) fn unreadable(process: &Process, error: Unreadable) -> Unknown {
    let errno = match error {
        Unreadable::Denied => nix::errno::Errno::EPERM,
        Unreadable::Gone => nix::errno::Errno::ESRCH,
        Unreadable::NotMapped => nix::errno::Errno::EFAULT,
        Unreadable::Kernel(errno) => errno,
    };
    Unknown::Process(process.explain("mem", errno.into()).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_understood() {
        let process = Process::open(std::process::id() as i32).unwrap();
        let mut examiner = Examiner::new();
        let first = examiner.examine(&process);
        let Some(Allocator::Glibc { version, .. }) = &first.allocator else {
            // A test that runs with another libc has nothing to see here.
            return;
        };
        assert!(
            version
                .as_deref()
                .is_some_and(|version| version.starts_with("2."))
        );
        let state = first.state.unwrap();
        assert!(
            state.arenas[0].main && state.arenas[0].system_bytes > 0,
            "{state:?}"
        );
        assert!(examiner.files.values().any(|known| known.arena.is_some()));
        let second = examiner.examine(&process).state.unwrap();
        assert_eq!(second.arenas[0].address, state.arenas[0].address);
    }
}
