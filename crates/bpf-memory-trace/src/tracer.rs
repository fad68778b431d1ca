//! Maps, programs and links put together: processes that are watched.

mod attached;
mod options;

use attached::Attached;
pub use attached::accepts_fexit;
pub use options::{Hook, Missed, Options};

use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use memory_event::{Syscall, TimeOrder};
use nix::time::{ClockId, clock_gettime};

use crate::map::{Map, MapKind};
use crate::programs::{CGROUP, EVERYBODY, LOST, RING, Scope, WATCHED};
use crate::record::{ALL, FOLLOW, PROOF, Record, Seen};
use crate::refusal::{Refusal, ftrace_is_disabled};
use crate::ring::RingReader;
use crate::sys;
use crate::uring::Uring;

/// How long a record that is being written is waited for, at the end.
const PATIENCE: Duration = Duration::from_secs(1);

/// Watches processes from inside the kernel. When it is dropped, or this process ends in whatever
/// way, nothing is left.
///
/// It asks nothing of the target: whoever may load programs sees what every process does, and the
/// names of its files. A caller who lets others choose processes checks what they may see.
#[derive(Debug)]
pub struct Tracer {
    watched: Map,
    scope: Scope,
    cgroup: Option<Map>,
    lost: Map,
    ring: RingReader,
    attached: Attached,
    /// A record bears the time at which its program had a place for it. So whatever gets a place later
    /// is younger: once a drain that began at some time has found everything written, all that is
    /// older than that time is there. A record that is still being written holds the rest up, not out
    /// of order.
    order: TimeOrder<Record>,
    uring: Uring,
}

impl Tracer {
    /// Loads and attaches the programs; nothing is watched yet.
    ///
    /// Needs `CAP_BPF` and `CAP_PERFMON`, and Linux 5.15. With [`Hook::Fexit`], dropping it can
    /// take 3 s, for which nobody else waits.
    ///
    /// # Errors
    /// [`Refusal`] says why this kernel, or this user, can't.
    ///
    /// # References
    /// capabilities(7), `CAP_BPF`, `CAP_PERFMON`; `include/trace/events/sched.h`
    pub fn new(hook: Hook, options: Options) -> Result<Self, Refusal> {
        if cfg!(not(target_arch = "x86_64")) {
            return Err(Refusal::Architecture);
        }
        if hook != Hook::SysExit && ftrace_is_disabled() {
            return Err(Refusal::FtraceDisabled);
        }
        let map = |name, kind| {
            Map::new(name, kind).map_err(|error| Refusal::of("maps", error, String::new()))
        };
        let bytes = options.ring_bytes;
        let watched = map(WATCHED, MapKind::PidFlags)?;
        let lost = map(LOST, MapKind::Counter)?;
        let ring = map(RING, MapKind::RingBuffer { bytes })?;
        let is_cgroup = options.scope == Scope::Cgroup;
        let cgroup = is_cgroup.then(|| map(CGROUP, MapKind::Cgroup)).transpose()?;
        let maps: Vec<_> = [&watched, &lost, &ring].into_iter().chain(&cgroup).collect();
        let attached = Attached::new(hook, options, &maps)?;
        let unmapped = |error| Refusal::of("to map the ring", error, String::new());
        let ring = RingReader::new(&ring).map_err(unmapped)?;
        let (scope, order, uring) = (options.scope, TimeOrder::default(), Uring::default());
        let mut tracer = Self { watched, scope, cgroup, lost, ring, attached, order, uring };
        tracer.prove()?;
        Ok(tracer)
    }

