//! Which processes and threads are being watched by tracepoints or BPF programs, and how they end.

use std::collections::{HashMap, HashSet};

use memory_event::{Ending, Syscall};

/// All watched processes.
///
/// Each thread may be told of more than once, and a record may have been lost: whatever is told
/// again or of nobody known changes nothing.
#[derive(Debug, Default)]
pub(super) struct ProcessTable {
    processes: HashMap<i32, ProcessEntry>,
    /// Threads that have begun an exec, with their process.
    executing: HashMap<i32, (i32, Syscall)>,
    /// What threads were about to exit with.
    exiting: HashMap<i32, u8>,
}

#[derive(Debug, Default)]
struct ProcessEntry {
    threads: HashSet<i32>,
    code: Option<u8>,
    first_ended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) tid: i32,
    /// `None`: it didn't end by itself.
    pub(super) ending: Option<Ending>,
    /// The first thread was about to execute a program: it may live on without tracepoints.
    pub(super) executing: bool,
}

impl ProcessTable {
    /// Of processes that are watched from the beginning, with their threads.
    pub(super) fn of(processes: HashMap<i32, HashSet<i32>>) -> Self {
        let entry = |threads| ProcessEntry { threads, ..ProcessEntry::default() };
        let processes = processes.into_iter().map(|(pid, threads)| (pid, entry(threads)));
        Self { processes: processes.collect(), ..Self::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }

    pub(super) fn knows(&self, pid: i32) -> bool {
        self.processes.contains_key(&pid)
    }

    pub(super) fn pids(&self) -> impl ExactSizeIterator<Item = i32> {
        self.processes.keys().copied()
    }

    /// A process that wasn't watched is from now on, with these threads.
    pub(super) fn comes(&mut self, pid: i32, threads: Vec<i32>) {
        let threads = threads.into_iter().chain([pid]).collect();
        self.processes.insert(pid, ProcessEntry { threads, ..ProcessEntry::default() });
    }

    /// `tid` of `pid` was made by somebody of `parent_pid`; true if that is news.
    pub(super) fn forked(&mut self, parent_pid: i32, pid: i32, tid: i32) -> bool {
        if !self.knows(parent_pid) {
            return false;
        }
        self.processes.entry(pid).or_default().threads.insert(tid)
    }

    pub(super) fn begins_exec(&mut self, pid: i32, tid: i32, by: Syscall) {
        self.executing.insert(tid, (pid, by));
    }

    /// The exec failed.
    pub(super) fn goes_on(&mut self, tid: i32) {
        self.executing.remove(&tid);
    }

    /// The process runs a new program. Gives which call it made, and which thread made it.
    pub(super) fn executed(&mut self, pid: i32) -> Option<(Syscall, i32)> {
        let process = self.processes.get_mut(&pid)?;
        process.threads = HashSet::from([pid]);
        process.first_ended = false;
        let begun = self.executing.iter().find(|(_, (of, _))| *of == pid);
        let by = begun.map_or((Syscall::Execve, pid), |(&tid, &(_, by))| (by, tid));
        self.executing.retain(|_, (of, _)| *of != pid);
        Some(by)
    }

    pub(super) fn exits(&mut self, tid: i32, code: u8) {
        self.exiting.insert(tid, code);
    }

    pub(super) fn exits_with_all(&mut self, pid: i32, code: u8) {
        if let Some(process) = self.processes.get_mut(&pid) {
            process.code.get_or_insert(code);
        }
    }

    /// A thread has ended. Gives those ends that are to be told: none for a first thread whose
    /// fellows run on, and also its own when the last of these ends.
    pub(super) fn ended(&mut self, pid: i32, tid: i32) -> Vec<End> {
        let mut ends = Vec::new();
        let Some(process) = self.processes.get_mut(&pid) else {
            return ends;
        };
        let executing = self.executing.remove(&tid).is_some();
        let of_all = process.code;
        if tid == pid {
            process.first_ended = true;
        } else if process.threads.remove(&tid) {
            let code = of_all.or(self.exiting.remove(&tid));
            ends.push(End {
                tid,
                ending: code.map(|code| Ending::Code(code.into())),
                executing: false,
            });
        }
        let others = process.threads.iter().any(|other| *other != pid);
        if process.first_ended && !others {
            self.processes.remove(&pid);
            let code = of_all.or(self.exiting.remove(&pid));
            ends.push(End {
                tid: pid,
                ending: code.map(|code| Ending::Code(code.into())),
                executing,
            });
        }
        ends
    }

    /// A process is gone although nobody told so.
    pub(super) fn vanished(&mut self, pid: i32) {
        self.processes.remove(&pid);
        self.executing.retain(|_, (of, _)| *of != pid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life() -> ProcessTable {
        ProcessTable::of(HashMap::from([(10, HashSet::from([10, 11]))]))
    }

    fn end(tid: i32, code: Option<i32>) -> End {
        End { tid, ending: code.map(Ending::Code), executing: false }
    }

    #[test]
    fn the_first_thread_ends_last() {
        let mut life = life();
        life.exits(10, 1);
        assert_eq!(life.ended(10, 10), []);
        life.exits_with_all(10, 7);
        assert_eq!(life.ended(10, 11), [end(11, Some(7)), end(10, Some(7))]);
        assert!(life.is_empty());
        assert_eq!(life.ended(10, 10), [], "told again");
    }

    #[test]
    fn an_exec_by_another_thread() {
        let mut life = life();
        life.begins_exec(10, 11, Syscall::Execveat);
        assert_eq!(life.ended(10, 10), [], "the first thread makes room");
        assert_eq!(life.executed(10), Some((Syscall::Execveat, 11)));
        assert_eq!(life.ended(10, 10), [end(10, None)]);
    }

    #[test]
    fn only_the_family_is_known() {
        let mut life = life();
        assert!(!life.forked(99, 98, 98));
        assert!(life.forked(10, 20, 20) && life.forked(20, 20, 21));
        assert!(!life.forked(20, 20, 21), "told again");
        life.begins_exec(20, 20, Syscall::Execve);
        life.ended(20, 21);
        let last = life.ended(20, 20);
        assert!(last[0].executing, "a set-uid program, perhaps");
    }
}
