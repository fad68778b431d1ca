//! Who made a call.

use std::sync::Arc;

/// The functions that led to a call, and what had been asked of malloc.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    /// Innermost first. A frame that has no name is its address in hex, `0x7f…`; one in a library
    /// whose symbols are gone is `library.so+0x1234`. Shared, so that a frame costs a pointer.
    pub frames: Vec<Arc<str>>,
    /// The walk ended before the thread's first function: nothing told where the caller's frame
    /// is, or there were too many.
    pub truncated: bool,
    /// Bytes that the program asked of `malloc` or one of its relatives when this made the heap
    /// grow; `None` where that can't be known for certain.
    pub requested_bytes: Option<u64>,
}
