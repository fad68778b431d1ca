//! Which threads are being traced, and which process each belongs to.

use std::collections::HashMap;
use std::fs;

use super::syscall_reader::SyscallEntry;

use proc_memory::Status;

/// What is remembered of a traced thread.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tracee {
    pub(crate) pid: i32,
    /// It was let into a watched call that hasn't come back.
    pub(crate) in_call: bool,
    /// That call, if the reader looks before.
    pub(crate) asked: Option<SyscallEntry>,
    /// It is on its way from an exec to the first instruction of its new program.
    pub(crate) entering: bool,
    /// It is about to end.
    pub(crate) leaving: bool,
}

/// A new thread and who made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NewTask {
    pub(crate) child_tid: i32,
    pub(crate) child_pid: i32,
    pub(crate) parent_tid: i32,
    pub(crate) parent_pid: i32,
}

impl NewTask {
    pub(crate) fn is_thread(&self) -> bool {
        self.child_pid != self.child_tid
    }
}

/// All traced threads.
///
/// A birth is reported twice, by the parent's event and by the child's first stop, in either
/// order, and each may be missing when somebody is killed meanwhile. Whichever comes first makes
/// the entry; nothing ever waits for the other.
#[derive(Debug, Default)]
pub(crate) struct Tracees {
    threads: HashMap<i32, Tracee>,
    /// Those that came before the parent's event: child → process that made it.
    early: HashMap<i32, i32>,
}

impl Tracees {
    pub(crate) fn get_mut(&mut self, tid: i32) -> Option<&mut Tracee> {
        self.threads.get_mut(&tid)
    }

    pub(crate) fn insert_first(&mut self, pid: i32) {
        self.threads.insert(pid, Tracee { pid, ..Tracee::default() });
    }

    /// The parent's event. `None` if the child was seen before.
    pub(crate) fn announced(&mut self, parent_tid: i32, child_tid: i32) -> Option<NewTask> {
        if self.early.remove(&child_tid).is_some() || self.threads.contains_key(&child_tid) {
            return None;
        }
        let parent_pid = self.threads.get(&parent_tid).map_or(parent_tid, |parent| parent.pid);
        // Gone already, killed: take it for a process. It made no call anyway.
        let child_pid = match is_thread_of(child_tid, parent_pid) {
            true => parent_pid,
            false => child_tid,
        };
        Some(self.insert(NewTask { child_tid, child_pid, parent_tid, parent_pid }))
    }

    /// A stop of a thread that nobody has announced yet. `None` if it is known.
    pub(crate) fn first_seen(&mut self, tid: i32) -> Option<NewTask> {
        if self.threads.contains_key(&tid) {
            return None;
        }
        let Family { process, parent } = family(tid).unwrap_or(Family { process: tid, parent: 0 });
        // Which thread made it, only the parent's event could tell: name the process.
        let parent_pid = if process == tid { parent } else { process };
        self.early.insert(tid, parent_pid);
        let birth =
            NewTask { child_tid: tid, child_pid: process, parent_tid: parent_pid, parent_pid };
        Some(self.insert(birth))
    }

    fn insert(&mut self, birth: NewTask) -> NewTask {
        self.threads.insert(birth.child_tid, Tracee { pid: birth.child_pid, ..Tracee::default() });
        birth
    }

    /// A thread is about to end. Gives its process if none of its fellows will be left.
    pub(crate) fn leaving(&mut self, tid: i32) -> Option<i32> {
        let tracee = self.threads.get_mut(&tid)?;
        tracee.leaving = true;
        let pid = tracee.pid;
        let mut fellows = self.threads.values().filter(|tracee| tracee.pid == pid);
        fellows.all(|tracee| tracee.leaving).then_some(pid)
    }

    pub(crate) fn tids(&self) -> impl Iterator<Item = i32> + '_ {
        self.threads.keys().copied()
    }

    /// A thread has ended. Gives what was known of it.
    pub(crate) fn ended(&mut self, tid: i32) -> Option<Tracee> {
        let tracee = self.threads.remove(&tid)?;
        if tracee.pid == tid {
            // What it would have announced, it never will.
            self.early.retain(|_, parent| *parent != tid);
        }
        Some(tracee)
    }

    /// The thread `former_tid` of process `pid` has executed a program: it is now the process's
    /// only thread and goes by the process's number. Gives its entry.
    pub(crate) fn executed(&mut self, pid: i32, former_tid: i32) -> &mut Tracee {
        let survivor = self.threads.get(&former_tid).copied();
        self.threads.retain(|_, tracee| tracee.pid != pid);
        self.threads
            .entry(pid)
            .insert_entry(Tracee { pid, ..survivor.unwrap_or_default() })
            .into_mut()
    }
}

struct Family {
    process: i32,
    parent: i32,
}

/// Whether a thread belongs to a process that is known; cheaper than [`family`].
fn is_thread_of(tid: i32, pid: i32) -> bool {
    fs::exists(format!("/proc/{pid}/task/{tid}")).unwrap_or(false)
}

/// Process and parent of a thread, from `/proc/TID/status`.
fn family(tid: i32) -> Option<Family> {
    let status = Status::of(tid).ok()?;
    Some(Family { process: status.number("Tgid")?, parent: status.number("PPid")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_birth_is_told_once_in_either_order() {
        let mut tracees = Tracees::default();
        tracees.insert_first(2_000_000_001);
        assert!(tracees.announced(2_000_000_001, 2_000_000_002).is_some());
        assert!(tracees.first_seen(2_000_000_002).is_none());
        assert!(tracees.first_seen(2_000_000_003).is_some());
        assert!(tracees.announced(2_000_000_001, 2_000_000_003).is_none());
        assert!(tracees.early.is_empty());
    }

    #[test]
    fn only_the_executing_thread_is_left() {
        let mut tracees = Tracees::default();
        tracees.insert_first(10);
        for tid in [11, 12] {
            tracees
                .threads
                .insert(tid, Tracee { pid: 10, in_call: tid == 12, ..Tracee::default() });
        }
        tracees.insert_first(20);
        assert!(tracees.executed(10, 12).in_call);
        let mut left: Vec<_> = tracees.threads.keys().copied().collect();
        left.sort_unstable();
        assert_eq!(left, [10, 20]);
    }

    #[test]
    fn the_last_thread_to_leave() {
        let mut tracees = Tracees::default();
        tracees.insert_first(10);
        tracees.insert_first(20);
        let pid = 10;
        for tid in [11, 12] {
            let fellow = Tracee { pid, ..Tracee::default() };
            tracees.threads.insert(tid, fellow);
        }
        assert_eq!(tracees.leaving(10), None);
        assert_eq!(tracees.leaving(12), None);
        tracees.ended(12);
        assert_eq!(tracees.leaving(11), Some(10));
        assert_eq!(tracees.leaving(20), Some(20));
        assert_eq!(tracees.leaving(30), None);
    }

    #[test]
    fn family_of_this_thread() {
        let family = family(std::process::id() as i32).unwrap();
        assert_eq!(family.process, std::process::id() as i32);
        assert_eq!(family.parent, std::os::unix::process::parent_id() as i32);
    }
}
