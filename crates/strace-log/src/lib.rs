//! A log that strace wrote, anybody's, of any time.
//!
//! The log is read line by line in constant memory. Every form of line is understood that strace
//! has had in the last twenty years: ids in brackets or in a column (`-f`), times (`-t`, `-tt`,
//! `-ttt`, `-r`), time spent (`-T`), addresses (`-i`), numbers of calls (`-n`), stacks (`-k`),
//! what descriptors lead to (`-y`, `-yy`), raw and verbose constants (`-X`), calls that others
//! interrupted (`<unfinished ...>`, `<... brk resumed>`), a log for each thread (`-ff`). So are logs
//! of qemu's user mode (`qemu -strace`). What others have written before every line (a journal,
//! `docker compose`, `cat -n`, `grep -n`, a mail) is recognised by the first lines and taken off
//! ([`LogNote::Wrapped`]); what other tracers wrote is refused by its name ([`LogError::Foreign`]).
//!
//! Counts are those of `strace -f -c` of the same run, as `heap_growth::Tally`
//! has them. A call that did not come back (`= ?`, its thread was killed) isn't an event, as
//! `strace -c` doesn't count it either.
//!
//! # Limits
//!
//! - Addresses behind which strace showed a string or structure are 0 in a call's arguments; so
//!   are the arguments of `execve`.
//! - Names of flags are read with this machine's numbers.
//! - Ids are those of threads. Which process a thread belongs to is known if the log holds the
//!   call that made it; otherwise it counts as a process of its own ([`LogNote::Unannounced`]).
//! - A process that the log never names (no `-f`) has the id 0.
//! - [`What::Started`](memory_event::What::Started) is told only if the log begins with a
//!   successful `execve`; otherwise [`LogNote::BeginsInTheMiddle`] says so.
//! - Only what was logged can be told: `-e trace=…` leaves out the rest, and what was left out looks
//!   like what was never made. `heap_meter::trace::Trace::of` has no figures of it.
//!
//! # Example
//!
//! ```
//! use memory_event::Syscall;
//! use strace_log::StraceLog;
//! use heap_growth::{Fallback, Tally};
//!
//! let log = "\
//! [pid 31774] brk(0x26d3000)              = 0x26b2000
//! [pid 31774] mmap(NULL, 1048576, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f6c927c3000
//! ";
//! let mut reader = StraceLog::new((Tally::default(), Fallback::default()));
//! reader.read("trace.txt", log.as_bytes())?;
//! let (tally, fallback) = reader.finish().sink;
//! assert_eq!(tally.get(Syscall::Brk).failed, 1);
//! assert_eq!(fallback.bytes(), 1_048_576);
//! # Ok::<(), strace_log::LogError>(())
//! ```
//!
//! # References
//! strace(1); strace 4.5 to 6.1, `src/strace.c`, `src/syscall.c`

#![cfg_attr(doctest, doc = include_str!("../README.md"))]
#![forbid(unsafe_code)]

#[cfg(test)]
use suite as _;

mod arguments;
mod beginning;
mod clock;
mod constants;
mod dates;
mod decode;
mod error;
mod frames;
mod input;
mod line;
mod lines;
mod log_reader;
mod merge;
mod note;
mod prefix;
mod teller;
mod threads;
mod value;
mod waiting;
mod wrapping;

pub use error::LogError;
pub use log_reader::{ReadLog, StraceLog};
pub use note::{Example, LogNote, Unread};
