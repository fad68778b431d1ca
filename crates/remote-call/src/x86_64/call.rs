//! One call, from writing the frame to putting the thread back.
//!
//! The order of the steps is what makes them safe: whatever the moment at which the tracer dies,
//! the thread's registers are either those from before or such that they lead to `rt_sigreturn`
//! with the frame in place.

use std::io;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use super::choose::choose;
use super::completion_signal;
use super::frame::{OWN_SIGNALS, SignalFrame, call_mask};
use super::seize::next_stop;
use super::sigreturn::WayBack;
use super::stack::CallTarget;
use super::thread_state::ThreadState;
use crate::request::{Request, Returned};
use crate::{CallError, Interrupt};
use proc_memory::Status;
use tracee::{Registers, Stop};

/// `CallError`, and whether the process can be held on to.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: CallError,
    /// The thread is in the middle of the call.
    pub(super) is_under_way: bool,
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self { error, is_under_way: false }
    }
}

/// How long is waited for a thread to do what it does at once.
const MOMENT: Duration = Duration::from_secs(10);

/// Has one thread make the call. It stands as before then, unless the failure says otherwise.
pub(super) fn call(
    subject: &CallTarget,
    way_back: &mut Option<WayBack>,
    request: &Request,
) -> Result<Returned, Failure> {
    let pid = subject.pid;
    let gone = || CallError::Gone { pid, tid: subject.any_tid };
    if subject.options.interrupt.is_asked() {
        return Err(CallError::NotBegun { pid }.into());
    }
    let mappings = subject.mappings;
    let address = request.entry.function;
    if !mappings.at(address).is_some_and(|map| map.permissions.execute) {
        let status = Status::of_thread(pid, subject.any_tid).ok();
        return Err(match status.is_none_or(|status| status.has_ended()) {
            true => gone(),
            false => CallError::NotCode { pid, address },
        }
        .into());
    }
    let known = way_back.filter(|way_back| way_back.is_there(subject.memory, mappings));
    let found = match known {
        Some(known) => known,
        None => WayBack::find(subject.memory, &mappings.all())
            .map_err(|missing| CallError::NoWayBack { pid, missing })?,
    };
    *way_back = Some(found);
    let (tid, registers) = choose(subject, request.thread)?;
    let failed = |step| move |source| failure(pid, tid, step, source);
    let state = ThreadState {
        registers,
        vectors: tracee::xstate(tid).map_err(failed("read the vector registers"))?,
        signal_mask: tracee::signal_mask(tid).map_err(failed("read the signal mask"))?,
    };
    let signal = completion_signal::signal(pid, tid, &state);
    let frame = SignalFrame::new(&state, &found, &request.entry, signal);
    let written = subject.memory.write_all_at(&frame.bytes, frame.start);
    written.map_err(failed("write to the stack"))?;
    let data_bytes = request.entry.data.len();
    let (state, frame) = (&state, &frame);
    let caller = CallInProgress { subject, tid, state, frame, data_bytes, way_back: &found };
    caller.run(request.patience)
}

struct CallInProgress<'a> {
    subject: &'a CallTarget<'a>,
    tid: i32,
    state: &'a ThreadState,
    frame: &'a SignalFrame,
    data_bytes: usize,
    way_back: &'a WayBack,
}

