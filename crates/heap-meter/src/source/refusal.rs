//! What stood in the way of a refused call, read from `/proc`.

use std::collections::HashMap;

use crate::address_space::{AddressSpace, Mapping};
use crate::event::{Call, Crowd, Denied, Promises, Refusal};
use crate::limits::{Counted, Limit, Limits};
use crate::process::Process;
use crate::snapshot::fields;

/// From where the kernel serves `MAP_32BIT`.
///
/// # References
/// `arch/x86/kernel/sys_x86_64.c`, `find_start_end`
const SECOND_GIB: [u64; 2] = [1 << 30, 1 << 31];

/// The first address that is no program's.
const USER_END: u64 = 1 << 47;

/// What has been told of each process's program: the surroundings of the first refusal of a kind
/// are read, those of the others would say the same.
#[derive(Debug, Default)]
pub(in crate::source) struct Told(HashMap<i32, Vec<Denied>>);

impl Told {
    /// Whether the surroundings of this call are still to be told: it is the first of its kind that
    /// was refused to this program. What is absurd needs none.
    pub(in crate::source) fn lacks(&self, pid: i32, call: &Call) -> bool {
        match call.denied() {
            None | Some(Denied::Absurd) => false,
            Some(denied) => self.0.get(&pid).is_none_or(|told| !told.contains(&denied)),
        }
    }

    /// They are told now.
    pub(in crate::source) fn of(&mut self, pid: i32, call: &Call) {
        self.0.entry(pid).or_default().extend(call.denied());
    }

    /// The process ended, or has another program.
    pub(in crate::source) fn forget(&mut self, pid: i32) {
        self.0.remove(&pid);
    }
}

/// The surroundings of a refusal in the process `pid`, as they are now. `None` if nothing can be
/// read of it.
pub(in crate::source) fn of(pid: i32) -> Option<Refusal> {
    let process = Process::open(pid).ok()?;
    let limits = Limits::of(&process).ok()?;
    let counted = Counted::of(&process).ok()?;
    let limit_bytes = |limit: Option<Limit>| limit.map(|limit| limit.limit_bytes);
    let space = AddressSpace::of_process(&process).ok();
    Some(Refusal {
        crowd: space.as_ref().map(|space| crowd(space.mappings())),
        program_break: space.and_then(|space| space.program_break().cloned()),
        data_limit_bytes: limit_bytes(limits.data),
        data_bytes: counted.data_bytes,
        address_space_limit_bytes: limit_bytes(limits.address_space),
        address_space_bytes: counted.address_space_bytes,
        promises: promises(),
    })
}

fn crowd(mappings: &[Mapping]) -> Crowd {
    let [low, low_end] = SECOND_GIB;
    let own: Vec<_> = mappings.iter().filter(|one| one.end <= USER_END).collect();
    let ends = std::iter::once(0).chain(own.iter().map(|one| one.end));
    let starts = own.iter().map(|one| one.start).chain([USER_END]);
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
        greatest_gap_bytes: greatest(0, USER_END),
        low_bytes: own.iter().map(below).sum(),
        greatest_low_gap_bytes: greatest(low, low_end),
    }
}

fn promises() -> Promises {
    let memory = std::fs::read("/proc/meminfo").unwrap_or_default();
    let of = |name: &[u8]| fields::bytes(&memory, name);
    Promises {
        mode: setting("overcommit_memory").and_then(|mode| u8::try_from(mode).ok()),
        machine_bytes: of(b"MemTotal:").map(|bytes| bytes + of(b"SwapTotal:").unwrap_or(0)),
        limit_bytes: of(b"CommitLimit:"),
        promised_bytes: of(b"Committed_AS:"),
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
    use crate::event::Syscall;

    #[test]
    fn surroundings_of_this_process() {
        let refusal = of(std::process::id() as i32).unwrap();
        assert!(refusal.program_break.is_some());
        assert!(refusal.data_bytes > 0);
        assert!(refusal.address_space_bytes >= refusal.data_bytes);
        let crowd = refusal.crowd.unwrap();
        assert!(crowd.mappings > 5 && crowd.greatest_gap_bytes > 1 << 40);
        assert!(refusal.promises.machine_bytes.unwrap() > 1 << 24);
        assert_eq!(of(0), None);
    }

    #[test]
    fn how_full_a_list_is() {
        let list = "\
00400000-00500000 r-xp 00000000 fe:00 7    /bin/x
40000000-60000000 rw-p 00000000 00:00 0
70000000-90000000 rw-p 00000000 00:00 0
7f0000000000-7f0000001000 rw-p 00000000 00:00 0
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]
";
        let space = AddressSpace::parse(list.as_bytes(), None).unwrap();
        let crowd = crowd(space.mappings());
        assert_eq!(crowd.mappings, 4);
        assert_eq!(crowd.low_bytes, 0x10_0000 + 0x2000_0000 + 0x1000_0000);
        assert_eq!(crowd.greatest_low_gap_bytes, 0x1000_0000);
        assert_eq!(crowd.greatest_gap_bytes, 0x7f00_0000_0000 - 0x9000_0000);
    }

    #[test]
    fn the_first_of_each_kind_is_told_once_a_program() {
        let call = |syscall, args: [u64; 4], result| {
            let [a, b, c, d] = args;
            let (args, path, stack) = ([a, b, c, d, 0, 0], None, None);
            Call {
                syscall,
                args,
                result,
                path,
                stack,
            }
        };
        let brk = call(Syscall::Brk, [0x8000, 0, 0, 0], Ok(0x6000));
        let lower = call(Syscall::Brk, [1, 0, 0, 0], Ok(0x6000));
        let mapping = call(Syscall::Mmap, [0, 4096, 3, 0x22], Err(libc::ENOMEM));
        let mut told = Told::default();
        assert!(!told.lacks(1, &lower));
        assert!(told.lacks(1, &brk) && told.lacks(1, &mapping));
        told.of(1, &brk);
        assert!(!told.lacks(1, &brk) && told.lacks(1, &mapping));
        assert!(told.lacks(2, &brk), "another process");
        told.forget(1);
        assert!(told.lacks(1, &brk));
    }
}
