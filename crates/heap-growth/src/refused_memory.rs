//! Memory that a program was refused for good.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::growth::kind::{lies_low, wants_low};
use super::growth::layout::Blocker;
use super::growth::{Growth, Has};
use super::refusals::{Limited, too_many_mappings};
use memory_event::{
    ABSURD_BYTES, Call, Denied, Ending, Event, HugePages, Promises, Refusal, Resource, Syscall,
    What,
};
use rustc_hash::FxBuildHasher;

/// So many requests of a program are told one by one.
const MOST_TOLD: usize = 5;
/// So many programs are kept that ended.
const MOST_ENDED: usize = 64;
/// A thread that got other memory so many times is not about to try again.
const TRIES: u32 = 32;
/// So many requests of a thread wait for something to take their place.
const MOST_WAITING: usize = 64;
/// A program that got so much more after it was refused did not end of it …
const WENT_ON_BYTES: u64 = 16 << 20;
/// … nor did one that ran on for so long.
const WENT_ON: Duration = Duration::from_secs(10);
/// Of the second GiB, from which `MAP_32BIT` is served, this may be had, more or less: libraries
/// and the program lie in it too.
const LOW_BYTES: i64 = 768 << 20;
/// What glibc's malloc reserves for a thread's arena, and then half of it; refused both, the thread
/// uses another's.
const ARENA_BYTES: [u64; 2] = [64 << 20, 128 << 20];

/// Of each program, what it was refused.
///
/// A refusal alone says little: malloc that is refused a break maps memory instead, a program that
/// gets no huge pages takes others, and a reservation that is too great is tried again smaller. What
/// counts is what nothing took the place of, and most of all whether the program ended of it.
#[derive(Clone, Debug, Default)]
pub struct RefusedMemory {
    waiting: HashMap<(i32, i32), Unanswered, FxBuildHasher>,
    programs: HashMap<i32, RefusedProgram, FxBuildHasher>,
    ended: Vec<RefusedProgram>,
}

/// A program that was refused memory.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RefusedProgram {
    /// The process.
    pub pid: i32,
    /// How often, by the name of the call.
    pub calls: BTreeMap<&'static str, u64>,
    /// The first of them.
    pub first: Vec<RefusedRequest>,
    /// How it ended, if that was soon after the last, and not well.
    pub ended: Option<Ending>,
    /// Whether more was asked for than mere addresses, or pages of a kind that it can do without.
    needed: bool,
    /// When it was last refused anything, and what it has got since.
    last_at: Duration,
    since_bytes: u64,
}

/// What was asked for in vain.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RefusedRequest {
    /// By which call.
    pub syscall: Syscall,
    /// How many bytes; 0 where the call doesn't tell.
    pub bytes: u64,
    /// The error that it returned; `None` of a `brk`, which returns the present break.
    pub errno: Option<i32>,
    /// By how much the process had grown then, in bytes.
    pub grown_bytes: i64,
    /// Who refused it.
    pub by: RefusedBy,
    /// What was read from `/proc` right afterwards, where it could be.
    pub surroundings: Option<Refusal>,
    denied: Denied,
    /// What lay in the way, of a `brk`.
    blocker: Option<Blocker>,
    low: bool,
    writable: bool,
    noreserve: bool,
    /// Whether they were to be huge pages, and of which size if not the usual one.
    huge: bool,
    huge_page_bytes: Option<u64>,
    has: Has,
}

/// Who refused memory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusedBy {
    /// A limit of the process, or of the number of its mappings.
    Limit {
        /// `RLIMIT_DATA`, `RLIMIT_AS`, `RLIMIT_MEMLOCK`, `vm.max_map_count`.
        name: &'static str,
        /// Its figures, where they are known.
        figures: Option<Limited>,
    },
    /// A mapping lies in the way of the break.
    Blocked(Blocker),
    /// Addresses below 2 GiB were asked for, and they are used up.
    LowMemory {
        /// What the process has there because it asked for it there, in bytes.
        used_bytes: i64,
        /// All that is mapped there, where `/proc` was read.
        mapped_bytes: Option<u64>,
    },
    /// No address space has so much in one piece.
    AddressSpace,
    /// A seccomp filter.
    Filter,
    /// The machine doesn't promise so much.
    Overcommit(Promises),
    /// Huge pages were asked for (`MAP_HUGETLB`), and their pool is too small; `None` where it isn't
    /// known how many it has, and nothing else is known that refuses.
    HugePages(Option<HugePages>),
    /// It isn't known.
    Unknown,
}

