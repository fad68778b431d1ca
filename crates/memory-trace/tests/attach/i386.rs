//! Calls of 32-bit code.

use std::process::{Command, Stdio};
use std::sync::Arc;

use memory_event::{Ending, Stack, Syscall};
use memory_trace::{AttachNote, AttachOptions, Via};

use super::harness::{Subject, calls, ways};
use crate::compiled;

const SOURCE: &str = "../../bpf-memory-trace/tests/programs/i386.c";
const BY_64_BIT_CODE: (&str, &[&str]) = ("attach-int80", &["-O1", "-static", "-DTALKS"]);
const BY_32_BIT_CODE: (&str, &[&str]) = (
    "attach-i386",
    &["-O1", "-m32", "-static", "-nostdlib", "-fno-pie", "-fno-stack-protector", "-DTALKS"],
);

/// Tracepoints pass these calls over, as the kernel does; of a program that makes no others, a note
/// says so.
#[test]
fn are_told_or_it_is_said_that_they_are_not() {
    for (name, how) in [BY_64_BIT_CODE, BY_32_BIT_CODE] {
        let program = compiled(SOURCE, name, how);
        let run = Command::new(&program).stdin(Stdio::null()).stdout(Stdio::null()).status();
        if let Err(error) = run {
            return suite::skipped(format_args!("no 32-bit programs here ({error})"));
        }
        for &via in ways() {
            let mut subject = Subject::of(program.clone(), &[]);
            let options = AttachOptions::new().via(via);
            let options = options.at_growth(|_, _| Some(Arc::new(Stack::default())));
            let attach = options.start(&[subject.pid()], Vec::new()).unwrap();
            subject.finish();
            let watched = attach.wait().unwrap();
            assert_eq!(watched.lost_events, 0);
            let of = |syscall| calls(&watched, syscall);
            let noted = |of: fn(&AttachNote) -> bool| watched.notes.iter().any(of);
            let foreign = noted(|note| matches!(note, AttachNote::ForeignArchitecture { .. }));
            if via == Via::Tracepoints {
                assert_eq!(foreign, name == BY_32_BIT_CODE.0);
                assert_eq!((of(Syscall::Mmap).len(), of(Syscall::Close).len()), (0, 0));
                continue;
            }
            assert!(!foreign, "{via:?}");
            assert_eq!(watched.ending, Some(Ending::Code(6)), "{via:?}");
            let mapped: Vec<_> = of(Syscall::Mmap).iter().map(|call| call.args[1]).collect();
            assert_eq!(mapped, [0x7000, 0x5000], "{name} by {via:?}");
            let opened = [of(Syscall::Open), of(Syscall::Openat)].concat();
            let paths: Vec<_> = opened.iter().map(|call| call.path.as_deref()).collect();
            assert_eq!(paths, [Some(&b"/etc/hosts"[..]); 2], "{name} by {via:?}");
            assert_eq!(of(Syscall::Close).len(), 2, "none of its reads");
            let stacks = noted(|note| matches!(note, AttachNote::I386Stacks { calls: 1 }));
            assert_eq!(stacks, via == Via::Bpf, "the one mapping that is writable");
        }
    }
}