impl CallInProgress<'_> {
    fn run(&self, patience: Duration) -> Result<Returned, Failure> {
        let under_way = |error| Failure { error, is_under_way: true };
        let set = tracee::set_registers(self.tid, &self.frame.registers);
        set.map_err(self.failed("set the registers"))?;
        // From here on the frame undoes everything.
        let outcome = self.begin(patience).map_err(under_way)?;
        self.put_back().map_err(under_way)?;
        Ok(outcome?)
    }

    /// Until the thread is about to run `rt_sigreturn`, having been asked to stop there.
    fn begin(&self, patience: Duration) -> Result<Result<Returned, CallError>, CallError> {
        let mask = call_mask(self.state.signal_mask);
        tracee::set_signal_mask(self.tid, mask).map_err(self.failed("set the signal mask"))?;
        let waits_at_gate =
            |signal: &i32| completion_signal::raise(self.subject.pid, self.tid, *signal).is_ok();
        let gate = self.frame.gate.filter(waits_at_gate);
        let go_on = match gate {
            Some(_) => tracee::cont,
            // Then the end is known by its system call, and all that come before are stops, too.
            None => tracee::syscall,
        };
        let deadline = Instant::now() + patience;
        let mut signal = 0;
        loop {
            go_on(self.tid, signal).map_err(self.failed("begin the call"))?;
            signal = 0;
            match self.next_stop(deadline, &self.subject.options.interrupt)? {
                None if self.subject.options.interrupt.is_asked() => {
                    return Err(CallError::Interrupted { tid: self.tid });
                }
                None => {
                    return Err(CallError::TimedOut { tid: self.tid, waited: patience });
                }
                Some(Stop::Syscall) => {
                    let registers = self.registers()?;
                    if self.is_end(&registers) {
                        let returned = self.returned();
                        self.stop_before_return(registers, libc::SYS_getpid as u64)?;
                        return Ok(returned);
                    }
                }
                Some(Stop::Signal(arrived)) => {
                    let registers = self.registers()?;
                    if gate == Some(arrived) && self.is_through(&registers) {
                        let returned = self.returned();
                        self.stop_before_return(registers, u64::MAX)?;
                        return Ok(returned);
                    }
                    if self.is_crash(arrived)? {
                        self.stop_before_return(registers, u64::MAX)?;
                        return Ok(Err(CallError::Crashed {
                            tid: self.tid,
                            signal: arrived,
                            instruction_pointer: registers.rip,
                        }));
                    }
                    signal = arrived;
                }
                Some(Stop::Ended(_)) => return Err(self.gone()),
                // SIGSTOP or SIGCONT came. It takes effect when the process is let go.
                Some(_) => {}
            }
        }
    }

    /// Whether the thread is about to enter the `rt_sigreturn` of our frame.
    fn is_end(&self, registers: &Registers) -> bool {
        registers.orig_rax == libc::SYS_rt_sigreturn as u64
            && registers.rip == self.way_back.restore.end
            && registers.rsp == self.frame.stack_pointer
    }

    /// Whether the thread has come through the gate, and is about to run the code that calls the
    /// `rt_sigreturn` of our frame.
    fn is_through(&self, registers: &Registers) -> bool {
        registers.rip == self.way_back.restore.address && registers.rsp == self.frame.stack_pointer
    }

    fn returned(&self) -> Result<Returned, CallError> {
        let (mut value, mut data) = ([0; 8], vec![0; self.data_bytes]);
        let memory = self.subject.memory;
        let read = memory.read_exact_at(&mut value, self.frame.value);
        let read = read.and_then(|()| memory.read_exact_at(&mut data, self.frame.data));
        read.map_err(self.failed("read what it returned"))?;
        Ok(Returned { value: u64::from_le_bytes(value), data })
    }

    /// Replaces what the kernel is about to do by a system call without effect, and has the thread
    /// stop behind it, right before the code that calls `rt_sigreturn`.
    fn stop_before_return(&self, registers: Registers, call: u64) -> Result<(), CallError> {
        let mut registers = registers;
        registers.rip = self.way_back.restore.address;
        registers.rsp = self.frame.stack_pointer;
        registers.orig_rax = call;
        let set = tracee::set_registers(self.tid, &registers);
        set.map_err(self.failed("set the registers"))?;
        let deadline = Instant::now() + MOMENT;
        let mut signal = 0;
        loop {
            let asked = tracee::interrupt(self.tid);
            let gone_on = asked.and_then(|()| tracee::cont(self.tid, signal));
            gone_on.map_err(self.failed("end the call"))?;
            signal = 0;
            // What takes microseconds isn't given up.
            match self.next_stop(deadline, &Interrupt::default())? {
                Some(Stop::Interrupted | Stop::Group) => return Ok(()),
                Some(Stop::Signal(arrived)) => signal = arrived,
                Some(Stop::Ended(_)) => return Err(self.gone()),
                Some(_) => {}
                None => {
                    return Err(CallError::TimedOut { tid: self.tid, waited: MOMENT });
                }
            }
        }
    }

    /// Gives everything back, the general registers last: they are what decides whether the frame
    /// is still needed.
    fn put_back(&self) -> Result<(), CallError> {
        let (tid, state) = (self.tid, self.state);
        let mask = tracee::set_signal_mask(tid, state.signal_mask);
        mask.map_err(self.failed("restore the signal mask"))?;
        let vectors = tracee::set_xstate(tid, &state.vectors);
        vectors.map_err(self.failed("restore the vector registers"))?;
        let registers = tracee::set_registers(tid, &state.registers);
        registers.map_err(self.failed("restore the registers"))
    }

    /// Whether a signal comes from what the function did: from the processor or the kernel, or
    /// from abort(3).
    fn is_crash(&self, signal: i32) -> Result<bool, CallError> {
        let origin = tracee::signal_origin(self.tid).map_err(self.failed("ask for the signal"))?;
        let is_abort = signal == libc::SIGABRT
            && origin.code == libc::SI_TKILL
            && origin.pid == self.subject.pid;
        Ok(is_abort || (OWN_SIGNALS.contains(&signal) && origin.code > 0))
    }

    fn registers(&self) -> Result<Registers, CallError> {
        let registers = tracee::registers(self.tid).map_err(self.failed("read the registers"))?;
        registers.ok_or_else(|| self.gone())
    }

    fn next_stop(
        &self,
        deadline: Instant,
        interrupt: &Interrupt,
    ) -> Result<Option<Stop>, CallError> {
        next_stop(self.tid, deadline, interrupt).map_err(self.failed("wait for the call"))
    }

    fn gone(&self) -> CallError {
        CallError::Gone { pid: self.subject.pid, tid: self.tid }
    }

    fn failed(&self, step: &'static str) -> impl Fn(io::Error) -> CallError {
        let (pid, tid) = (self.subject.pid, self.tid);
        move |source| failure(pid, tid, step, source)
    }
}

/// A thread that was killed while it stood still answers no request any more.
fn failure(pid: i32, tid: i32, step: &'static str, source: io::Error) -> CallError {
    if source.raw_os_error() == Some(libc::ESRCH) {
        CallError::Gone { pid, tid }
    } else {
        CallError::Step { tid, step, source }
    }
}