impl RefusedBy {
    /// Its name in reports.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Limit { .. } => "limit",
            Self::Blocked(_) => "blocked",
            Self::LowMemory { .. } => "low-memory",
            Self::AddressSpace => "address-space",
            Self::Filter => "filter",
            Self::Overcommit(_) => "overcommit",
            Self::HugePages(_) => "huge-pages",
            Self::Unknown => "unknown",
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Unanswered {
    requests: Vec<RefusedRequest>,
    tries: u32,
}

/// Memory that a call gave.
#[derive(Clone, Copy, Debug)]
struct Got {
    bytes: u64,
    low: bool,
    writable: bool,
}

impl RefusedMemory {
    /// The programs, those first that ended of it.
    pub fn programs(&self) -> Vec<RefusedProgram> {
        let mut all = self.clone();
        let mut living: Vec<_> = all.programs.keys().copied().collect();
        living.sort_unstable();
        for pid in living {
            all.program_ended(pid, None, Duration::MAX);
        }
        all.ended.sort_by_key(|program| program.ended.is_none());
        all.ended
    }

    /// Takes an event; `growth` has taken it already.
    pub(super) fn take(&mut self, event: &Event, growth: &Growth) {
        match &event.what {
            What::Call(call) if call.syscall.is_memory() => self.called(event, call, growth),
            What::Refused(surroundings) => {
                if let Some(waiting) = self.waiting.get_mut(&(event.pid, event.tid))
                    && let Some(last) = waiting.requests.last_mut()
                {
                    last.surroundings = Some(Refusal::clone(surroundings));
                    last.is_blocked_as(growth, event.pid);
                }
            }
            What::Exec { .. } => self.program_ended(event.pid, None, event.at),
            What::Exited(ending) if event.pid == event.tid => {
                self.program_ended(event.pid, Some(*ending), event.at);
            }
            What::Exited(_) => self.settle((event.pid, event.tid)),
            _ => {}
        }
    }

    fn called(&mut self, event: &Event, call: &Call, growth: &Growth) {
        let thread = (event.pid, event.tid);
        if let Some(denied) = call.denied() {
            let program = self.programs.entry(event.pid).or_default();
            program.pid = event.pid;
            program.last_at = event.at;
            program.since_bytes = 0;
            let waiting = self.waiting.entry(thread).or_default();
            waiting.tries = 0;
            let mut request = RefusedRequest::of(call, denied, growth.has(event.pid));
            request.is_blocked_as(growth, event.pid);
            waiting.requests.push(request);
            if waiting.requests.len() > MOST_WAITING {
                self.settle(thread);
            }
        } else if let Some(program) = self.programs.get_mut(&event.pid)
            && let Some(mut got) = Got::by(call)
        {
            let waiting = self.waiting.get_mut(&thread);
            if call.syscall == Syscall::Brk {
                // A break tells where it is, not by how much it has moved.
                let now = growth.has(event.pid).grown_bytes;
                let first = waiting.as_ref().and_then(|waiting| waiting.requests.first());
                let before = first.map_or(now, |request| request.grown_bytes);
                got.bytes = u64::try_from(now.saturating_sub(before)).unwrap_or(0);
            }
            program.since_bytes = program.since_bytes.saturating_add(got.bytes);
            let Some(waiting) = waiting else { return };
            waiting.requests.retain(|request| !got.replaces(request));
            waiting.tries += 1;
            if waiting.requests.is_empty() {
                self.waiting.remove(&thread);
            } else if waiting.tries > TRIES {
                self.settle(thread);
            }
        }
    }

