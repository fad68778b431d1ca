//! Watching by BPF programs: they run in the kernel where a call returns, and bring its file's name
//! along.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;

use bpf_memory_trace::{Hook, Options, Record, Scope, Seen, Tracer};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::beside::Tells;
use super::cgroup_directory::{CgroupDirectory, is_gone};
use super::emitter::Emitter;
use super::follower::Follower;
use super::note::AttachNotes;
use super::perf;
use super::points::TracepointKind;
use super::process_status;
use super::sample_record::{SampleData, SampleRecord};
use super::whom::may_trace_all;
use super::{AttachError, AttachNote, Stopper, Whom};
use memory_event::{Ending, Sink};

/// Time between two looks at the ring, in milliseconds. The programs wake nobody.
const ROUND_MILLISECONDS: u8 = 10;

/// The programs run, and tell of the process; nothing was told yet.
pub(super) struct ByBpf {
    tracer: Tracer,
    follower: Follower,
    /// Who comes there is watched, too.
    cgroup: Option<CgroupDirectory>,
    hidden: Hidden,
}

impl ByBpf {
    /// Attaches the programs by the best hook that works, and watches. With [`Hook::SysExit`]
    /// if there is no better one and `at_any_price`: that slows every system call of the machine, by
    /// more than tracepoints do.
    ///
    /// Also gives why better hooks were not used, if the last one was.
    pub(super) fn open(
        whom: &Whom,
        at_any_price: bool,
        ring_bytes: Option<usize>,
        stack_bytes: u16,
    ) -> Result<(Self, Option<String>), AttachError> {
        // The programs would see what this user may not.
        for &pid in whom.pids() {
            let refused = |source| AttachError::refused(pid, "access to its memory", source);
            access(pid).map_err(refused)?;
        }
        let mut options = Options::default();
        options.stack_bytes = stack_bytes;
        options.ring_bytes *= whom.ring_times() as u32;
        options.scope = match whom {
            Whom::Processes(_) => Scope::Watched,
            Whom::Cgroup { .. } => Scope::Cgroup,
            Whom::Everybody => Scope::Everybody,
        };
        if let Some(bytes) = ring_bytes {
            let bytes = bytes.max(proc_memory::page_size_bytes() as usize);
            options.ring_bytes = bytes.next_power_of_two().min(1 << 30) as u32;
        }
        let mut refusals = Vec::new();
        for hook in [Hook::KprobeMulti, Hook::Fexit] {
            match hook.is_reliable_here().and_then(|()| Tracer::new(hook, options)) {
                Ok(tracer) => return Ok((Self::watch(whom, tracer)?, None)),
                Err(refusal) => refusals.push(refusal.to_string()),
            }
        }
        if at_any_price {
            match Tracer::new(Hook::SysExit, options) {
                Ok(tracer) => return Ok((Self::watch(whom, tracer)?, Some(refusals.join("; ")))),
                Err(refusal) => refusals.push(refusal.to_string()),
            }
        }
        // One capability that is missing is a reason for all.
        refusals.dedup();
        Err(AttachError::NoBpf { refusals: refusals.join("; ") })
    }

    fn watch(whom: &Whom, tracer: Tracer) -> Result<Self, AttachError> {
        let step = AttachError::setup("tell the programs which process to watch");
        let mut processes = HashMap::new();
        for &pid in whom.pids() {
            tracer.watch(pid.cast_unsigned()).map_err(&step)?;
            // Those that are made from here on are told.
            processes.insert(pid, process_status::all_threads(pid));
        }
        let mut cgroup = None;
        match whom {
            Whom::Processes(_) => {}
            Whom::Cgroup { directory, .. } => {
                let open = CgroupDirectory::open(directory.clone()).map_err(&step)?;
                tracer.watch_cgroup(open.fd()).map_err(&step)?;
                cgroup = Some(open);
            }
            Whom::Everybody => tracer.watch_everybody().map_err(&step)?,
        }
        let tells = Tells { i386: true, uring: tracer.tells_uring() };
        let follower = Follower::new(processes, whom, tells);
        Ok(Self {
            tracer,
            follower,
            cgroup,
            hidden: Hidden { sees_all: may_trace_all(), ..Hidden::default() },
        })
    }

