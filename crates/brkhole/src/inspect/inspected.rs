//! What is found in a process, and in all that were looked at.

use heap_diagnosis::Finding;
use heap_meter::report::printable;
use memory_account::{Account, Kind};
use proc_memory::BreakState;
use ptmalloc::{HeapState, Unknown};
use serde::Serialize;

/// One process. This is the JSON of one, too.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Inspected {
    pub(crate) pid: i32,
    /// The command name, at most 15 bytes; bytes that are no UTF-8 are replaced.
    pub(crate) comm: String,
    /// The C library, such as `glibc 2.36`; `None` if it isn't known.
    pub(crate) libc: Option<String>,
    /// Whose malloc it is, such as `glibc 2.36` or `jemalloc`; `None` if it isn't known.
    pub(crate) allocator: Option<String>,
    pub(crate) other_allocators: Vec<String>,
    /// The break, and the heap that ends there.
    #[serde(rename = "break")]
    pub(crate) heap: BreakState,
    #[serde(flatten)]
    pub(crate) weight: MemoryWeight,
    /// Whose memory it is; `None` if that isn't known, or the process is one of many with glibc's malloc.
    pub(crate) account: Option<Account>,
    /// Why not.
    pub(crate) account_unknown: Option<String>,
    /// What has changed since an earlier look, if one was given.
    pub(crate) since: Option<Since>,
    /// When it started, in clock ticks since the machine did.
    #[serde(skip)]
    pub(crate) started_ticks: u64,
    /// The state of glibc's malloc; `None` if it isn't known.
    pub(crate) malloc: Option<HeapState>,
    /// Why not.
    pub(crate) malloc_unknown: Option<String>,
    /// The same for programs: as a class, not as a sentence.
    #[serde(skip)]
    pub(crate) malloc_unknown_class: Option<Unknown>,
    /// Why `brkhole trim` would refuse it whenever it is tried, where that would be proposed.
    #[serde(skip)]
    pub(crate) trim_refused: Option<String>,
    /// Whether the process's malloc is glibc's, and its state known.
    #[serde(skip)]
    pub(crate) is_glibcs: bool,
    pub(crate) findings: Vec<Finding>,
}

impl Inspected {
    /// Whether there is a finding of this kind.
    pub(crate) fn has(&self, kind: &str) -> bool {
        self.findings.iter().any(|finding| finding.kind == kind)
    }

    /// As it is called in text: `nginx (1234)`.
    pub(crate) fn name(&self) -> String {
        format!("{} ({})", printable(&self.comm), self.pid)
    }

    /// How the break is, in one word.
    pub(crate) fn break_word(&self) -> &'static str {
        let kinds = [
            ("break-blocked", "blocked"),
            ("break-limited", "limited"),
            ("break-abandoned", "abandoned"),
            ("break-near-wall", "near-wall"),
        ];
        let found = kinds.iter().find(|(kind, _)| self.has(kind));
        match found {
            Some((_, word)) => word,
            None if self.heap.used == Some(false) => "unused",
            None => "ok",
        }
    }

    /// Whether it has more to look at than it might cost.
    pub(crate) fn is_costly(&self) -> bool {
        matches!(self.malloc_unknown_class, Some(Unknown::Costly(_)))
    }

    pub(crate) fn arenas(&self) -> usize {
        self.malloc.as_ref().map_or(0, |state| state.arenas.len())
    }

    pub(crate) fn leave_out(&mut self, why: Unknown) {
        self.malloc = None;
        self.findings.clear();
        self.malloc_unknown = Some(why.to_string());
        self.malloc_unknown_class = Some(why);
    }

    /// What its malloc would give back; `None` if it isn't known.
    pub(crate) fn returnable_bytes(&self) -> Option<u64> {
        if self.is_glibcs {
            return self.malloc.as_ref()?.returnable_bytes;
        }
        let owner = self.allocator.as_deref()?;
        self.account.as_ref()?.of_allocator(owner)?.returnable_bytes
    }
}

/// How much a process weighs. `None` is what has to be counted page by page, which is done only for
/// processes that are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct MemoryWeight {
    /// Resident pages.
    pub(crate) rss_bytes: u64,
    /// Whether they were counted in the page tables; otherwise the kernel's quick figure, which may
    /// be off by some hundred KiB.
    pub(crate) rss_exact: bool,
    pub(crate) pss_bytes: Option<u64>,
    pub(crate) private_bytes: Option<u64>,
    pub(crate) swap_bytes: Option<u64>,
    /// Of what is resident, what is in transparent huge pages.
    pub(crate) anon_huge_bytes: Option<u64>,
    /// Pages of hugetlbfs, which are not in any of the others.
    pub(crate) hugetlb_bytes: Option<u64>,
    pub(crate) peak_rss_bytes: Option<u64>,
    pub(crate) address_space_bytes: Option<u64>,
    pub(crate) threads: u64,
}

/// What has changed between two looks.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Since {
    /// When the first one was.
    pub(crate) saved_unix_seconds: u64,
    /// How long ago.
    pub(crate) seconds: u64,
    /// The process of the first one: another number if it was restarted since.
    pub(crate) pid: i32,
    /// Whether it is the same process.
    pub(crate) is_same: bool,
    /// The most grown first.
    pub(crate) owners: Vec<Change>,
}

/// One owner's memory, resident or in swap.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Change {
    pub(crate) owner: String,
    pub(crate) kind: Kind,
    pub(crate) before_bytes: u64,
    pub(crate) now_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnreadProcess {
    pub(crate) pid: i32,
    pub(crate) why: Why,
    /// The whole of it for people: the process, the reason, what helps.
    pub(crate) told: String,
}

/// Why a process could not be looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Why {
    /// It belongs to somebody else, or is protected.
    Denied,
    /// It ended meanwhile, or never was.
    Gone,
    /// It has ended, and nobody has waited for it yet.
    Zombie,
    /// It is a thread of the kernel's own.
    KernelThread,
    Other,
}

impl Why {
    pub(crate) const ALL: [Self; 5] =
        [Self::Denied, Self::Gone, Self::Zombie, Self::KernelThread, Self::Other];

    /// A fixed name for programs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Gone => "gone",
            Self::Zombie => "zombie",
            Self::KernelThread => "kernel-thread",
            Self::Other => "other",
        }
    }
}

/// All that were looked at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Survey {
    /// As they were named; of a survey, those that could return most first.
    pub(crate) processes: Vec<Inspected>,
    /// Those that could not be looked into, by pid.
    pub(crate) unread: Vec<UnreadProcess>,
    pub(crate) seconds: f64,
}

impl Survey {
    /// Whether there was nothing to look at.
    pub(crate) fn is_empty(&self) -> bool {
        self.processes.is_empty() && self.unread.is_empty()
    }

    /// How many could not be looked into for this reason.
    pub(crate) fn unread_for(&self, why: Why) -> usize {
        self.unread.iter().filter(|unread| unread.why == why).count()
    }
}
