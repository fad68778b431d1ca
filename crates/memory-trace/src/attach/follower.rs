//! What a source of records has in common with another: whose they are, and in what order they are
//! told.

use std::collections::{HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use super::beside::{Beside, Reading, Tells, look, read_memory};
use super::emitter::{Emitter, TaskAt};
use super::perf;
use super::points::TracepointKind;
use super::process_table::ProcessTable;
use super::rings::Order;
use super::sample_record::{SampleData, SampleRecord};
use super::{AttachNote, Whom, process_status};
use memory_event::{Call, Ending, Memory, Sink, Syscall, What};
use proc_memory::Stat;

/// Processes whose end nobody told (their record was lost) are looked for so often.
const ROLL_CALL: Duration = Duration::from_secs(1);

/// So many processes are held open to ask how they ended, where nothing else tells.
const MOST_HANDLES: usize = 256;

/// Of so many processes that were there it is read what memory they have, before it is known which
/// of them will do something.
const MOST_READ_BEFORE: usize = 4096;

/// So many processes are followed at once, if anybody may come.
const MOST_FOLLOWED: usize = 16_384;

/// Follows processes and those that they make, or whoever there is.
pub(super) struct Follower {
    /// Whoever isn't known has come to be watched as well.
    admits_others: bool,
    /// What those others had that were there when it began, until they do something.
    before: HashMap<i32, Reading>,
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
    /// Who has come and found no place.
    unfollowed: HashSet<i32>,
    roll_call: Instant,
}

/// A record, and what had to be looked at when it came.
struct PendingRecord {
    record: SampleRecord,
    beside: Beside,
}

impl Follower {
    /// Of processes that have these threads, and of others if they are to be watched; their records
    /// come from now on.
    pub(super) fn new(processes: HashMap<i32, HashSet<i32>>, whom: &Whom, tells: Tells) -> Self {
        let everybody = match whom {
            Whom::Processes(_) | Whom::Cgroup { .. } => None,
            Whom::Everybody => Some((perf::now_ns(), memory_of_all())),
        };
        let (began_ns, before) = everybody.unzip();
        let pids = || processes.keys().copied();
        let handles = pids()
            .take(MOST_HANDLES)
            .filter_map(|pid| Some((pid, proc_memory::pidfd_open(pid).ok()?)));
        Self {
            admits_others: whom.admits_others(),
            before: before.unwrap_or_default(),
            handles: handles.collect(),
            order: Order::default(),
            // Whatever is called once this has returned is told.
            memory: pids().map(|pid| (pid, Memory::of(pid))).collect(),
            untold: pids().flat_map(|pid| tells.of_process(pid)).collect(),
            life: ProcessTable::of(processes),
            awaited: None,
            began_ns: began_ns.unwrap_or_else(perf::now_ns),
            fresh: HashMap::new(),
            tells,
            records: 0,
            suspects: Vec::new(),
            unfollowed: HashSet::new(),
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

    /// Whether the processes and all that they made have ended, and nobody else can come.
    pub(super) fn all_ended(&self) -> bool {
        self.life.is_empty() && !self.admits_others
    }

    /// Takes a record, and looks at once at what may soon be gone.
    pub(super) fn hold<S: Sink>(&mut self, record: SampleRecord, teller: &mut Emitter<S>) {
        self.records += 1;
        // Of all that are watched it is this process that watches.
        if is_own(record.pid) {
            return;
        }
        let beside = match record.at_ns >= self.began_ns {
            true => look(&record, self.tells, teller),
            false => Beside::Nothing,
        };
        self.order.hold(record.at_ns, PendingRecord { record, beside });
    }

    /// Tells what nothing older can precede any more, after a round of reading that began then.
    pub(super) fn tell_ripe<S: Sink>(&mut self, round_ns: u64, teller: &mut Emitter<S>) {
        for seen in self.order.ripe(round_ns) {
            self.tell(teller, seen, u64::MAX);
        }
        // To look for one takes some 50 µs.
        let processes = self.life.pids().len() as u32;
        if self.roll_call.elapsed() >= ROLL_CALL.max(Duration::from_millis(5) * processes) {
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
        if self.admits_others && !self.admits(&seen.record, teller) {
            return;
        }
        let SampleRecord { at_ns, pid, tid, what } = seen.record;
        if self.awaited == Some(pid) {
            match what {
                SampleData::Executed { .. } => {
                    (self.awaited, self.began_ns) = (None, at_ns);
                    self.life.executed(pid);
                    let who = self.who(pid, tid, at_ns);
                    teller.tell(who, What::Started);
                    if let Beside::Program(path) = seen.beside {
                        teller.tell(who, What::Program(path));
                    }
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
            SampleData::Executed { former_tid, .. } => {
                if let Some(tid) = former_tid {
                    self.life.begins_exec(pid, tid, Syscall::Execve);
                }
                if let Some((by, former_tid)) = self.life.executed(pid)
                    && told
                {
                    teller.executed(who, by, former_tid);
                    if let Beside::Program(path) = seen.beside {
                        teller.tell(who, What::Program(path));
                    }
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

    /// Whether the record is of somebody who is watched: if that is news, it is told.
    fn admits<S: Sink>(&mut self, record: &SampleRecord, teller: &mut Emitter<S>) -> bool {
        let &SampleRecord { at_ns, pid, tid, ref what } = record;
        let (by, born) = match *what {
            SampleData::Forked { parent_pid, .. } => (parent_pid, parent_pid != pid),
            _ => (pid, false),
        };
        if born {
            // What another had that had its number.
            self.before.remove(&pid);
        }
        let knows = self.life.knows(by);
        if (born || !knows) && self.life.pids().len() >= MOST_FOLLOWED {
            if self.unfollowed.insert(pid) {
                teller.notes.add(AttachNote::Unfollowed { processes: 1 });
            }
            return false;
        }
        if knows {
            return true;
        }
        let is_nobody = match what {
            // The kernel has threads of its own; they make no calls.
            SampleData::Forked { .. } => {
                is_own(by) || Stat::of_thread(by, by).is_some_and(|stat| stat.is_kernel_thread())
            }
            // It has done nothing.
            SampleData::Exited { .. } => true,
            // It did this before its memory was read.
            _ => self.before.get(&by).is_some_and(|(_, read_ns)| at_ns < *read_ns),
        };
        if is_nobody {
            return false;
        }
        let (mut threads, _) = tracee::threads(by);
        threads.retain(|thread| *thread != tid || !matches!(what, SampleData::Forked { .. }));
        self.life.comes(by, threads);
        teller.processes += 1;
        self.tells.of_process(by).for_each(|note| teller.notes.add(note));
        let who = self.who(by, by, at_ns);
        match self.before.remove(&by) {
            Some((memory, _)) => teller.started(by, who.at, Some(memory)),
            None => {
                teller.tell(who, What::Started);
                self.fresh.insert(by, read_memory(by));
            }
        }
        true
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
            Beside::Nothing | Beside::Program(_) | Beside::Executed(_) => {}
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

/// What processes have that are there already, as far as it can be read.
fn memory_of_all() -> HashMap<i32, Reading> {
    let pids = proc_memory::all_pids().unwrap_or_default().into_iter();
    let readings = pids.filter_map(|pid| Some((pid, read_memory(pid)?)));
    readings.filter(|(_, (memory, _))| !memory.ranges.is_empty()).take(MOST_READ_BEFORE).collect()
}

fn is_own(pid: i32) -> bool {
    pid.cast_unsigned() == std::process::id()
}