    /// Follows until all has ended or it is asked to stop; gives the number of records, and the
    /// programs, which watch nobody any longer: to detach them can take the kernel three seconds.
    pub(super) fn follow<S: Sink>(
        mut self,
        teller: &mut Emitter<S>,
        stopper: &Stopper,
        from_exec: bool,
    ) -> Result<(u64, Tracer), AttachError> {
        self.follower.begin(teller, from_exec);
        while !self.follower.all_ended() && !stopper.asked() {
            wait(stopper.bell());
            let round_ns = perf::now_ns();
            let (follower, hidden) = (&mut self.follower, &mut self.hidden);
            self.tracer.read(|record| {
                if !hidden.hides(&record, &mut teller.notes) {
                    follower.hold(sample(record), teller);
                }
            });
            self.follower.tell_ripe(round_ns, teller);
            if let Some(another) = self.cgroup.as_ref().and_then(CgroupDirectory::another) {
                let step = AttachError::setup("tell the programs of a cgroup that was made anew");
                match self.tracer.watch_cgroup(another.fd()) {
                    Err(error) if is_gone(&error) => {}
                    watched => {
                        watched.map_err(step)?;
                        self.cgroup = Some(another);
                    }
                }
            }
        }
        let until_ns = perf::now_ns();
        let (follower, hidden) = (&mut self.follower, &mut self.hidden);
        let missed = self.tracer.finish(|record| {
            if !hidden.hides(&record, &mut teller.notes) {
                follower.hold(sample(record), teller);
            }
        });
        let missed = missed.map_err(AttachError::setup("ask what the programs missed"))?;
        teller.lost_events = missed.ring_full + missed.skipped + missed.no_return_slot;
        // Somebody may have switched the programs off meanwhile.
        if let Err(refusal) = self.tracer.prove() {
            let why = refusal.to_string();
            teller.notes.add(AttachNote::FellSilent { why });
        }
        let stopped = self.tracer.unwatch_all();
        stopped.map_err(AttachError::setup("have the programs watch nobody"))?;
        Ok((self.follower.finish(until_ns, teller), self.tracer))
    }
}

/// Programs that this user may not trace, set-uid ones above all: of these, births and ends alone
/// are told.
#[derive(Default)]
struct Hidden {
    pids: HashSet<u32>,
    /// This user may trace whatever there is.
    sees_all: bool,
}

impl Hidden {
    fn hides(&mut self, record: &Record, notes: &mut AttachNotes) -> bool {
        let pid = record.pid;
        match record.what {
            Seen::Executed { secure, .. } => {
                // One that has ended already is what the kernel said of it.
                let refused = match access(pid.cast_signed()) {
                    Ok(()) => false,
                    Err(error) if error.raw_os_error() == Some(libc::EACCES) => true,
                    Err(_) => secure && !self.sees_all,
                };
                if refused {
                    self.pids.insert(pid);
                    let (first_pid, programs) = (pid.cast_signed(), 1);
                    notes.add(AttachNote::NotPermitted { first_pid, programs });
                } else {
                    self.pids.remove(&pid);
                }
                false
            }
            Seen::Forked { child_pid, .. } => {
                if self.pids.contains(&pid) {
                    self.pids.insert(child_pid);
                }
                false
            }
            Seen::Exited { process_status, .. } => {
                if process_status.is_some() {
                    self.pids.remove(&pid);
                }
                false
            }
            _ => self.pids.contains(&pid),
        }
    }
}

/// Whether this user may read the process's memory, which is what tracing is.
///
/// # References
/// ptrace(2), “Ptrace access mode checking”; proc_pid_mem(5)
fn access(pid: i32) -> io::Result<()> {
    File::open(format!("/proc/{pid}/mem")).map(drop)
}

/// Until the next round, or until the bell rings.
fn wait(bell: BorrowedFd<'_>) {
    let mut fds = [PollFd::new(bell, PollFlags::POLLIN)];
    // Interrupted or not: the next round looks at everything anyway.
    let _ = poll(&mut fds, PollTimeout::from(ROUND_MILLISECONDS));
}

/// As the tracepoints tell it.
fn sample(record: Record) -> SampleRecord {
    let (mut pid, mut tid) = (record.pid.cast_signed(), record.tid.cast_signed());
    let what = match record.what {
        Seen::Returned { syscall, args, result, is_i386, path, stack } => SampleData::Returned {
            kind: TracepointKind::Attached(syscall),
            args,
            result,
            is_i386,
            name: path,
            stack,
        },
        Seen::Forked { child_pid, child_tid } => {
            let (parent_pid, parent_tid) = (pid, tid);
            (pid, tid) = (child_pid.cast_signed(), child_tid.cast_signed());
            SampleData::Forked { parent_pid, parent_tid }
        }
        Seen::Executed { former_tid, path, .. } => {
            SampleData::Executed { former_tid: Some(former_tid.cast_signed()), name: path }
        }
        Seen::Exited { status, process_status } => SampleData::Exited {
            thread: Ending::from_wait_status(status),
            process: process_status.and_then(Ending::from_wait_status),
        },
        // Younger than this source.
        _ => SampleData::Lost(0),
    };
    SampleRecord { at_ns: record.at_ns, pid, tid, what }
}
