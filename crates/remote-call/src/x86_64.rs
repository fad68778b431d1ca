//! The thread that traces: it stops a process, has it make calls, and lets it go.
//!
//! A tracee belongs to the *thread* that seized it, and when that thread ends, the kernel lets go
//! of all that it traces, even of those that never stopped. So everything is done by one thread
//! that ends with the hold.

mod call;
mod choose;
mod completion_signal;
mod frame;
mod maps;
mod seize;
mod sigreturn;
mod stack;
mod status;
mod thread_state;

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use crate::request::{HeldThread, HoldRecord, Holding, Request, Returned};
use crate::{CallError, Error, HoldOptions};
use maps::StoppedMappings;
use sigreturn::WayBack;
use stack::CallTarget;

/// What the tracing thread does, from its beginning to its end.
pub(crate) fn run(
    pid: i32,
    patience: Duration,
    options: &HoldOptions,
    answer: &Sender<Result<Holding, Error>>,
    asked: &Receiver<Request>,
    record: &HoldRecord,
) {
    record.tracer_is(nix::unistd::gettid().as_raw());
    if let Err(error) = status::check(pid, options) {
        let _ = answer.send(Err(error));
        return;
    }
    // While the process still runs, so that it need not stand still for that.
    let mut way_back = search(pid);
    let since = Instant::now();
    let mut standing = BTreeSet::new();
    let held = hold(pid, patience, options, &mut standing);
    let last_words = match held {
        Ok((threads, opened)) => {
            let tids: Vec<_> = threads.iter().map(|thread| thread.tid).collect();
            let subject = CallTarget {
                pid,
                tids: &tids,
                any_tid: opened.tid,
                memory: &opened.memory,
                mappings: &opened.mappings,
                options,
            };
            // If nobody listens any more, nobody will ask either.
            let _ = answer.send(Ok((threads, since)));
            serve(&subject, &mut way_back, asked)
        }
        Err(error) => {
            let_go(&standing);
            let _ = answer.send(Err(error));
            return;
        }
    };
    let_go(&standing);
    record.stood_still(since.elapsed());
    if let Some((answer, error)) = last_words {
        let _ = answer.send(Err(error));
    }
}

type Answer = Sender<Result<Returned, CallError>>;

/// Makes calls until there are no more requests, or one call went wrong in its middle.
fn serve(
    subject: &CallTarget,
    way_back: &mut Option<WayBack>,
    asked: &Receiver<Request>,
) -> Option<(Answer, CallError)> {
    while let Ok(request) = asked.recv() {
        match call::call(subject, way_back, &request) {
            Ok(value) => {
                let _ = request.answer.send(Ok(value));
            }
            Err(failure) if failure.is_under_way => return Some((request.answer, failure.error)),
            Err(failure) => {
                let _ = request.answer.send(Err(failure.error));
            }
        }
    }
    None
}

fn search(pid: i32) -> Option<WayBack> {
    // The first thread may have ended.
    tracee::threads(pid).0.into_iter().find_map(|tid| {
        let memory = File::open(format!("/proc/{tid}/mem")).ok()?;
        WayBack::find(&memory, &StoppedMappings::open(tid).ok()?.all()).ok()
    })
}

/// What is open of a process that stands still, through one of its threads.
struct OpenedProcess {
    tid: i32,
    memory: File,
    mappings: StoppedMappings,
}

fn hold(
    pid: i32,
    patience: Duration,
    options: &HoldOptions,
    standing: &mut BTreeSet<i32>,
) -> Result<(Vec<HeldThread>, OpenedProcess), Error> {
    seize::all(pid, patience, &options.interrupt, standing)?;
    let mut threads = Vec::new();
    for &tid in standing.iter() {
        let registers = match tracee::registers(tid) {
            Ok(Some(registers)) => registers,
            Ok(None) => return Err(Error::Foreign { pid, tid }),
            // Killed while it stood.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => continue,
            Err(source) => {
                let step = "read the registers";
                return Err(Error::Step { tid, step, source });
            }
        };
        let system_call = registers.orig_rax.cast_signed();
        threads.push(HeldThread {
            tid,
            instruction_pointer: registers.rip,
            stack_pointer: registers.rsp,
            system_call: (system_call >= 0).then_some(system_call),
            registers: tracee::unwind_registers(&registers),
        });
    }
    let Some(tid) = threads.first().map(|thread| thread.tid) else {
        return Err(Error::Gone { pid });
    };
    let failed = |step| move |source| Error::Step { tid, step, source };
    let path = format!("/proc/{tid}/mem");
    let memory = OpenOptions::new().read(true).write(true).open(path);
    let opened = OpenedProcess {
        tid,
        memory: memory.map_err(failed("open the memory"))?,
        mappings: StoppedMappings::open(tid).map_err(failed("open the mappings"))?,
    };
    Ok((threads, opened))
}

/// Fails only for threads that were killed, or that don't stand still; of these the kernel lets go
/// when this thread ends.
fn let_go(standing: &BTreeSet<i32>) {
    for &tid in standing {
        let _ = tracee::detach(tid, 0);
    }
}
