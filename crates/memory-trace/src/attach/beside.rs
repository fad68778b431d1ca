//! What has to be looked at when a record comes, as it may soon be gone.

use std::os::unix::ffi::OsStringExt;
use std::sync::Arc;

use super::emitter::Emitter;
use super::points::TracepointKind;
use super::sample_record::{SampleData, SampleRecord};
use super::{AttachNote, Caller, opened, perf, process_status};
use crate::uring;
use memory_event::{Call, Memory, Refusal, Sink, Stack, Syscall};

/// What a source tells besides the calls of 64-bit code.
#[derive(Clone, Copy, Default)]
pub(super) struct Tells {
    /// The calls of 32-bit code.
    pub(super) i386: bool,
    /// Files that io_uring opens and closes.
    pub(super) uring: bool,
}

impl Tells {
    /// What is to be said of a process that runs a program of which nothing is told.
    pub(super) fn of_program(self, pid: i32) -> Option<AttachNote> {
        let foreign = !self.i386 && process_status::is_foreign(pid);
        foreign.then_some(AttachNote::ForeignArchitecture { first_pid: pid, programs: 1 })
    }

    /// And of what one has already that is watched from now on.
    pub(super) fn of_process(self, pid: i32) -> impl Iterator<Item = AttachNote> {
        let rings = if self.uring { 0 } else { uring::mapped(pid) };
        let rings = (0..rings).map(move |_| AttachNote::IoUring { first_pid: pid, rings: 1 });
        self.of_program(pid).into_iter().chain(rings)
    }
}

/// What memory a process had, and when that was read.
pub(super) type Reading = (Memory, u64);

/// What was seen.
pub(super) enum Beside {
    Nothing,
    Path(Option<Vec<u8>>),
    Memory { refusal: Option<Box<Refusal>>, stack: Option<Arc<Stack>> },
    Program(Vec<u8>),
    Executed(Option<Reading>),
}

/// What memory a process has now.
pub(super) fn read_memory(pid: i32) -> Option<Reading> {
    Memory::of(pid).map(|memory| (memory, perf::now_ns()))
}

/// Looks at what a call has changed, and who made it, as soon as its record is there.
pub(super) fn look<S: Sink>(
    record: &SampleRecord,
    tells: Tells,
    teller: &mut Emitter<S>,
) -> Beside {
    let pid = record.pid;
    if let SampleData::Executed { name: Some(name), .. } = &record.what {
        return Beside::Program(program(pid, name));
    }
    let SampleData::Returned {
        kind: TracepointKind::Attached(syscall),
        args,
        result,
        is_i386,
        name,
        stack,
    } = &record.what
    else {
        return Beside::Nothing;
    };
    let result = tracee::syscall_result(*result as u64);
    match (*syscall, result) {
        (call, Ok(fd)) if call.is_open() => {
            Beside::Path(opened::path(pid, call, args, name.clone(), fd))
        }
        (Syscall::Execve | Syscall::Execveat, Ok(_)) => Beside::Executed(read_memory(pid)),
        (syscall, result) if syscall.is_memory() => {
            let call = Call::new(syscall, *args, result);
            if !tells.uring {
                teller.may_map_ring(pid, &call);
            }
            let wanted = teller.wants_refusal(pid, &call);
            let caller = match stack {
                Some(stack) => Ok(Caller::Copied { pid, stack }),
                None if *is_i386 => Err(AttachNote::I386Stacks { calls: 1 }),
                None => Err(AttachNote::DroppedStacks { calls: 1 }),
            };
            Beside::Memory {
                refusal: wanted.then(|| Refusal::of(pid)).flatten().map(Box::new),
                stack: teller.stack(pid, caller, &call),
            }
        }
        _ => Beside::Nothing,
    }
}

/// The path of a program that has just been executed by this path or name, if it is there still.
fn program(pid: i32, name: &[u8]) -> Vec<u8> {
    /// Bytes of a name that the kernel keeps: prctl(2), `PR_SET_NAME`.
    const KEPT_BYTES: usize = 15;
    let kept = |path: &[u8]| {
        let file = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
        file[..file.len().min(KEPT_BYTES)].to_vec()
    };
    let path = std::fs::read_link(format!("/proc/{pid}/exe"));
    let path = path.map(|path| path.into_os_string().into_vec()).ok();
    path.filter(|path| kept(path) == kept(name)).unwrap_or_else(|| name.to_vec())
}
