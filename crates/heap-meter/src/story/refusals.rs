//! Why breaks were refused.

use crate::address_space::Mapping;
use crate::event::{Event, Refusal, Sink, Syscall, What};

/// So many refusals are kept whole; a source tells one of each program.
const MOST: usize = 64;

/// Why the kernel would not move a break.
///
/// # References
/// `mm/mmap.c`, `SYSCALL_DEFINE1(brk)`: first the data limit, then what lies above, then
/// (`may_expand_vm`) the limit on the address space and, since Linux 4.7, the data limit once more
/// for all private writable memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A mapping lies in the way.
    Blocked(Mapping),
    /// It would have passed `RLIMIT_DATA`.
    DataLimit,
    /// It would have passed `RLIMIT_AS`.
    AddressSpaceLimit,
    /// There was room and no limit was near: overcommit, or something that can't be seen.
    Unexplained,
}

/// A refused break and what stood in its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The process.
    pub pid: i32,
    /// The break, which stayed as it was.
    pub program_break: u64,
    /// By how much it was to grow.
    pub asked_bytes: u64,
    /// Why it was refused.
    pub cause: Cause,
    /// What was read from `/proc` right afterwards.
    pub surroundings: Refusal,
}

/// Refused breaks with their causes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    seen: Vec<Refused>,
    /// The last refused `brk`: (pid, tid), what was asked for, the break.
    last: Option<((i32, i32), u64, u64)>,
}

impl Refusals {
    /// One of each program, in order; the first 64. Empty where the source can't tell.
    pub fn seen(&self) -> &[Refused] {
        &self.seen
    }
}

impl Sink for Refusals {
    fn take(&mut self, event: &Event) {
        let thread = (event.pid, event.tid);
        match &event.what {
            What::Call(call) if call.syscall == Syscall::Brk && call.failed() => {
                let had = call.result.unwrap_or_default();
                self.last = Some((thread, call.args[0], had));
            }
            What::Refused(surroundings) => {
                let Some((_, asked, had)) = self.last.filter(|(by, ..)| *by == thread) else {
                    return;
                };
                // One below the present break asks for less, not for more.
                if asked > had && self.seen.len() < MOST {
                    let asked_bytes = asked - had;
                    self.seen.push(Refused {
                        pid: event.pid,
                        program_break: had,
                        asked_bytes,
                        cause: cause(surroundings, asked_bytes),
                        surroundings: Refusal::clone(surroundings),
                    });
                }
            }
            _ => {}
        }
    }
}

/// Why a growth by so many bytes was refused in these surroundings.
pub(super) fn cause(surroundings: &Refusal, asked_bytes: u64) -> Cause {
    let passes = |used: u64, limit: Option<u64>| {
        limit.is_some_and(|limit| used.saturating_add(asked_bytes) > limit)
    };
    if passes(surroundings.data_bytes, surroundings.data_limit_bytes) {
        return Cause::DataLimit;
    }
    if let Some(heap) = &surroundings.program_break
        && let (Some(growable), Some(blocker)) = (heap.growable_bytes, &heap.blocker)
        && growable < asked_bytes
    {
        return Cause::Blocked(blocker.clone());
    }
    if passes(
        surroundings.address_space_bytes,
        surroundings.address_space_limit_bytes,
    ) {
        return Cause::AddressSpaceLimit;
    }
    Cause::Unexplained
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address_space::AddressSpace;
    use crate::event::Call;
    use std::time::Duration;

    const MIB: u64 = 1 << 20;

    fn surroundings(maps: &str) -> Refusal {
        let space = AddressSpace::parse(maps.as_bytes(), None).unwrap();
        Refusal {
            program_break: space.program_break().cloned(),
            data_limit_bytes: None,
            data_bytes: 10 * MIB,
            address_space_limit_bytes: None,
            address_space_bytes: 100 * MIB,
        }
    }

    fn roomy() -> Refusal {
        surroundings(
            "02691000-026b2000 rw-p 00000000 00:00 0    [heap]\n\
             7f0000000000-7f0000001000 r--p 00000000 fe:00 8    /lib/y\n",
        )
    }

    #[test]
    fn causes() {
        let blocked = surroundings(
            "02691000-026b2000 rw-p 00000000 00:00 0    [heap]\n\
             026b2000-026b3000 r--p 00000000 00:00 0\n",
        );
        let Cause::Blocked(by) = cause(&blocked, MIB) else {
            panic!("not blocked");
        };
        assert_eq!(by.start, 0x26b_2000);
        assert_eq!(cause(&roomy(), MIB), Cause::Unexplained);
        let data = Refusal {
            data_limit_bytes: Some(10 * MIB + MIB / 2),
            ..roomy()
        };
        assert_eq!(cause(&data, MIB), Cause::DataLimit);
        assert_eq!(cause(&data, MIB / 2), Cause::Unexplained, "just fits");
        let space = Refusal {
            address_space_limit_bytes: Some(100 * MIB),
            ..roomy()
        };
        assert_eq!(cause(&space, 4096), Cause::AddressSpaceLimit);
    }

    #[test]
    fn a_refusal_belongs_to_the_call_before_it() {
        let event = |tid, what| Event {
            pid: 1,
            tid,
            at: Duration::ZERO,
            what,
        };
        let refused = |asked, had| {
            What::Call(Call {
                syscall: Syscall::Brk,
                args: [asked, 0, 0, 0, 0, 0],
                result: Ok(had),
                path: None,
                stack: None,
            })
        };
        let told = |events: Vec<Event>| {
            let mut story = Refusals::default();
            events.iter().for_each(|event| story.take(event));
            story.seen().len()
        };
        let why = || What::Refused(Box::new(roomy()));
        assert_eq!(
            told(vec![event(1, refused(0x3000, 0x2000)), event(1, why())]),
            1
        );
        assert_eq!(
            told(vec![event(2, refused(0x3000, 0x2000)), event(1, why())]),
            0
        );
        // Below the start of the segment: nobody wanted more.
        assert_eq!(told(vec![event(1, refused(1, 0x2000)), event(1, why())]), 0);
    }
}
