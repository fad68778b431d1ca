//! What a source of records has in common with another: whose they are, and in what order they are
//! told.

use std::collections::{HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::emitter::{Emitter, TaskAt};
use super::perf;
use super::points::TracepointKind;
use super::process_table::ProcessTable;
use super::rings::Order;
use super::sample_record::{SampleData, SampleRecord};
use super::{AttachNote, Caller, opened, process_status};
use crate::uring;
use memory_event::{Call, Ending, Memory, Refusal, Sink, Stack, Syscall, What};

/// Processes whose end nobody told (their record was lost) are looked for so often.
const ROLL_CALL: Duration = Duration::from_secs(1);

/// So many processes are held open to ask how they ended, where nothing else tells.
const MOST_HANDLES: usize = 256;

/// Follows processes and those that they make.
pub(super) struct Follower {
    /// Of those that were there, open to ask how they ended.
    handles: HashMap<i32, OwnedFd>,
    order: Order<PendingRecord>,
    life: ProcessTable,
    /// What those that were there had when it began.
    memory: Vec<(i32, Option<Memory>)>,
    /// What is not told of them.
    untold: Vec<AttachNote>,
    /// The process whose exec is the beginning, until it is made.
    awaited: Option<i32>,
    /// Nothing from before is told, but births and ends are remembered.
    began_ns: u64,
    /// Memory of programs that were just executed, and when it was read.
    fresh: HashMap<i32, Option<Reading>>,
    tells: Tells,
    records: u64,
    suspects: Vec<i32>,
    roll_call: Instant,
}

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
    fn of_program(self, pid: i32) -> Option<AttachNote> {
        let foreign = !self.i386 && process_status::is_foreign(pid);
        foreign.then_some(AttachNote::ForeignArchitecture { first_pid: pid, programs: 1 })
    }

    /// And of what a process has already.
    fn of_rings(self, pid: i32) -> impl Iterator<Item = AttachNote> {
        let rings = if self.uring { 0 } else { uring::mapped(pid) };
        (0..rings).map(move |_| AttachNote::IoUring { first_pid: pid, rings: 1 })
    }
}

/// What memory a process had, and when that was read.
type Reading = (Memory, u64);

/// A record, and what had to be looked at when it came.
struct PendingRecord {
    record: SampleRecord,
    beside: Beside,
}

enum Beside {
    Nothing,
    Path(Option<Vec<u8>>),
    Memory { refusal: Option<Box<Refusal>>, stack: Option<Arc<Stack>> },
    Executed(Option<Reading>),
}

impl Follower {
    /// Of processes that have these threads, whose records come from now on.
    pub(super) fn new(processes: HashMap<i32, HashSet<i32>>, tells: Tells) -> Self {
        let pids = || processes.keys().copied();
        let handles = pids()
            .take(MOST_HANDLES)
            .filter_map(|pid| Some((pid, proc_memory::pidfd_open(pid).ok()?)));
        Self {
            handles: handles.collect(),
            order: Order::default(),
            // Whatever is called once this has returned is told.
            memory: pids().map(|pid| (pid, Memory::of(pid))).collect(),
            untold: pids()
                .flat_map(|pid| tells.of_program(pid).into_iter().chain(tells.of_rings(pid)))
                .collect(),
            life: ProcessTable::of(processes),
            awaited: None,
            began_ns: perf::now_ns(),
            fresh: HashMap::new(),
            tells,
            records: 0,
            suspects: Vec::new(),
            roll_call: Instant::now(),
        }
    }

    /// Says what was there already; nothing, if it begins with an exec.
    pub(super) fn begin<S: Sink>(&mut self, teller: &mut Emitter<S>, from_exec: bool) {
        for (pid, memory) in self.memory.drain(..) {
            match from_exec {
                true => self.awaited = Some(pid),
                false => teller.started(pid, Duration::ZERO, memory),
            }
        }
        self.untold.drain(..).for_each(|note| teller.notes.add(note));
    }

    /// Whether the process and all that it made have ended.
    pub(super) fn all_ended(&self) -> bool {
        self.life.is_empty()
    }

    /// Takes a record, and looks at once at what may soon be gone.
    pub(super) fn hold<S: Sink>(&mut self, record: SampleRecord, teller: &mut Emitter<S>) {
        self.records += 1;
        let beside = match record.what {
            SampleData::Returned { .. } if record.at_ns >= self.began_ns => {
                look(&record, self.tells, teller)
            }
            _ => Beside::Nothing,
        };
        self.order.hold(record.at_ns, PendingRecord { record, beside });
    }

    /// Tells what nothing older can precede any more, after a round of reading that began then.
    pub(super) fn tell_ripe<S: Sink>(&mut self, round_ns: u64, teller: &mut Emitter<S>) {
        for seen in self.order.ripe(round_ns) {
            self.tell(teller, seen, u64::MAX);
        }
        if self.roll_call.elapsed() >= ROLL_CALL {
            self.roll_call = Instant::now();
            self.call_the_roll(teller);
        }
    }

    /// Tells the rest, as far as it happened until then; gives the number of records.
    pub(super) fn finish<S: Sink>(mut self, until_ns: u64, teller: &mut Emitter<S>) -> u64 {
        for seen in self.order.rest() {
            self.tell(teller, seen, until_ns);
        }
        for (pid, memory) in std::mem::take(&mut self.fresh) {
            let who = self.who(pid, pid, until_ns);
            teller.memory(who, memory.map(|(memory, _)| memory));
        }
        self.records
    }

