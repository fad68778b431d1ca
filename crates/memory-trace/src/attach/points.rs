//! The tracepoints that are watched.
//!
//! A call that came back brings its arguments along in the caller's registers, so that one record
//! a call is enough. Only exec and exit are looked at before they are made: what they replace or
//! end can't be asked afterwards.

use std::collections::HashMap;
use std::io;

use perf_event_open_sys::bindings;

use super::perf::{Attr, CLOCK, PerfEvent, Whose};
use super::tracefs::Tracefs;
use memory_event::Syscall;

/// Registers that hold a call's six arguments, as bits of `sample_regs_user`: rdx, rsi, rdi, r8,
/// r9, r10. The kernel leaves them as the program set them, and writes them in this order.
///
/// # References
/// `arch/x86/include/uapi/asm/perf_regs.h`; syscall(2), “Architecture calling conventions”
pub(super) const ARGUMENT_REGISTERS: u64 = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 16 | 1 << 17 | 1 << 18;

/// Those, and what an unwinder begins with: rbx, rdx, rsi, rdi, rbp, rsp, rip, r8, r9, r10, r12 to
/// r15, in this order.
const UNWIND_REGISTERS: u64 = ARGUMENT_REGISTERS | 1 << 1 | 0b111 << 6 | 0b1111 << 20;

/// Whose tracepoint it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TracepointKind {
    /// A watched call.
    Attached(Syscall),
    Exit,
    ExitGroup,
}

impl TracepointKind {
    fn name(self) -> &'static str {
        match self {
            Self::Attached(syscall) => syscall.name(),
            Self::Exit => "exit",
            Self::ExitGroup => "exit_group",
        }
    }
}

/// All of them, by the number that stands in their records.
#[derive(Debug, Default)]
pub(super) struct Points {
    /// Kind, and whether it is the call's beginning.
    by_id: HashMap<u16, (TracepointKind, bool)>,
    /// With the count of what was lost, where the kernel keeps one.
    read_format: u64,
    /// Bytes of stack with each call by which memory may grow.
    stack_bytes: u16,
}

impl Points {
    /// Reads their numbers.
    ///
    /// # Errors
    /// No such tracepoint (a kernel without `CONFIG_FTRACE_SYSCALLS`), or not in the form that is
    /// understood here.
    pub(super) fn read(tracefs: &Tracefs, stack_bytes: u16) -> io::Result<Self> {
        let watched = Syscall::ALL.into_iter().filter(|call| call.number().is_some());
        let returned = watched.map(|call| (TracepointKind::Attached(call), false));
        let entered = [
            TracepointKind::Attached(Syscall::Execve),
            TracepointKind::Attached(Syscall::Execveat),
            TracepointKind::Exit,
            TracepointKind::ExitGroup,
        ];
        let mut counting = common();
        // How many records of an event found no room (Linux 6.0).
        counting.read_format = bindings::PERF_FORMAT_LOST.into();
        let mut points = Self { stack_bytes, ..Self::default() };
        if PerfEvent::open(counting, Whose::Thread(0), -1).is_ok() {
            points.read_format = counting.read_format;
        }
        for (kind, is_entry) in returned.chain(entered.map(|kind| (kind, true))) {
            let side = if is_entry { "enter" } else { "exit" };
            let name = format!("sys_{side}_{}", kind.name());
            let format = match tracefs.format("syscalls", &name) {
                // Younger than this kernel, so nobody can call it.
                Err(error)
                    if error.kind() == io::ErrorKind::NotFound
                        && kind == TracepointKind::Attached(Syscall::Openat2) =>
                {
                    continue;
                }
                format => format?,
            };
            if !format.is_as_expected() {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("tracepoint syscalls:{name} has other fields than expected"),
                ));
            }
            points.by_id.insert(format.id, (kind, is_entry));
        }
        Ok(points)
    }

    #[cfg(test)]
    pub(super) fn of<const N: usize>(points: [(u16, TracepointKind, bool); N]) -> Self {
        let by_id = points.map(|(id, kind, entered)| (id, (kind, entered)));
        Self { by_id: by_id.into(), ..Self::default() }
    }

    #[cfg(test)]
    pub(super) fn with_stacks(self, stack_bytes: u16) -> Self {
        Self { stack_bytes, ..self }
    }

    /// Bytes of stack that the records of this kind bring along when the call comes back.
    pub(super) fn stack_bytes(&self, kind: TracepointKind) -> u16 {
        use Syscall::{Brk, Mmap, Mprotect, Mremap};
        match kind {
            TracepointKind::Attached(Brk | Mmap | Mprotect | Mremap) => self.stack_bytes,
            _ => 0,
        }
    }

    pub(super) fn by_id(&self, id: u16) -> Option<(TracepointKind, bool)> {
        self.by_id.get(&id).copied()
    }

    /// How each is opened on a thread, and before them the event that tells of threads' births and
    /// ends, and of new programs.
    pub(super) fn attrs(&self) -> impl Iterator<Item = Attr> {
        let calls = self.by_id.iter().map(|(&id, &(kind, entered))| {
            let mut attr = common();
            attr.type_ = bindings::PERF_TYPE_TRACEPOINT;
            attr.config = id.into();
            attr.sample_period = 1;
            attr.sample_type |= u64::from(bindings::PERF_SAMPLE_RAW);
            attr.set_inherit(1);
            attr.read_format = self.read_format;
            if !entered {
                attr.sample_type |= u64::from(bindings::PERF_SAMPLE_REGS_USER);
                attr.sample_regs_user = ARGUMENT_REGISTERS;
                let stack_bytes = self.stack_bytes(kind);
                if stack_bytes > 0 {
                    attr.sample_type |= u64::from(bindings::PERF_SAMPLE_STACK_USER);
                    attr.sample_regs_user = UNWIND_REGISTERS;
                    attr.sample_stack_user = stack_bytes.into();
                }
            }
            let urgent = match kind {
                // Its path can be read as long as the file is open, its memory while it lives.
                TracepointKind::Attached(call) => {
                    call.is_open() || matches!(call, Syscall::Execve | Syscall::Execveat)
                }
                TracepointKind::Exit | TracepointKind::ExitGroup => false,
            };
            if urgent {
                attr.wakeup_events = 1;
            } else {
                attr.set_watermark(1);
                attr.wakeup_watermark = u32::MAX;
            }
            attr
        });
        std::iter::once(self.life()).chain(calls)
    }

    fn life(&self) -> Attr {
        let mut attr = common();
        attr.read_format = self.read_format;
        attr.set_inherit(1);
        attr.set_task(1);
        attr.set_comm(1);
        attr.set_comm_exec(1);
        attr
    }

    /// How the event is opened that owns a ring; it wakes when a quarter of the ring is full.
    pub(super) fn ring(data_bytes: usize) -> Attr {
        let mut attr = common();
        attr.set_watermark(1);
        attr.wakeup_watermark = (data_bytes / 4) as u32;
        attr
    }
}

/// A software event that never happens, for its side records.
fn common() -> Attr {
    let mut attr = Attr {
        type_: bindings::PERF_TYPE_SOFTWARE,
        config: bindings::PERF_COUNT_SW_DUMMY.into(),
        sample_type: (bindings::PERF_SAMPLE_TID | bindings::PERF_SAMPLE_TIME).into(),
        clockid: CLOCK.as_raw(),
        ..Attr::default()
    };
    attr.set_sample_id_all(1);
    attr.set_use_clockid(1);
    attr
}
