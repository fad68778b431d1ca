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
    let [_, rsp, ..] = stack.registers;
    let marks = 0x1122_3344_5566_7788_u64.to_ne_bytes().repeat(4);
    let marked = |bytes: &Vec<u8>| bytes.windows(marks.len()).any(|bytes| bytes == marks);
    let (start, _) = stack.parts[0];
    assert_eq!(start, rsp & !1023);
    for (at, part) in &stack.parts {
        assert_eq!((at % 1024, part.len() % 1024), (0, 0));
        assert!(at + part.len() as u64 <= start + u64::from(stack_bytes));
    }
    let found = stack.parts.iter().filter(|(_, part)| marked(part)).count();
    // Above them a page that nobody has touched, and further marks.
    assert_eq!(found, if stack_bytes == 1024 { 1 } else { 2 });
    assert_eq!(found, stack.parts.len());
}
