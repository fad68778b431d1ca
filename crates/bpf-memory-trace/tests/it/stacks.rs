//! The user's registers and stack.

use bpf_memory_trace::{Hook, Options, Seen, StackCopy, Tracer};
use memory_event::Syscall;

use crate::harness::{Held, hooks, watched};

#[test]
fn a_brk_brings_the_stack_it_was_made_on() {
    for hook in hooks() {
        for stack_bytes in [1024, 16 << 10] {
            brings_the_stack(hook, stack_bytes);
        }
    }
}

fn brings_the_stack(hook: Hook, stack_bytes: u16) {
    let mut options = Options::default();
    options.stack_bytes = stack_bytes;
    let mut tracer = Tracer::new(hook, options).unwrap();
    let (records, _) = watched(&mut tracer, &mut Held::new(&["stack"]));
    let stacks: Vec<&StackCopy> = records
        .iter()
        .filter_map(|record| match &record.what {
            Seen::Returned { syscall: Syscall::Brk, stack, .. } => {
                Some(stack.as_ref().expect("there was room"))
            }
            _ => None,
        })
        .collect();
    let [stack] = stacks[..] else {
        panic!("one brk: {stacks:?}");
    };
    assert_ne!(stack.registers[0], 0, "rip");
    assert_eq!(stack.registers[1] % 8, 0, "rsp");
    // Main's stack is near its upper end: there are not 16 KiB of it, but whole KiB.
    assert!(stack.bytes.len() >= 1024 && stack.bytes.len() <= stack_bytes.into());
    assert_eq!(stack.bytes.len() % 1024, 0);
    assert_eq!(stack.is_cut, stack.bytes.len() == usize::from(stack_bytes));
    let marks = 0x1122_3344_5566_7788_u64.to_ne_bytes().repeat(4);
    let found = stack.bytes.windows(marks.len()).any(|bytes| bytes == marks);
    assert!(found, "what main has on its stack");
}
