//! What stood in the way when memory was refused.

use proc_memory::{AddressSpace, Limit, Limits, Mapping, Process, ProgramBreak, Status};

/// Where the kernel looks for `MAP_32BIT` whatever it draws: each call begins at a place of its own
/// within the first 32 MiB of the second GiB, and a gap below that place is not seen by it.
///
/// # References
/// `arch/x86/kernel/sys_x86_64.c`, `find_start_end`
const SURELY_SEARCHED: [u64; 2] = [(1 << 30) + 0x0200_0000, 1 << 31];

/// The first address that is no program's, and that of programs of 32-bit code.
const USER_END: u64 = 1 << 47;
const I386_USER_END: u64 = 1 << 32;

/// The surroundings of a refused call, read from `/proc` as soon as the refusal was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The break, its room and what ends it; `None` if it could not be found.
    pub program_break: Option<ProgramBreak>,
    /// What the data segment may hold at most (`RLIMIT_DATA`, soft); `None` for no limit.
    pub data_limit_bytes: Option<u64>,
    /// What counts towards it: private writable memory (`VmData` of `/proc/PID/status`).
    pub data_bytes: u64,
    /// What the address space may hold at most (`RLIMIT_AS`, soft); `None` for no limit.
    pub address_space_limit_bytes: Option<u64>,
    /// What counts towards it (`VmSize`).
    pub address_space_bytes: u64,
    /// How many mappings there were, and what `MAP_32BIT` had to choose from; `None` if the list
    /// could not be read.
    pub crowd: Option<Crowd>,
    /// What the machine promises at most.
    pub promises: Promises,
    /// The machine's huge pages; `None` if that can't be read, or the kernel has none.
    pub huge_pages: Option<HugePages>,
}

impl Refusal {
    /// The surroundings of a refusal in the process `pid`, as they are now. `None` if nothing can be
    /// read of it.
    pub fn of(pid: i32) -> Option<Self> {
        let process = Process::open(pid).ok()?;
        let limits = Limits::of(&process).ok()?;
        let status = Status::parse(process.whole("status").ok()?);
        let limit_bytes = |limit: Option<Limit>| limit.map(|limit| limit.limit_bytes);
        let space = AddressSpace::of_process(&process).ok();
        let machine = Status::parse(std::fs::read("/proc/meminfo").unwrap_or_default());
        Some(Self {
            crowd: space.as_ref().map(|space| crowd(space.mappings())),
            program_break: space.and_then(|space| space.program_break().cloned()),
            data_limit_bytes: limit_bytes(limits.data),
            data_bytes: status.bytes("VmData")?,
            address_space_limit_bytes: limit_bytes(limits.address_space),
            address_space_bytes: status.bytes("VmSize")?,
            promises: promises(&machine),
            huge_pages: HugePages::of(&machine),
        })
    }
}

/// How full an address space is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Crowd {
    /// How many mappings.
    pub mappings: u64,
    /// How many there may be (`vm.max_map_count`); `None` if that can't be read.
    pub most_mappings: Option<u64>,
    /// The greatest gap between two of them, in bytes.
    pub greatest_gap_bytes: u64,
    /// What is mapped below 2 GiB, in bytes.
    pub low_bytes: u64,
    /// The greatest gap in the part of the second GiB that `MAP_32BIT` surely finds; in bytes.
    pub greatest_low_gap_bytes: u64,
}

/// How much memory the kernel promises to everybody together.
///
/// # References
/// `Documentation/mm/overcommit-accounting.rst`; `__vm_enough_memory` in `mm/util.c`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Promises {
    /// `vm.overcommit_memory`: 0 refuses a request that is greater than the machine alone, 2 what
    /// exceeds the limit, 1 nothing. `None` if it can't be read.
    pub mode: Option<u8>,
    /// Memory and swap of the machine, in bytes.
    pub machine_bytes: Option<u64>,
    /// `CommitLimit`, in bytes.
    pub limit_bytes: Option<u64>,
    /// `Committed_AS`, in bytes.
    pub promised_bytes: Option<u64>,
}

impl Promises {
    /// Whether so many bytes more would be too many.
    pub fn refuse(&self, asked_bytes: u64) -> bool {
        let exceeds = |limit: Option<u64>, used: u64| {
            limit.is_some_and(|limit| used.saturating_add(asked_bytes) > limit)
        };
        match self.mode {
            Some(0) => exceeds(self.machine_bytes, 0),
            Some(2) => exceeds(self.limit_bytes, self.promised_bytes.unwrap_or(0)),
            _ => false,
        }
    }
}