    /// Nothing will take the place of what this thread was refused.
    fn settle(&mut self, thread: (i32, i32)) {
        if let Some(waiting) = self.waiting.remove(&thread)
            && let Some(program) = self.programs.get_mut(&thread.0)
        {
            waiting.requests.into_iter().for_each(|one| program.add(one));
        }
    }

    fn program_ended(&mut self, pid: i32, ending: Option<Ending>, at: Duration) {
        if !self.programs.contains_key(&pid) {
            return;
        }
        let threads = self.waiting.keys().filter(|(of, _)| *of == pid);
        let mut threads: Vec<_> = threads.copied().collect();
        threads.sort_unstable();
        for thread in threads {
            self.settle(thread);
        }
        let Some(mut program) = self.programs.remove(&pid) else {
            return;
        };
        let soon =
            program.since_bytes < WENT_ON_BYTES && at.saturating_sub(program.last_at) < WENT_ON;
        program.ended = ending.filter(|ending| soon && is_of_itself(*ending));
        let tells = program.needed || program.ended.is_some();
        if tells && !program.first.is_empty() && self.ended.len() < MOST_ENDED {
            self.ended.push(program);
        }
    }
}

impl RefusedProgram {
    /// How often it was refused memory.
    pub fn count(&self) -> u64 {
        self.calls.values().sum()
    }

    fn add(&mut self, mut request: RefusedRequest) {
        request.by = request.refused_by();
        let too_many = matches!(request.by, RefusedBy::Limit { .. });
        if request.denied == Denied::Split && !too_many {
            // mprotect says the same of memory that isn't there.
            return;
        }
        self.needed |= request.denied != Denied::Reservation;
        *self.calls.entry(request.syscall.name()).or_default() += 1;
        if self.first.len() < MOST_TOLD {
            self.first.push(request);
        }
    }
}

impl RefusedRequest {
    fn of(call: &Call, denied: Denied, has: Has) -> Self {
        let [hint, _, protection, flags, ..] = call.args;
        let (is_mmap, bit) = (call.syscall == Syscall::Mmap, |bit: i32| bit as u64);
        let is_free = is_mmap && flags & bit(libc::MAP_FIXED) == 0;
        Self {
            syscall: call.syscall,
            bytes: call.asked_bytes(),
            errno: call.result.err(),
            grown_bytes: has.grown_bytes,
            by: RefusedBy::Unknown,
            surroundings: None,
            denied,
            blocker: None,
            low: is_free && wants_low(hint, flags),
            writable: match call.syscall {
                Syscall::Mmap => {
                    protection & bit(libc::PROT_WRITE) != 0 && flags & bit(libc::MAP_SHARED) == 0
                }
                Syscall::Munmap => false,
                _ => true,
            },
            noreserve: is_mmap && flags & bit(libc::MAP_NORESERVE) != 0,
            huge: is_mmap && flags & bit(libc::MAP_HUGETLB) != 0,
            huge_page_bytes: match flags >> libc::MAP_HUGE_SHIFT & 0x3f {
                0 => None,
                power => Some(1 << power),
            },
            has,
        }
    }

    /// Takes over why the break was refused, which has been decided where breaks are.
    fn is_blocked_as(&mut self, growth: &Growth, pid: i32) {
        let blocker = growth.last_brk_blocker(pid).filter(|_| self.syscall == Syscall::Brk);
        self.blocker = blocker.cloned();
    }