    fn tell<S: Sink>(&mut self, teller: &mut Emitter<S>, seen: PendingRecord, until_ns: u64) {
        let SampleRecord { at_ns, pid, tid, what } = seen.record;
        if self.awaited == Some(pid) {
            match what {
                SampleData::Executed { .. } => {
                    (self.awaited, self.began_ns) = (None, at_ns);
                    self.life.executed(pid);
                    teller.tell(self.who(pid, tid, at_ns), What::Started);
                    return;
                }
                SampleData::Exited { .. } => {}
                _ => return,
            }
        }
        let who = self.who(pid, tid, at_ns);
        let told = (self.began_ns..=until_ns).contains(&at_ns);
        match what {
            SampleData::Forked { parent_pid, parent_tid } => {
                if self.life.forked(parent_pid, pid, tid) {
                    let parent = self.who(parent_pid, parent_tid, at_ns);
                    if told {
                        teller.forked(parent, tid, pid == parent_pid);
                    } else {
                        teller.processes += u64::from(pid != parent_pid);
                    }
                }
            }
            SampleData::Executed { former_tid } => {
                if let Some(tid) = former_tid {
                    self.life.begins_exec(pid, tid, Syscall::Execve);
                }
                if let Some((by, former_tid)) = self.life.executed(pid)
                    && told
                {
                    teller.executed(who, by, former_tid);
                    self.tells.of_program(pid).into_iter().for_each(|note| teller.notes.add(note));
                }
            }
            SampleData::Exited { thread, process } => {
                for end in self.life.ended(pid, tid) {
                    let brought = if end.tid == pid { process } else { thread };
                    self.ended(
                        teller,
                        self.who(pid, end.tid, at_ns),
                        brought.or(end.ending),
                        end.executing,
                    );
                }
            }
            SampleData::Entered { kind, first_arg } => match kind {
                TracepointKind::Attached(by) => self.life.begins_exec(pid, tid, by),
                TracepointKind::Exit => self.life.exits(tid, first_arg as u8),
                TracepointKind::ExitGroup => self.life.exits_with_all(pid, first_arg as u8),
            },
            SampleData::Returned { kind, args, result, .. } => {
                if told && let TracepointKind::Attached(syscall) = kind {
                    self.returned(teller, who, at_ns, (syscall, args, result), seen.beside);
                }
            }
            SampleData::Lost(_) => {}
        }
    }

    fn returned<S: Sink>(
        &mut self,
        teller: &mut Emitter<S>,
        who: TaskAt,
        at_ns: u64,
        (syscall, args, value): (Syscall, [u64; 6], i64),
        beside: Beside,
    ) {
        if matches!(syscall, Syscall::Execve | Syscall::Execveat) {
            if value == 0 {
                // Told already, when the old program was given up.
                if let Beside::Executed(memory) = beside {
                    self.fresh.insert(who.pid, memory);
                }
                return;
            }
            self.life.goes_on(who.tid);
        }
        if syscall.is_memory()
            && let Some(memory) = self.fresh.remove(&who.pid)
        {
            // What was read after the program's first call isn't what it had before.
            let unchanged = memory.filter(|(_, read_ns)| *read_ns < at_ns);
            teller.memory(who, unchanged.map(|(memory, _)| memory));
        }
        let mut call = Call::new(syscall, args, tracee::syscall_result(value as u64));
        let mut refused = None;
        match beside {
            Beside::Path(path) => call.path = path,
            Beside::Memory { refusal, stack } => (refused, call.stack) = (refusal, stack),
            Beside::Nothing | Beside::Executed(_) => {}
        }
        teller.returned(who, call, refused);
    }

    fn ended<S: Sink>(
        &mut self,
        teller: &mut Emitter<S>,
        who: TaskAt,
        code: Option<Ending>,
        executing: bool,
    ) {
        if who.pid == who.tid {
            self.fresh.remove(&who.pid);
            if executing && process_status::is_alive(who.pid) {
                let (first_pid, processes) = (who.pid, 1);
                let note = AttachNote::SetUidProgram { first_pid, processes };
                teller.notes.add(note);
                return;
            }
        }
        let handle = self.handles.get(&who.pid);
        let ending = code.or_else(|| process_status::ending_of(who.pid, handle));
        if who.pid == who.tid {
            self.handles.remove(&who.pid);
        }
        teller.ended(who, ending);
    }

    /// Forgets processes that were gone at the last call as well, so that their own record, which
    /// may be on its way, comes first.
    fn call_the_roll<S: Sink>(&mut self, teller: &mut Emitter<S>) {
        let gone: Vec<_> = self.life.pids().filter(|pid| !process_status::is_alive(*pid)).collect();
        for pid in &gone {
            if self.suspects.contains(pid) {
                self.life.vanished(*pid);
                let who = self.who(*pid, *pid, perf::now_ns());
                self.ended(teller, who, None, false);
            }
        }
        self.suspects = gone;
    }

    fn who(&self, pid: i32, tid: i32, at_ns: u64) -> TaskAt {
        TaskAt { pid, tid, at: Duration::from_nanos(at_ns.saturating_sub(self.began_ns)) }
    }
}

/// Looks at what a call has changed, and who made it, as soon as its record is there.
fn look<S: Sink>(record: &SampleRecord, tells: Tells, teller: &mut Emitter<S>) -> Beside {
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
    let (pid, result) = (record.pid, tracee::syscall_result(*result as u64));
    match (*syscall, result) {
        (call, Ok(fd)) if call.is_open() => {
            Beside::Path(opened::path(pid, call, args, name.clone(), fd))
        }
        (Syscall::Execve | Syscall::Execveat, Ok(_)) => {
            let memory = Memory::of(pid);
            Beside::Executed(memory.map(|memory| (memory, perf::now_ns())))
        }
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