/// The pool from which `MAP_HUGETLB` is served, if no other size is asked for.
///
/// # References
/// `Documentation/admin-guide/mm/hugetlbpage.rst`; `hugetlb_reserve_pages` in `mm/hugetlb.c`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HugePages {
    /// Size of a page.
    pub page_bytes: u64,
    /// Pages that the pool has.
    pub total: u64,
    /// Of these, how many nobody has, nor has been promised.
    pub free: u64,
}

impl HugePages {
    fn of(machine: &Status) -> Option<Self> {
        let number = |name| machine.number::<u64>(name);
        Some(Self {
            page_bytes: machine.bytes("Hugepagesize")?,
            total: number("HugePages_Total")?,
            free: number("HugePages_Free")?.saturating_sub(number("HugePages_Rsvd")?),
        })
    }

    /// Whether so many bytes are more than are free.
    pub fn refuse(&self, asked_bytes: u64) -> bool {
        asked_bytes > self.free.saturating_mul(self.page_bytes)
    }
}

fn crowd(mappings: &[Mapping]) -> Crowd {
    let [low, low_end] = SURELY_SEARCHED;
    let own: Vec<_> = mappings.iter().filter(|one| one.end <= USER_END).collect();
    // A 64-bit program has its stack and its libraries beyond.
    let is_i386 = own.last().is_some_and(|one| one.end <= I386_USER_END);
    let user_end = if is_i386 { I386_USER_END } else { USER_END };
    let ends = std::iter::once(0).chain(own.iter().map(|one| one.end));
    let starts = own.iter().map(|one| one.start).chain([user_end]);
    let gaps: Vec<(u64, u64)> = ends.zip(starts).collect();
    let greatest = |from: u64, to: u64| {
        let within = |(start, end): &(u64, u64)| {
            let (start, end) = ((*start).max(from), (*end).min(to));
            end.saturating_sub(start)
        };
        gaps.iter().map(within).max().unwrap_or(0)
    };
    let below = |one: &&Mapping| one.end.min(low_end).saturating_sub(one.start);
    Crowd {
        mappings: own.len() as u64,
        most_mappings: setting("max_map_count"),
        greatest_gap_bytes: greatest(0, user_end),
        low_bytes: own.iter().map(below).sum(),
        greatest_low_gap_bytes: greatest(low, low_end),
    }
}

fn promises(machine: &Status) -> Promises {
    let of = |name| machine.bytes(name);
    Promises {
        mode: setting("overcommit_memory").and_then(|mode| u8::try_from(mode).ok()),
        machine_bytes: of("MemTotal").map(|bytes| bytes + of("SwapTotal").unwrap_or(0)),
        limit_bytes: of("CommitLimit"),
        promised_bytes: of("Committed_AS"),
    }
}

/// A number in `/proc/sys/vm`.
fn setting(name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/sys/vm/{name}")).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surroundings_of_this_process() {
        let refusal = Refusal::of(std::process::id() as i32).unwrap();
        assert!(refusal.program_break.is_some());
        assert!(refusal.data_bytes > 0);
        assert!(refusal.address_space_bytes >= refusal.data_bytes);
        let crowd = refusal.crowd.unwrap();
        assert!(crowd.mappings > 5 && crowd.greatest_gap_bytes > 1 << 40);
        assert!(refusal.promises.machine_bytes.unwrap() > 1 << 24);
        assert_eq!(Refusal::of(0), None);
    }

    #[test]
    fn how_full_a_list_is() {
        let list = "\
00400000-00500000 r-xp 00000000 fe:00 7    /bin/x
42000000-60000000 rw-p 00000000 00:00 0
61000000-90000000 rw-p 00000000 00:00 0
7f0000000000-7f0000001000 rw-p 00000000 00:00 0
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]
";
        let space = AddressSpace::parse(list.as_bytes(), None).unwrap();
        let crowd = crowd(space.mappings());
        assert_eq!(crowd.mappings, 4);
        assert_eq!(crowd.low_bytes, 0x10_0000 + 0x1e00_0000 + 0x1f00_0000);
        assert_eq!(crowd.greatest_low_gap_bytes, 0x100_0000);
        assert_eq!(crowd.greatest_gap_bytes, 0x7f00_0000_0000 - 0x9000_0000);
    }

    #[test]
    fn a_32_bit_program_has_no_room_beyond_4_gib() {
        let list = "\
08048000-70000000 rw-p 00000000 00:00 0
a0000000-f7000000 rw-p 00000000 00:00 0
f7ff0000-f7ff2000 r-xp 00000000 00:00 0    [vdso]
ff800000-ffffe000 rw-p 00000000 00:00 0    [stack]
";
        let space = AddressSpace::parse(list.as_bytes(), None).unwrap();
        assert_eq!(crowd(space.mappings()).greatest_gap_bytes, 0x3000_0000);
    }
}
