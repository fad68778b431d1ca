//! A look at a process that belongs to one program from beginning to end.

use std::thread;
use std::time::Duration;

use super::mappings::Mappings;
use crate::process::{Process, ProcessError, Reason, Stat};

/// A process that execs while it is being read is read again so many times.
const ATTEMPTS: usize = 5;

/// For so long a process that has lost its old program is left to load the new one.
const EXEC_TAKES: Duration = Duration::from_millis(1);

/// Looks at a process, again if it executes another program meanwhile. `first` is what its `stat`
/// told a moment ago, `look` gets that of its own moment.
///
/// # Errors
/// That of `look`; or the process has no memory of its own, has ended, or keeps executing programs.
pub fn of_one_program<T>(
    process: &Process,
    first: Option<Stat>,
    mut look: impl FnMut(Mappings, &Stat) -> Result<T, ProcessError>,
) -> Result<T, ProcessError> {
    let mut first = first;
    for _ in 0..ATTEMPTS {
        let before = match first.take() {
            Some(first) => first,
            None => process.stat()?,
        };
        // Opened first, as only this tells why nothing may be read.
        let mappings = Mappings::of(process);
        if before.is_between_programs() {
            mappings?;
            thread::sleep(EXEC_TAKES);
            continue;
        }
        let found = mappings.and_then(|mappings| match before.start_brk() {
            Some(_) => look(mappings, &before),
            // Whoever has memory has a start of the heap; the error says what this is instead.
            None => Err(process.without_memory("maps")),
        });
        let after = process.stat()?;
        if after.image != before.image {
            continue;
        }
        let found = found?;
        if after.has_ended() {
            return Err(process.without_memory("maps"));
        }
        return Ok(found);
    }
    let keeps_changing = Reason::KeepsChanging;
    Err(ProcessError::new(process.pid(), "maps", keeps_changing))
}
