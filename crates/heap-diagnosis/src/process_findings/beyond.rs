//! Memory in `[heap]` that isn't malloc's, above malloc's.

use super::case::Case;
use crate::finding::{Finding, Severity};
use human_text::Bytes;
use procmem::page_size_bytes;

/// From outside two things look like this: a mapping at the break that the kernel has merged into
/// `[heap]`, so that brk is refused from now on, and a break that the program has moved by itself.
/// Once malloc has been refused, its own books tell one from the other.
pub(super) fn find(case: &Case) -> Option<Finding> {
    let state = case.state;
    let beyond = case.malloc?.beyond_top_bytes;
    if state.blocked || beyond < page_size_bytes() || case.has_given_up() != Some(false) {
        return None;
    }
    let end = state.end.saturating_sub(beyond);
    let message = format!(
        "malloc's heap ends at {end:#x}, {} before [heap] does: there lies a mapping at the break, \
         merged into [heap] by the kernel (as a LuaJIT's first memory may be), or memory that the \
         program took by sbrk itself. If it is a mapping, the next brk is refused, though \
         /proc/PID/maps shows room above.",
        Bytes(beyond),
    );
    let finding = Finding::new("heap-beyond-malloc", Severity::Warning, message)
        .evidence("beyond_bytes", beyond)
        .evidence("malloc_end", format!("{end:#x}"))
        .remedy(format!(
            "Ask the process: gdb -p {} -batch -ex 'print (void *) sbrk(0)' prints {end:#x} if a \
             mapping lies there. `brkhole trace --pid {}` names it when the heap has to grow.",
            state.pid, state.pid
        ));
    Some(case.with_break(finding))
}
