//! Stacks that were copied say what those of stopped threads say.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::sync::Arc;

use memory_event::Stack;
use proc_unwind::{CopiedStack, Stacks};

use crate::harness::{Stop, compiled, registers, traced};

/// What the first so many bytes of a stopped thread's stack tell.
fn copied(stacks: &mut Stacks, stop: Stop, most: usize) -> Option<Arc<Stack>> {
    let r = registers(stop.tid);
    let memory = File::open(format!("/proc/{}/mem", stop.pid)).unwrap();
    let mut bytes = vec![0; most];
    // Near its upper end there is less.
    let read = memory.read_at(&mut bytes, r.rsp).unwrap();
    let registers = [r.rip, r.rsp, r.rbp, r.rbx, r.r12, r.r13, r.r14, r.r15];
    bytes.truncate(read);
    let parts = [(r.rsp, bytes)];
    let mut copy = CopiedStack::new(registers, &parts);
    copy.resized_bytes = (stop.number == libc::SYS_mremap).then(|| stop.args[2]);
    stacks.copied(stop.pid, copy)
}

#[test]
fn a_copy_tells_what_the_thread_itself_tells() {
    let program = compiled("asks", "plain", &["-O2"]);
    for mode in ["main", "thread"] {
        let mut stacks = Stacks::new();
        let (mut told, mut known) = (0, 0);
        traced(Command::new(&program).arg(mode), |stop| {
            let live = stacks.of(stop.pid, stop.tid);
            assert_eq!(copied(&mut stacks, stop, 16 << 10), live, "{stop:?}");
            told += 1;
            known += u32::from(live.is_some_and(|stack| stack.requested_bytes.is_some()));
        });
        assert!(told > 50 && known > 35, "{mode}: {known} of {told}");
        assert_eq!(stacks.notes(), [""; 0]);
    }
}

#[test]
fn a_stack_that_goes_on_above_its_copy_says_so() {
    let program = compiled("deep", "O2", &["-O2", "-fomit-frame-pointer"]);
    let mut stacks = Stacks::new();
    let mut cut = Vec::new();
    traced(Command::new(program).arg("100"), |stop| {
        if stop.number == libc::SYS_mmap && (3_000_000..3_008_192).contains(&stop.args[1]) {
            let live = stacks.of(stop.pid, stop.tid).unwrap();
            cut.push((live, copied(&mut stacks, stop, 1024).unwrap()));
        }
    });
    assert_eq!(cut.len(), 2, "once from each thread");
    for (live, cut) in cut {
        let (mark, frames) = cut.frames.split_last().unwrap();
        assert_eq!(&**mark, "[stack not copied]");
        assert!(cut.truncated && frames.len() > 10, "{cut:#?}");
        assert_eq!(frames, &live.frames[..frames.len()]);
        assert!(frames.len() < live.frames.len(), "{live:#?}");
    }
}

#[test]
fn of_who_has_ended_nothing_is_told() {
    let mut ended = Command::new("true").spawn().unwrap();
    ended.wait().unwrap();
    let copy = CopiedStack::new([8; 8], &[]);
    let mut stacks = Stacks::new();
    assert_eq!(stacks.copied(ended.id().cast_signed(), copy), None);
    let note = stacks.notes().pop().unwrap();
    assert!(note.starts_with("1 stacks have no names: their processes had ended"), "{note}");
}
