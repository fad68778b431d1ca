//! io_uring opens files without a system call.

use heap_growth::Tally;
use memory_trace::LaunchNote;

use super::harness::{target, watch};

#[test]
fn that_it_was_in_use_is_said() {
    let source = "../../bpf-memory-trace/tests/programs/uring.c";
    let program = crate::compiled(source, "launch-uring", &["-O1"]);
    let finished =
        watch(&target("sh").args(["-c", "echo | \"$0\""]).arg(program), Tally::default());
    let noted = matches!(finished.notes[..], [LaunchNote::IoUring { rings: 1, .. }]);
    assert!(noted, "{:?}", finished.notes);
}