    /// Watches a process, with all its threads and whatever processes they make from now on.
    ///
    /// # Errors
    /// `EINVAL`: it is this process, whose calls are the [proof](Self::prove). `ESRCH`: no process can
    /// have that number.
    pub fn watch(&self, pid: u32) -> io::Result<()> {
        if pid == std::process::id() {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        self.watched.set_flags(pid, FOLLOW)
    }

    /// Watches whoever is in this cgroup of version 2, or below it, or comes there: this process, too.
    /// Who leaves it is watched on. Another one takes its place.
    ///
    /// # Errors
    /// `EINVAL`: [`Options::scope`] isn't [`Scope::Cgroup`]. `EBADF`: it isn't the directory of one.
    pub fn watch_cgroup(&self, directory: BorrowedFd<'_>) -> io::Result<()> {
        match &self.cgroup {
            Some(cgroup) => cgroup.set_cgroup(Some(directory)),
            None => Err(io::Error::from_raw_os_error(libc::EINVAL)),
        }
    }

    /// Watches every process, whenever it is born: this one too, and what the kernel has processes
    /// do.
    ///
    /// # Errors
    /// `EINVAL`: [`Options::scope`] isn't [`Scope::Everybody`].
    pub fn watch_everybody(&self) -> io::Result<()> {
        match self.scope {
            Scope::Everybody => self.watched.set_flags(EVERYBODY, ALL),
            _ => Err(io::Error::from_raw_os_error(libc::EINVAL)),
        }
    }

    /// Watches nobody any longer: the programs find nothing to tell until the next
    /// [`watch`](Self::watch).
    ///
    /// # Errors
    /// `ENOMEM`: no memory to map the list of those that are watched.
    pub fn unwatch_all(&self) -> io::Result<()> {
        self.cgroup.iter().try_for_each(|cgroup| cgroup.set_cgroup(None))?;
        self.watched.clear_flags()
    }

    /// Whether files that io_uring opens and closes are told: for that, the kernel must accept fentry
    /// and fexit programs, and be Linux 6.0 or newer.
    pub fn tells_uring(&self) -> bool {
        self.attached.tells_uring
    }

    /// Takes what has happened, in the order in which it did, up to a moment ago. Nobody is woken
    /// when something happens: ask again every 10 ms.
    pub fn read(&mut self, mut take: impl FnMut(Record)) {
        let began_ns = now_ns();
        if self.drain(|_| ()) {
            self.order.older_than(began_ns).for_each(&mut take);
        }
    }

    /// Takes all that has happened until now, as [`read`](Self::read) does, and tells what was
    /// missed.
    ///
    /// # Errors
    /// A counter can't be read.
    pub fn finish(&mut self, mut take: impl FnMut(Record)) -> io::Result<Missed> {
        let began = Instant::now();
        let until_ns = now_ns();
        while !self.drain(|_| ()) && began.elapsed() < PATIENCE {
            std::thread::yield_now();
        }
        self.order.older_than(until_ns).for_each(&mut take);
        self.missed()
    }

    /// What was missed so far.
    ///
    /// # Errors
    /// A counter can't be read.
    pub fn missed(&self) -> io::Result<Missed> {
        let ring_full = self.lost.counter()?;
        let mut missed = Missed { ring_full, ..Missed::default() };
        self.attached.add_missed(&mut missed)?;
        Ok(missed)
    }

    /// Makes a call of its own, and sees whether it arrives: a kernel may accept programs and never
    /// run them. [`new`](Self::new) has done it once; at the end it tells whether it was so all
    /// the time.
    ///
    /// # Errors
    /// [`Refusal::Silent`], [`Refusal::FtraceDisabled`].
    pub fn prove(&mut self) -> Result<(), Refusal> {
        let refused = |error| Refusal::of("changes to maps", error, String::new());
        let pid = std::process::id();
        self.watched.set_flags(pid, PROOF).map_err(refused)?;
        let the_break = sys::ask_for_the_break();
        self.watched.set_flags(pid, 0).map_err(refused)?;
        let began = Instant::now();
        let mut arrived = false;
        // It is there before the call is back; another one may be in its way.
        while !self.drain(|record| arrived |= is_proof(&record, pid, the_break))
            && !arrived
            && began.elapsed() < PATIENCE
        {
            std::thread::yield_now();
        }
        match arrived {
            true => Ok(()),
            false => Err(Refusal::silent()),
        }
    }

    fn drain(&mut self, mut proof: impl FnMut(Record)) -> bool {
        let (order, uring) = (&mut self.order, &mut self.uring);
        self.ring.drain(|bytes| match uring.parse(bytes) {
            Some((record, PROOF)) => proof(record),
            Some((record, _)) => order.hold(record.at_ns, record),
            None => {}
        })
    }
}

/// Another process may have this number in another namespace; it won't have this break.
fn is_proof(record: &Record, pid: u32, the_break: u64) -> bool {
    let Seen::Returned { syscall: Syscall::Brk, args: [0, ..], result, .. } = record.what else {
        return false;
    };
    record.pid == pid && result.cast_unsigned() == the_break
}

/// On the clock of the programs.
fn now_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |now| Duration::from(now).as_nanos() as u64)
}