    /// Who refused it: the first that the kernel looks at, as far as it is known.
    fn refused_by(&self) -> RefusedBy {
        let limit = |name, figures| RefusedBy::Limit { name, figures };
        if let Some(blocker) = &self.blocker {
            return RefusedBy::Blocked(blocker.clone());
        }
        match self.errno {
            Some(libc::EPERM | libc::EACCES | libc::ENOSYS) => return RefusedBy::Filter,
            Some(libc::EAGAIN) => return limit("RLIMIT_MEMLOCK", None),
            Some(_) if self.syscall == Syscall::Brk => return RefusedBy::Filter,
            _ => {}
        }
        let around = self.surroundings.as_ref();
        // Before any limit, the kernel looks whether there are as many.
        let pool = around.and_then(|around| around.huge_pages);
        let pool =
            pool.filter(|pool| self.huge_page_bytes.is_none_or(|one| one == pool.page_bytes));
        if self.huge && pool.is_some_and(|pool| pool.refuse(self.bytes)) {
            return RefusedBy::HugePages(pool);
        }
        let accounts = around.map_or(self.has.accounts, super::accounts::Accounts::read);
        let passed = |resource| accounts.refuses(resource, self.bytes);
        let data = passed(Resource::Data).filter(|_| self.writable);
        let grows = !matches!(self.syscall, Syscall::Mprotect | Syscall::Munmap);
        let address_space = passed(Resource::AddressSpace).filter(|_| grows);
        let mappings = around.and_then(too_many_mappings);
        if let Some(figures) = data.or(address_space).or(mappings) {
            return limit(figures.name, Some(figures));
        }
        if self.syscall == Syscall::Munmap {
            return limit(super::accounts::MAPPINGS, None);
        }
        let crowd = around.and_then(|around| around.crowd);
        let low_is_full = match crowd {
            Some(crowd) => crowd.greatest_low_gap_bytes < self.bytes,
            None => self.has.low_bytes.saturating_add_unsigned(self.bytes) >= LOW_BYTES,
        };
        if self.low && low_is_full {
            return RefusedBy::LowMemory {
                used_bytes: self.has.low_bytes,
                mapped_bytes: crowd.map(|crowd| crowd.low_bytes),
            };
        }
        let too_great = crowd.is_some_and(|crowd| crowd.greatest_gap_bytes < self.bytes);
        if self.bytes >= ABSURD_BYTES || too_great {
            return RefusedBy::AddressSpace;
        }
        match around.map(|around| around.promises) {
            Some(promises)
                if promises.refuse(self.bytes)
                    && self.writable
                    && !(self.noreserve && promises.mode == Some(0)) =>
            {
                RefusedBy::Overcommit(promises)
            }
            _ if self.huge && pool.is_none() => RefusedBy::HugePages(None),
            _ => RefusedBy::Unknown,
        }
    }
}

impl Got {
    fn by(call: &Call) -> Option<Self> {
        let [asked, second, third, ..] = call.args;
        let (result, writable) = (call.result.ok()?, libc::PROT_WRITE as u64);
        let (bytes, writable) = match call.syscall {
            Syscall::Mmap => (second, third & writable != 0),
            Syscall::Mprotect if third & writable != 0 => (second, true),
            Syscall::Mremap if third > second => (third - second, true),
            Syscall::Brk if asked != 0 && asked == result => (0, true),
            _ => return None,
        };
        Some(Self { bytes, low: lies_low(&(result..result.saturating_add(bytes))), writable })
    }

    /// Whether the program has this now in the place of what it was refused.
    fn replaces(&self, request: &RefusedRequest) -> bool {
        if request.low && !self.low || request.writable && !self.writable {
            return false;
        }
        let is_arena = request.noreserve && ARENA_BYTES.contains(&request.bytes);
        match request.denied {
            Denied::Split => false,
            Denied::Reservation if is_arena && self.writable => true,
            Denied::Reservation => self.bytes >= request.bytes / 2,
            _ => self.bytes >= request.bytes,
        }
    }
}

/// Whether a program that ends so ends of something that befell it: not well, nor by the will of
/// somebody else.
fn is_of_itself(ending: Ending) -> bool {
    match ending {
        Ending::Code(code) => code != 0,
        Ending::Signal { signal, .. } => !matches!(
            signal,
            libc::SIGHUP | libc::SIGINT | libc::SIGTERM | libc::SIGPIPE | libc::SIGKILL
        ),
    }
}

#[cfg(test)]
mod tests;
