//! What perf writes into a ring, read from its bytes.
//!
//! The events are opened so that every record begins as `perf_event_open(2)` says under “The ring
//! buffer” for these `sample_type`s: thread, time, raw data, and for calls that came back the
//! registers of the caller. By hand, as which of these a record has is told by the tracepoint's
//! number within it, while `linux-perf-event-reader` wants to know it before (by
//! `PERF_SAMPLE_IDENTIFIER`, eight bytes more for each record).

use super::points::{Points, TracepointKind};
use bpf_memory_trace::StackCopy;
use memory_event::Ending;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SampleRecord {
    /// When, in nanoseconds of [`CLOCK`](super::perf::CLOCK).
    pub(super) at_ns: u64,
    pub(super) pid: i32,
    pub(super) tid: i32,
    pub(super) what: SampleData,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SampleData {
    /// A call came back.
    Returned {
        kind: TracepointKind,
        args: [u64; 6],
        result: i64,
        /// 32-bit code made it, of which no stack comes along.
        is_i386: bool,
        /// The file's name that it was given, where that came along.
        name: Option<Vec<u8>>,
        /// Who made it, where that came along.
        stack: Option<StackCopy>,
    },
    /// A call of which its beginning matters began.
    Entered { kind: TracepointKind, first_arg: u64 },
    /// The thread `tid` of `pid` was made by `parent_tid`.
    Forked { parent_pid: i32, parent_tid: i32 },
    /// The thread ended, and how it and its process did, where that came along.
    Exited { thread: Option<Ending>, process: Option<Ending> },
    /// It executed another program, by this thread's call, where that came along; the program's path
    /// or what it is called.
    Executed { former_tid: Option<i32>, name: Option<Vec<u8>> },
    /// So many records found no room before this one.
    Lost(u64),
}

/// Reads one record; `None` for those of no interest.
pub(super) fn parse(record: &[u8], points: &Points) -> Option<SampleRecord> {
    use perf_event_open_sys::bindings as perf;
    const COMM_BY_EXEC: u16 = perf::PERF_RECORD_MISC_COMM_EXEC as u16;
    let misc = u16::from_ne_bytes(*record.get(4..)?.first_chunk()?);
    let body = record.get(8..)?;
    match u32_at(record, 0)? {
        perf::PERF_RECORD_SAMPLE => sample(body, points),
        kind @ (perf::PERF_RECORD_FORK | perf::PERF_RECORD_EXIT) => Some(SampleRecord {
            at_ns: u64_at(body, 16)?,
            pid: i32_at(body, 0)?,
            tid: i32_at(body, 8)?,
            what: match kind {
                perf::PERF_RECORD_EXIT => SampleData::Exited { thread: None, process: None },
                _ => SampleData::Forked {
                    parent_pid: i32_at(body, 4)?,
                    parent_tid: i32_at(body, 12)?,
                },
            },
        }),
        perf::PERF_RECORD_COMM if misc & COMM_BY_EXEC != 0 => Some(SampleRecord {
            at_ns: u64_at(body, body.len().checked_sub(8)?)?,
            pid: i32_at(body, 0)?,
            tid: i32_at(body, 4)?,
            what: SampleData::Executed { former_tid: None, name: comm(body) },
        }),
        perf::PERF_RECORD_LOST => Some(SampleRecord {
            at_ns: u64_at(body, body.len().checked_sub(8)?)?,
            pid: 0,
            tid: 0,
            what: SampleData::Lost(u64_at(body, 8)?),
        }),
        _ => None,
    }
}

/// The command's name, between thread and sample's identity.
fn comm(body: &[u8]) -> Option<Vec<u8>> {
    let name = body.get(8..)?.split(|byte| *byte == 0).next()?;
    Some(name.to_vec()).filter(|name| !name.is_empty())
}

fn sample(body: &[u8], points: &Points) -> Option<SampleRecord> {
    let (pid, tid) = (i32_at(body, 0)?, i32_at(body, 4)?);
    let at_ns = u64_at(body, 8)?;
    let raw_bytes = u32_at(body, 16)? as usize;
    let raw = body.get(20..20 + raw_bytes)?;
    let id = u16::from_ne_bytes(*raw.first_chunk()?);
    let (kind, entered) = points.by_id(id)?;
    let value = u64_at(raw, 16)?;
    let what = if entered {
        SampleData::Entered { kind, first_arg: value }
    } else {
        let registers = body.get(20 + raw_bytes..)?;
        let (args, stack) = match points.stack_bytes(kind) {
            0 => (arguments(registers)?, None),
            _ => arguments_and_stack(registers)?,
        };
        let (result, is_i386) = (value as i64, false);
        SampleData::Returned { kind, args, result, is_i386, name: None, stack }
    };
    Some(SampleRecord { at_ns, pid, tid, what })
}

/// Number of the ABI, then the registers of `UNWIND_REGISTERS`; the stack's size, so many bytes, and how
/// many of them were copied.
fn arguments_and_stack(registers: &[u8]) -> Option<([u64; 6], Option<StackCopy>)> {
    const ABI_64: u64 = 2;
    const REGISTERS: usize = 14;
    if u64_at(registers, 0)? != ABI_64 {
        return None;
    }
    let register = |index: usize| u64_at(registers, 8 + 8 * index);
    let (rbx, rdx, rsi, rdi) = (register(0)?, register(1)?, register(2)?, register(3)?);
    let (rbp, rsp, rip) = (register(4)?, register(5)?, register(6)?);
    let (r8, r9, r10) = (register(7)?, register(8)?, register(9)?);
    let (r12, r13, r14, r15) = (register(10)?, register(11)?, register(12)?, register(13)?);
    let stack = registers.get(8 + 8 * REGISTERS..)?;
    let stack = match u64_at(stack, 0)? as usize {
        0 => None,
        size => {
            let copied = u64_at(stack, 8 + size)? as usize;
            let bytes = stack.get(8..8 + size)?.get(..copied)?.to_vec();
            let registers = [rip, rsp, rbp, rbx, r12, r13, r14, r15];
            Some(StackCopy::new(registers, vec![(rsp, bytes)]))
        }
    };
    Some(([rdi, rsi, rdx, r10, r8, r9], stack))
}

/// Number of the ABI, then the registers of [`ARGUMENT_REGISTERS`](super::points::ARGUMENT_REGISTERS).
fn arguments(registers: &[u8]) -> Option<[u64; 6]> {
    const ABI_64: u64 = 2;
    if u64_at(registers, 0)? != ABI_64 {
        return None;
    }
    let register = |index: usize| u64_at(registers, 8 + 8 * index);
    let (rdx, rsi, rdi) = (register(0)?, register(1)?, register(2)?);
    let (r8, r9, r10) = (register(3)?, register(4)?, register(5)?);
    Some([rdi, rsi, rdx, r10, r8, r9])
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(*bytes.get(offset..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(offset..)?.first_chunk()?))
}

fn i32_at(bytes: &[u8], offset: usize) -> Option<i32> {
    u32_at(bytes, offset).map(|value| value as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use memory_event::Syscall;

    fn words(words: &[u64]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    #[test]
    fn a_returned_call() {
        let points = Points::of([(77, TracepointKind::Attached(Syscall::Brk), false)]);
        let mut record = words(&[9 | 112 << 48, 10 | 11 << 32, 5000]);
        record.extend(28_u32.to_ne_bytes());
        record.extend(words(&[77, 12, -22_i64 as u64]));
        record.extend(0_u32.to_ne_bytes());
        record.extend(words(&[2, 3, 2, 1, 5, 6, 4]));
        // The raw data is 24 bytes and 4 of padding, so that the registers are aligned.
        let parsed = parse(&record, &points).unwrap();
        assert_eq!((parsed.pid, parsed.tid, parsed.at_ns), (10, 11, 5000));
        let what = SampleData::Returned {
            kind: TracepointKind::Attached(Syscall::Brk),
            args: [1, 2, 3, 4, 5, 6],
            result: -22,
            is_i386: false,
            name: None,
            stack: None,
        };
        assert_eq!(parsed.what, what);
        for length in 0..record.len() {
            assert_eq!(parse(&record[..length], &points), None, "cut at {length}");
        }
    }

    #[test]
    fn a_returned_call_with_its_stack() {
        let points = Points::of([(77, TracepointKind::Attached(Syscall::Brk), false)]);
        let points = points.with_stacks(32);
        for copied in [32, 16, 0] {
            let mut record = words(&[9 | 232 << 48, 10 | 11 << 32, 5000]);
            record.extend(28_u32.to_ne_bytes());
            record.extend(words(&[77, 12, 0]));
            record.extend(0_u32.to_ne_bytes());
            record.extend(words(&[2, 103, 3, 2, 1, 106, 107, 108, 5, 6, 4, 12, 13, 14, 15]));
            record.extend(words(&[32, 1, 2, 3, 4, copied]));
            let parsed = parse(&record, &points).unwrap();
            let SampleData::Returned { args, stack: Some(stack), .. } = parsed.what else {
                panic!("{parsed:?}");
            };
            assert_eq!(args, [1, 2, 3, 4, 5, 6]);
            assert_eq!(stack.registers, [108, 107, 106, 103, 12, 13, 14, 15]);
            let bytes = words(&[1, 2, 3, 4])[..copied as usize].to_vec();
            assert_eq!(stack.parts, [(107, bytes)]);
            for length in 0..record.len() {
                assert_eq!(parse(&record[..length], &points), None, "cut at {length}");
            }
        }
    }

    #[test]
    fn life_and_loss() {
        let points = Points::of([]);
        let fork = words(&[7, 20 | 10 << 32, 21 | 11 << 32, 6000, 10 | 11 << 32, 6000]);
        let fork = parse(&fork, &points).unwrap();
        assert_eq!((fork.pid, fork.tid, fork.at_ns), (20, 21, 6000));
        let from = SampleData::Forked { parent_pid: 10, parent_tid: 11 };
        assert_eq!(fork.what, from);
        let name = u64::from_le_bytes(*b"nginx\0\0\0");
        let exec = words(&[3 | 1 << 45, 10 | 11 << 32, name, 0, 10 | 11 << 32, 7000]);
        let name = Some(b"nginx".to_vec());
        let executed = SampleData::Executed { former_tid: None, name };
        assert_eq!(parse(&exec, &points).unwrap().what, executed);
        let renamed = words(&[3, 10 | 11 << 32, 0, 0, 10 | 11 << 32, 7000]);
        assert_eq!(parse(&renamed, &points), None);
        let lost = words(&[2, 99, 400, 10 | 11 << 32, 8000]);
        assert_eq!(parse(&lost, &points).unwrap().what, SampleData::Lost(400));
    }
}
