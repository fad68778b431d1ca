//! The look at a process while it runs: what trimming it would do, how long it would stand still, and
//! what stands in the way.
//!
//! Of glibc's it is `malloc_trim` that takes the time: it looks at every free chunk, and the kernel takes back
//! every page. The speeds below are those of a virtual machine on which the blocks were freed in no
//! order, so that nothing is in its caches, and a fifth more; mostly it is faster. What else is
//! done meanwhile doesn't grow with the heap.

use std::time::{Duration, Instant};

use human_text::Bytes;
use memory_account::Account;
use proc_memory::{Process, Snapshot, page_size_bytes};
use ptmalloc::{Examination, HeapState};

use super::allocators;
use super::library::TrimLibrary;
use super::program::ProgramIdentity;
use super::refusal::Refusal;
use super::report::{TrimOutcome, TrimReport};
use super::status::Trimmability;
use super::tools::Tools;
use super::words;
use crate::cli::TrimArguments;

/// To stop all threads, to look where they are, and to let them go.
const ONCE: Duration = Duration::from_millis(2);
const A_THREAD: Duration = Duration::from_micros(100);
/// For each free chunk: malloc reads its size, on a page of its own in the worst case, and puts one of
/// a fast bin together with its neighbours. In order it is 20 ns, in no order up to 380.
const A_CHUNK: Duration = Duration::from_nanos(450);
/// For each run of whole pages, a system call (madvise) for pages that no processor has near.
const A_RUN: Duration = Duration::from_nanos(4000);
/// For each page that the kernel takes back.
const A_PAGE: Duration = Duration::from_nanos(700);

/// What glibc's malloc keeps beside another, or others share, is told from here on.
pub(super) const WORTH_A_WORD_BYTES: u64 = 1 << 20;

/// How long it would stand still, with a processor to spare; what isn't known of malloc's state isn't in it.
pub(super) fn foretold(malloc: &HeapState, threads: u64) -> Duration {
    let chunks: u64 = malloc.arenas.iter().filter_map(|arena| Some(arena.free?.chunks)).sum();
    let pages = malloc.returnable_bytes.unwrap_or(0) / page_size_bytes();
    // A free chunk has one run of whole pages, if any; so has a top.
    let runs = pages.min(chunks + malloc.arenas.len() as u64);
    let times = |each: Duration, count: u64| {
        let nanoseconds = each.as_nanos() as u64;
        Duration::from_nanos(nanoseconds.saturating_mul(count))
    };
    ONCE + times(A_THREAD, threads)
        + times(A_CHUNK, chunks)
        + times(A_RUN, runs)
        + times(A_PAGE, pages)
}

/// A process that has been looked at while it ran.
pub(super) struct TrimLook {
    pub(super) report: TrimReport,
    /// What it ran before all else was looked at.
    pub(super) program: anyhow::Result<ProgramIdentity>,
    pub(super) examination: Examination,
    pub(super) when: Instant,
    /// Why a real trim would be refused now.
    pub(super) refusal: Option<Refusal>,
    pub(super) is_filtered: bool,
    pub(super) threads: u64,
    /// Written to swap, which no prediction has.
    swap_bytes: u64,
}

/// Looks at it. What it is called and what it has is set in the report; so is, where nothing can be
/// done, the reason.
pub(super) fn look(
    mut report: TrimReport,
    process: &Process,
    tools: &mut Tools,
) -> Result<TrimLook, Box<TrimReport>> {
    let pid = process.pid();
    let refused =
        |report: TrimReport, why: String| Err(Box::new(report.ended(TrimOutcome::Refused, why)));
    let status = match Trimmability::of(pid) {
        Ok(status) => status,
        Err(error) => return refused(report, format!("can't read /proc/{pid}/status: {error}")),
    };
    report.comm = Some(status.comm());
    if let Some(why) = status.hopeless() {
        return refused(report, why);
    }
    let before = match Snapshot::of(pid) {
        Ok(before) => before,
        Err(error) => return refused(report, error.to_string()),
    };
    let program = ProgramIdentity::of(process);
    let (when, examination) = (Instant::now(), tools.examiner.examine(process));
    report.allocator = examination.allocator.as_ref().map(ToString::to_string);
    report.rss_before_bytes = Some(before.rss_bytes);
    report.private_before_bytes = Some(before.private_bytes);
    let offer = match &examination.allocator {
        None => &allocators::GLIBC,
        Some(allocator) => match allocators::offer(allocator) {
            Some(offer) => offer,
            None => return refused(report, words::no_offer(allocator)),
        },
    };
    report.called = Some(offer.called);
    let threads = process.stat().map_or(1, |stat| stat.threads);
    report.predicted_bytes = None;
    report.predicted_held_seconds = None;
    if offer.is_anothers() {
        report.predicted_bytes = returnable(process, &examination);
        report.foretells_pages(threads);
        let beside = examination.state.as_ref().ok().and_then(|malloc| malloc.returnable_bytes);
        if let Some(bytes) = beside.filter(|bytes| *bytes >= WORTH_A_WORD_BYTES) {
            let note = words::beside(bytes);
            report.notes.retain(|known| *known != note);
            report.notes.push(note);
        }
    } else if let Ok(malloc) = &examination.state {
        report.predicted_bytes = malloc.returnable_bytes;
        report.malloc_before = Some(malloc.clone());
        report.foretells(malloc, threads);
    }
    Ok(TrimLook {
        report,
        program,
        refusal: status.refusal(),
        is_filtered: status.is_filtered(),
        examination,
        when,
        threads,
        swap_bytes: before.swap_bytes,
    })
}

