//! Looks into one process after the other.

use std::time::Instant;

use proc_memory::{
    BreakState, Mappings, MapsError, Process, ProcessError, Reason, Stat, of_one_program,
};

use super::allocator::Allocator;
use super::chunk::LinkProtection;
use super::dso::{DsoCache, Left};
use super::error::Bound;
use super::error::{Unknown, Unreadable};
use super::heap_state::Examination;
use super::limits::{Deadline, ExaminationLimits, Lists};
use super::loaded_image::{LoadedImage, images};
use super::main_arena::MainArenaSearch;
use super::map::FreeMap;
use super::memory::Remote;
use super::{allocator, arena_sampler, given_up, link_map, main_arena};

/// Addresses that a 32-bit process can have end here.
const THIRTY_TWO_BITS: u64 = 1 << 32;

/// Looks into processes; remembers what is worth remembering of a library, so that the next process
/// that has it mapped costs less.
#[derive(Debug, Default)]
pub struct Examiner {
    files: DsoCache,
    limits: ExaminationLimits,
}

impl Examiner {
    /// One that remembers nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Has each process cost no more than this from now on; [`ExaminationLimits::WHOLE`] if nothing is said.
    pub fn limit(&mut self, limits: ExaminationLimits) {
        self.limits = limits;
    }

    /// Looks into a process's malloc.
    ///
    /// Nothing is done to the process: its memory is read, by [`ProcessMemory`](proc_memory::ProcessMemory).
    /// See the [module](super) for what a figure means that comes out.
    pub fn examine(&mut self, process: &Process) -> Examination {
        self.lists_of(process, Lists::Followed { until: None })
    }

    /// The same, but gives up when this moment has come: what is left to read then is unknown. For
    /// a process that is kept waiting meanwhile.
    pub fn examine_until(&mut self, process: &Process, until: Instant) -> Examination {
        self.lists_of(process, Lists::Followed { until: Some(until) })
    }

    /// Looks at a process's arenas and their locks, and follows no list of free chunks: it costs the
    /// same however many there are, and what is free is unknown.
    pub fn glance(&mut self, process: &Process) -> Examination {
        self.lists_of(process, Lists::Left)
    }

    fn lists_of(&mut self, process: &Process, lists: Lists) -> Examination {
        let looked = of_one_program(process, None, |mut mappings, stat| {
            let found = mappings.program_break(stat.start_brk());
            let found = found.map_err(|error| error.of(process))?;
            Ok(self.among(process, mappings, stat, found.map(|heap| heap.end), lists))
        });
        looked.unwrap_or_else(|error| Examination::unknown(unknown(&error)))
    }

    /// Looks at a process's break and into its malloc, which costs less than each by itself. `stat`
    /// is what [`Process::stat`] told a moment ago.
    ///
    /// # Errors
    /// Those of [`BreakState::of`].
    pub fn look(
        &mut self,
        process: &Process,
        stat: Stat,
    ) -> Result<(BreakState, Examination), ProcessError> {
        of_one_program(process, Some(stat), |mut mappings, stat| {
            let mut heap = BreakState::among(process, &mut mappings, stat)?;
            let lists = Lists::Followed { until: None };
            let examination = self.among(process, mappings, stat, Some(heap.end), lists);
            let state = examination.state.as_ref();
            if state.is_ok_and(|state| state.non_contiguous)
                && !heap.blocked
                && let mut remote = Remote::new(process, Deadline::new(self.limits, None))
                && let Ok(Some(end)) = given_up::true_break(&mut remote, &(heap.start..heap.end))
            {
                heap.is_merged_from(end);
            }
            Ok((heap, examination))
        })
    }

