//! Reads watched calls, and says what they did.

use std::time::Instant;

use super::{Stage, Stopped, Tracer, Until, restart};
use crate::launch::LaunchNote;
use crate::launch::syscall_reader::{SyscallEntry, opened_file};
use crate::uring;
use memory_event::{Call, Refusal, Sink, Syscall, What};

impl<S: Sink> Tracer<S> {
    pub(super) fn before_call(&mut self, tid: i32) {
        if let Stage::BeforeExec { filter_stopped, .. } = &mut self.stage {
            *filter_stopped = true;
        }
        if let Some(tracee) = self.tracees.get_mut(tid) {
            tracee.in_call = true;
            // If it can't be read, it was killed, or the reader says so after the call.
            let pid = tracee.pid;
            let curious = self.positions.any(pid);
            tracee.asked = self.reader.before(tid, curious).unwrap_or(None);
            let asked = tracee.asked.as_ref().filter(|_| curious);
            if let Some(read) = asked.and_then(|asked| self.positions.before(pid, tid, asked)) {
                self.tell(pid, tid, read);
            }
        }
        restart(tid, Until::CallDone, 0);
    }

    pub(super) fn after_call(&mut self, tid: i32) {
        if let Some(tracee) = self.tracees.get_mut(tid) {
            if std::mem::take(&mut tracee.entering) {
                return self.entered(tid);
            }
            tracee.in_call = false;
            let (pid, before) = (tracee.pid, tracee.asked.take());
            match (self.reader.after(tid, before), &mut self.stage) {
                (Ok((asked, result)), Stage::Running { .. }) => {
                    self.returned(pid, tid, asked, result);
                }
                (Ok((_, result)), Stage::BeforeExec { out_of_order, .. }) => {
                    // The value that a call has before it is made.
                    *out_of_order |= result == Err(libc::ENOSYS);
                }
                (Err(_), _) => self.lost_events += 1,
            }
        }
        restart(tid, Until::Event, 0);
    }

    fn returned(&mut self, pid: i32, tid: i32, asked: SyscallEntry, result: Result<u64, i32>) {
        if let Some(syscall) = Syscall::from_number(asked.number) {
            let path = match result {
                Ok(fd) if syscall.is_open() => opened_file(tid, fd),
                _ => None,
            };
            let mut call = Call::new(syscall, asked.args, result).with_path(path);
            self.positions.after(pid, &call);
            if uring::maps_one(tid, &call) {
                self.notes.add(LaunchNote::IoUring { first_pid: pid, rings: 1 });
            }
            if self.images.grew(pid, &call)
                && let Some(hook) = &mut self.hooks.growth
            {
                let since = Instant::now();
                call.stack = hook(Stopped { pid, tid }, &call);
                self.hook_time += since.elapsed();
            }
            let refusal = self.refusals.lacks(pid, &call).then(|| {
                self.refusals.of(pid, &call);
                Refusal::of(tid)
            });
            self.tell(pid, tid, What::Call(call));
            if let Some(refusal) = refusal.flatten() {
                self.tell(pid, tid, What::Refused(Box::new(refusal)));
            }
        } else if result.is_ok() && installs_filter(asked) {
            let (first_pid, filters) = (pid, 1);
            self.notes.add(LaunchNote::OwnFilter { first_pid, filters });
        }
    }
}

/// Whether a call that isn't a watched one puts a seccomp filter (or the strict mode) in place.
fn installs_filter(asked: SyscallEntry) -> bool {
    let first = asked.args[0];
    match asked.number {
        libc::SYS_seccomp => {
            first == u64::from(libc::SECCOMP_SET_MODE_FILTER)
                || first == u64::from(libc::SECCOMP_SET_MODE_STRICT)
        }
        libc::SYS_prctl => first == libc::PR_SET_SECCOMP as u64,
        _ => false,
    }
}