/// What an allocator other than glibc's would give back, where its records tell.
pub(super) fn returnable(process: &Process, examination: &Examination) -> Option<u64> {
    // Another one's records may be there as well.
    let name = examination.allocator.as_ref()?.to_string();
    Account::of(process, examination).ok()?.of_allocator(&name)?.returnable_bytes
}

impl TrimReport {
    /// Takes down how long it would stand still by what is predicted to be given back.
    pub(super) fn foretells_pages(&mut self, threads: u64) -> Option<Duration> {
        let mut malloc = HeapState::default();
        malloc.returnable_bytes = self.predicted_bytes;
        self.foretells(&malloc, threads)
    }

    /// Takes down how long it would stand still.
    pub(super) fn foretells(&mut self, malloc: &HeapState, threads: u64) -> Option<Duration> {
        let is_known = malloc.returnable_bytes.is_some();
        let time = is_known.then(|| foretold(malloc, threads));
        self.predicted_held_seconds = time.map(|time| time.as_secs_f64());
        time
    }
}

impl TrimLook {
    /// What `--dry-run` tells.
    pub(super) fn predicted(
        self,
        process: &Process,
        tools: &mut Tools,
        arguments: &TrimArguments,
    ) -> TrimReport {
        let mut report = self.report;
        let allocator = self.examination.allocator.as_ref();
        let is_glibcs = report.called == Some(allocators::GLIBC.called);
        if let (true, Err(unknown)) = (is_glibcs, &self.examination.state) {
            return report.ended(TrimOutcome::Refused, unknown.to_string());
        }
        if let Err(why) = TrimLibrary::of(process, &mut tools.stacks, allocator) {
            return report.ended(TrimOutcome::Refused, format!("{why:#}"));
        }
        let foretold = match self.examination.state {
            Ok(malloc) if is_glibcs => match report.foretells(&malloc, self.threads) {
                None => return report.ended(TrimOutcome::Refused, words::flaw(&malloc)),
                foretold => foretold,
            },
            _ => report.foretells_pages(self.threads),
        };
        report.outcome = TrimOutcome::Predicted;
        let (pid, max_hold) = (report.pid, arguments.max_hold);
        let shared = report.shared_bytes();
        if shared >= WORTH_A_WORD_BYTES {
            report.notes.push(format!(
                "at least {} of it are pages that another process has as well, as parent and child have \
                 after a fork: the machine gets them back once each has given them back",
                Bytes(shared)
            ));
        }
        if self.swap_bytes >= WORTH_A_WORD_BYTES {
            report.notes.push(format!(
                "{} of the process are in swap: what of them is free would be given back as well, and \
                 isn't counted here",
                Bytes(self.swap_bytes)
            ));
        }
        let too_long = foretold.filter(|foretold| *foretold > max_hold);
        let too_long = too_long.map(|foretold| words::too_long(pid, foretold, max_hold));
        let filtered = self.is_filtered && !arguments.allow_seccomp;
        let filtered = filtered.then(words::seccomp);
        for why in self.refusal.into_iter().chain(filtered).chain(too_long) {
            let note = format!("without --dry-run it would be refused now: {why}");
            report.notes.push(note);
        }
        report.notes.push(match foretold {
            Some(foretold) => format!(
                "dry run: it was neither stopped nor changed; it would stand still for about {}, \
                 longer on a busy machine",
                words::seconds(foretold)
            ),
            None => words::not_foretold(allocator, max_hold),
        });
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ptmalloc::Examiner;

    #[test]
    fn it_grows_with_chunks_pages_and_threads() {
        let process = Process::open(std::process::id() as i32).unwrap();
        let Ok(mut malloc) = Examiner::new().examine(&process).state else {
            return;
        };
        malloc.arenas.truncate(1);
        let mut hold_with = |chunks, mib: u64, threads| {
            for arena in &mut malloc.arenas {
                arena.free.get_or_insert_default().chunks = chunks;
            }
            malloc.returnable_bytes = Some(mib << 20);
            foretold(&malloc, threads)
        };
        let nothing = hold_with(0, 0, 1);
        assert!(nothing < Duration::from_millis(5), "{nothing:?}");
        assert!(hold_with(1_000_000, 0, 1) > nothing + Duration::from_millis(100));
        assert!(hold_with(0, 1 << 10, 1) > nothing + Duration::from_millis(50));
        assert!(hold_with(0, 0, 101) > nothing + Duration::from_millis(5));
        assert!(hold_with(u64::MAX >> 1, u64::MAX >> 20, u64::MAX) > Duration::from_secs(3600));
    }
}