    fn among(
        &mut self,
        process: &Process,
        mut mappings: Mappings,
        stat: &Stat,
        break_end: Option<u64>,
        lists: Lists,
    ) -> Examination {
        if !cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
            return Examination::unknown(Unknown::Architecture);
        }
        let mapped = |error: MapsError| {
            let error = error.of(process);
            Examination::unknown(Unknown::Process(error.to_string()))
        };
        match mappings.memory(THIRTY_TWO_BITS) {
            Ok(Some(above)) if above.range.start < 1 << 63 => {}
            Ok(_) => return Examination::unknown(Unknown::ThirtyTwoBit),
            Err(error) => return mapped(error),
        }
        let images = match images(&mut mappings) {
            Ok(images) => images,
            Err(error) => return mapped(error),
        };
        let map = FreeMap::of(mappings, stat, break_end);
        let examination = self.inside(process, &images, map, lists);
        examination.unwrap_or_else(|error| Examination::unknown(Unknown::of_memory(process, error)))
    }

    fn inside(
        &mut self,
        process: &Process,
        images: &[LoadedImage],
        mut map: FreeMap,
        lists: Lists,
    ) -> Result<Examination, Unreadable> {
        let deadline = Deadline::new(self.limits, lists.until());
        let mut remote = Remote::new(process, deadline);
        let mut others = allocator::libraries(images);
        let mut left = Left::all(deadline);
        // Whose malloc is called where glibc's is used beside it.
        let mut called = None;
        if !others.is_empty() {
            let before_glibc = link_map::in_load_order(process, &mut remote, &mut others)?;
            for other in &others[..before_glibc] {
                let is_it = |image: &&LoadedImage| {
                    Allocator::of_library(image.name()).as_ref() == Some(other)
                };
                if let Some(image) = images.iter().find(is_it)
                    && !self.files.of(process, image, &mut left)?.is_prefixed
                {
                    called = Some(other.clone());
                    break;
                }
            }
            others.sort_by_key(|other| Some(other) != called.as_ref());
        }
        // The program is mapped below its libraries.
        for image in images.first().into_iter().chain(musl(images)) {
            let known = self.files.of(process, image, &mut left)?;
            for allocator in &known.allocators {
                if !others.contains(allocator) {
                    others.push(allocator.clone());
                }
            }
        }
        let glibc: Vec<&LoadedImage> =
            images.iter().filter(|image| allocator::is_glibc(image.name())).collect();
        let (image, version, is_static, found) = match glibc[..] {
            [] => match self.find_static(&mut remote, process, images, &mut map, &others) {
                Some((image, Ok(found))) => (image, None, true, Ok(found)),
                // Whether glibc is in it isn't known either.
                Some((_, Err(error))) => {
                    let state = Err(Unknown::of_memory(process, error));
                    return Ok(Examination::of(others, state));
                }
                None => {
                    let state = Err(other_or(&others, Unknown::NotFound));
                    return Ok(Examination::of(others, state));
                }
            },
            [image] => {
                let version = self.files.of(process, image, &mut left)?.version.clone();
                let found = self.find(&mut remote, process, image, &mut map);
                (image, version, false, found)
            }
            _ => return Ok(Examination::of(others, Err(Unknown::Several(glibc.len())))),
        };
        let allocator = Allocator::Glibc { version, is_static };
        let links = LinkProtection::of(allocator.glibc_version());
        let state = match found {
            // Since 2.43 it is set up before it is used.
            Ok(MainArenaSearch::Used(arenas)) if arenas.len() > 1 || !arenas[0].has_no_memory() => {
                arena_sampler::state(&mut remote, process, arenas, map, links, lists)
            }
            Ok(MainArenaSearch::Used(_) | MainArenaSearch::Unused) => {
                Err(other_or(&others, Unknown::NotUsed))
            }
            Ok(MainArenaSearch::AtWork | MainArenaSearch::Changing) => {
                Err(Unknown::AtWork(allocator.clone()))
            }
            Ok(MainArenaSearch::Nothing) => Err(Unknown::Form(allocator.clone())),
            Err(error) => Err(Unknown::of_memory(process, error)),
        };
        let library = image.path.clone();
        Ok(Examination::glibc(allocator, called, others, state, library))
    }

    /// A program without libraries may have glibc in itself.
    fn find_static<'i>(
        &mut self,
        remote: &mut Remote<'_>,
        process: &Process,
        images: &'i [LoadedImage],
        map: &mut FreeMap,
        others: &[Allocator],
    ) -> Option<(&'i LoadedImage, Result<MainArenaSearch, Unreadable>)> {
        let image = images.first()?;
        let is_other = !others.is_empty() && others != [Allocator::Go];
        if is_other || images.len() > 1 {
            return None;
        }
        match self.find(remote, process, image, map) {
            Ok(MainArenaSearch::Nothing | MainArenaSearch::Changing) => None,
            // What is known of it explains itself.
            Err(Unreadable::Beyond(Bound::Data(_))) if !others.is_empty() => None,
            found => Some((image, found)),
        }
    }

    /// Looks where other processes have it first, and remembers where this one does.
    fn find(
        &mut self,
        remote: &mut Remote<'_>,
        process: &Process,
        image: &LoadedImage,
        map: &mut FreeMap,
    ) -> Result<MainArenaSearch, Unreadable> {
        let known = self.files.at(image);
        let found = main_arena::find(remote, process, image, map, known.arena)?;
        if let MainArenaSearch::Used(arenas) = &found {
            let main = &arenas[0];
            known.arena = Some((main.layout, main.address.wrapping_sub(image.start())));
        }
        Ok(found)
    }
}

/// That another allocator is used, if there is one.
fn other_or(others: &[Allocator], unknown: Unknown) -> Unknown {
    others.first().cloned().map_or(unknown, Unknown::Other)
}

/// musl's library is both loader and libc, and called by either name.
fn musl(images: &[LoadedImage]) -> impl Iterator<Item = &LoadedImage> {
    images.iter().skip(1).filter(|image| image.name() == b"libc.so")
}

fn unknown(error: &ProcessError) -> Unknown {
    match error.reason {
        Reason::KeepsChanging => Unknown::Exec,
        _ => Unknown::Process(error.to_string()),
    }
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
        assert!(version.as_deref().is_some_and(|version| version.starts_with("2.")));
        let state = first.state.unwrap();
        assert!(state.arenas[0].main && state.arenas[0].system_bytes > 0, "{state:?}");
        let (_, second) = examiner.look(&process, process.stat().unwrap()).unwrap();
        let second = second.state.unwrap();
        assert_eq!(second.arenas[0].address, state.arenas[0].address);
    }
}
