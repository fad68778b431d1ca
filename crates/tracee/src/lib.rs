//! Threads under ptrace: requests, stops, registers, waits, and why a tracer is refused.
//!
//! nix and libc have most requests, with two gaps that matter to whoever traces somebody else's
//! program. A real-time signal is no `Signal` of nix, so that it can't be passed on; here signals
//! are numbers. And waiting for any child takes reports that belong to other threads of the host;
//! here each wait is for what the calling thread traces or has forked (`__WNOTHREAD`).
//!
//! ```
//! use tracee::{Options, Stop};
//!
//! let mut child = std::process::Command::new("sleep").arg("60").spawn()?;
//! let tid = child.id() as i32;
//! tracee::seize(tid, Options::PTRACE_O_TRACESYSGOOD)?;
//! tracee::interrupt(tid)?;
//! while let Some((stopped, status)) = tracee::wait_any()? {
//!     if stopped == tid && Stop::of_wait_status(status) == Stop::Interrupted {
//!         break;
//!     }
//! }
//! assert!(tracee::registers(tid)?.is_some(), "it runs 64-bit code");
//! tracee::detach(tid, 0)?;
//! child.kill()?;
//! child.wait()?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # References
//! ptrace(2), wait(2), waitid(2)

#![cfg_attr(doctest, doc = include_str!("../README.md"))]
#![deny(unsafe_code)]

#[cfg(test)]
use suite as _;

mod permission;
mod request;
mod stop;
mod threads;
mod wait;

pub use nix::sys::ptrace::Options;
pub use permission::Permission;
#[cfg(target_arch = "x86_64")]
pub use request::{I386Call, i386_call, set_xstate, unwind_registers, xstate};
pub use request::{
    Registers, SignalOrigin, SyscallInfo, cont, detach, event_message, interrupt, listen,
    registers, rseq_address, seize, set_registers, set_signal_mask, signal_mask, signal_origin,
    syscall, syscall_info, syscall_result,
};
pub use stop::Stop;
pub use threads::{find_in_memory, is_traced_here, threads};
pub use wait::{report, take_stop, try_wait_any, wait_any, wait_for};
