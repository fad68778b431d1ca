//! A look into one process.

use heap_diagnosis::{Finding, process_findings};
use memory_account::{Account, Row};
use proc_memory::{Process, ProcessError, Reason, Snapshot, Stat, Weigher, page_size_bytes};
use proc_unwind::Stacks;
use ptmalloc::{Allocator, Examination, ExaminationLimits, Examiner, Unknown};

use super::inspected::{Inspected, MemoryWeight, UnreadProcess, Why};
use crate::{remedy, trim};

/// Looks into processes, one after the other; what is worth knowing of a library is kept from one to
/// the next.
#[derive(Default)]
pub(crate) struct Looker {
    examiner: Examiner,
    stacks: Stacks,
}

impl Looker {
    /// Has each process cost no more than this from now on.
    pub(super) fn limit(&mut self, limits: ExaminationLimits) {
        self.examiner.limit(limits);
    }

    /// Looks into a process that was named, and weighs it exactly.
    pub(super) fn at(&mut self, weigher: &mut Weigher) -> Result<Inspected, UnreadProcess> {
        let stat = weigher.process().stat().map_err(|error| unread(&error))?;
        let weight = match weigher.weigh() {
            Ok(snapshot) => exact(&snapshot),
            // The kernel has no exact figures: the others are had all the same.
            Err(error) if matches!(error.reason, Reason::NotInKernel) => quick(&stat),
            Err(error) => return Err(unread(&error)),
        };
        self.inside(weigher.process(), stat, weight, true).map_err(|error| unread(&error))
    }

    /// Looks into one of many, and weighs it as cheaply as can be.
    pub(super) fn at_one_of_many(
        &mut self,
        process: &Process,
        stat: Stat,
    ) -> Result<Inspected, UnreadProcess> {
        let weight = quick(&stat);
        self.inside(process, stat, weight, false).map_err(|error| unread(&error))
    }

    /// Finds out whose memory one of many has, and what an allocator other than glibc's would give back;
    /// not if it has ended.
    pub(super) fn account(&mut self, found: &mut Inspected) {
        let is_it = |process: &Process| {
            process.stat().is_ok_and(|stat| stat.started_ticks == found.started_ticks)
        };
        let Some(process) = Process::open(found.pid).ok().filter(is_it) else {
            return;
        };
        let examination = self.examiner.examine(&process);
        match Account::of(&process, &examination) {
            Ok(account) => found.account = Some(account),
            Err(error) => found.account_unknown = Some(error.to_string()),
        }
        if found.is_glibcs {
            return;
        }
        let findings = process_findings(&found.heap, None, found.account.as_ref());
        let new = findings.into_iter().filter(|finding| finding.kind == "memory-returnable");
        found.findings.extend(new);
        found.trim_refused = self.trim_refused(&process, &examination, &found.findings);
    }

    fn trim_refused(
        &mut self,
        process: &Process,
        examination: &Examination,
        findings: &[Finding],
    ) -> Option<String> {
        let allocator = examination.allocator.as_ref();
        let refused = || trim::refused_for_good(process, allocator, &mut self.stacks);
        remedy::is_trim(findings).then(refused).flatten()
    }

    fn inside(
        &mut self,
        process: &Process,
        stat: Stat,
        weight: MemoryWeight,
        accounts: bool,
    ) -> Result<Inspected, ProcessError> {
        let pid = process.pid();
        let (comm, started_ticks) = (stat.name(), stat.started_ticks);
        let (heap, examination) = self.examiner.look(process, stat)?;
        let (account, account_unknown) = match accounts.then(|| Account::of(process, &examination))
        {
            Some(Err(error)) if !process.is_alive() => return Err(error),
            Some(Err(error)) => (None, Some(error.to_string())),
            Some(Ok(account)) => (Some(account), None),
            None => (None, None),
        };
        let mut weight = weight;
        if let Some(account) = account.as_ref().filter(|_| weight.rss_exact) {
            // As exact, and of the moment that the rows are of.
            let all = Row::sum("", &account.rows);
            weight.rss_bytes = all.rss_bytes;
            weight.private_bytes = Some(all.private_bytes);
            weight.swap_bytes = Some(all.swap_bytes);
        }
        let findings = process_findings(&heap, examination.malloc(), account.as_ref());
        let trim_refused = self.trim_refused(process, &examination, &findings);
        let is_glibcs = examination.malloc().is_some();
        let Examination { allocator, others, state, .. } = examination;
        // One that has ended in the middle is not there any more, whatever was read of it.
        if matches!(state, Err(Unknown::Process(_))) && !process.is_alive() {
            return Err(ProcessError::new(pid, "mem", Reason::Ended));
        }
        let malloc_unknown_class = state.as_ref().err().cloned();
        let (malloc, malloc_unknown) = match state {
            Ok(state) => (Some(state), None),
            Err(unknown) => (None, Some(unknown.to_string())),
        };
        Ok(Inspected {
            pid,
            comm,
            libc: libc(&allocator, &others),
            allocator: allocator.as_ref().map(Allocator::to_string),
            other_allocators: others.iter().map(Allocator::to_string).collect(),
            findings,
            heap,
            weight,
            account,
            account_unknown,
            since: None,
            started_ticks,
            malloc,
            malloc_unknown,
            malloc_unknown_class,
            trim_refused,
            is_glibcs,
        })
    }
}

fn libc(allocator: &Option<Allocator>, others: &[Allocator]) -> Option<String> {
    let is_libc =
        |allocator: &&Allocator| matches!(allocator, Allocator::Glibc { .. } | Allocator::Musl);
    let mut all = allocator.iter().chain(others);
    all.find(is_libc).map(Allocator::to_string)
}

fn exact(snapshot: &Snapshot) -> MemoryWeight {
    MemoryWeight {
        rss_bytes: snapshot.rss_bytes,
        rss_exact: true,
        pss_bytes: Some(snapshot.pss_bytes),
        private_bytes: Some(snapshot.private_bytes),
        swap_bytes: Some(snapshot.swap_bytes),
        anon_huge_bytes: snapshot.anon_huge_bytes,
        hugetlb_bytes: snapshot.hugetlb_bytes,
        peak_rss_bytes: Some(snapshot.peak_rss_bytes),
        address_space_bytes: Some(snapshot.address_space_bytes),
        threads: snapshot.threads,
    }
}

fn quick(stat: &Stat) -> MemoryWeight {
    MemoryWeight {
        rss_bytes: stat.rss_pages.saturating_mul(page_size_bytes()),
        rss_exact: false,
        pss_bytes: None,
        private_bytes: None,
        swap_bytes: None,
        anon_huge_bytes: None,
        hugetlb_bytes: None,
        peak_rss_bytes: None,
        address_space_bytes: None,
        threads: stat.threads,
    }
}

/// What stood in the way, sorted for counting.
pub(super) fn unread(error: &ProcessError) -> UnreadProcess {
    UnreadProcess {
        pid: error.pid,
        why: match &error.reason {
            Reason::Denied { .. } => Why::Denied,
            Reason::NoSuchProcess | Reason::Ended => Why::Gone,
            Reason::Zombie => Why::Zombie,
            Reason::KernelThread => Why::KernelThread,
            _ => Why::Other,
        },
        told: error.to_string(),
    }
}
