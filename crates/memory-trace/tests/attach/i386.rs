//! Calls of 32-bit code.

use std::sync::Arc;

use memory_event::{Ending, Stack, Syscall};
use memory_trace::{AttachNote, AttachOptions, Via};

use super::harness::{Subject, calls, ways};

/// Tracepoints pass these calls over, as the kernel does; of a program that makes no others, a note
/// says so.
#[test]
fn are_told_or_it_is_said_that_they_are_not() {
    let Some(programs) = crate::programs_of_i386_calls("attach", "-DTALKS") else {
        return;
    };
    for (program, is_32_bit) in programs.into_iter().zip([false, true]) {
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
                assert_eq!(foreign, is_32_bit);
                assert_eq!((of(Syscall::Mmap).len(), of(Syscall::Close).len()), (0, 0));
                continue;
            }
            assert!(!foreign, "{via:?}");
            assert_eq!(watched.ending, Some(Ending::Code(6)), "{via:?}");
            let mapped: Vec<_> = of(Syscall::Mmap).iter().map(|call| call.args[1]).collect();
            assert_eq!(mapped, [0x7000, 0x5000], "{program:?} by {via:?}");
            let opened = [of(Syscall::Open), of(Syscall::Openat)].concat();
            let paths: Vec<_> = opened.iter().map(|call| call.path.as_deref()).collect();
            assert_eq!(paths, [Some(&b"/etc/hosts"[..]); 2], "{program:?} by {via:?}");
            assert_eq!(of(Syscall::Close).len(), 2, "none of its reads");
            let stacks = noted(|note| matches!(note, AttachNote::I386Stacks { calls: 1 }));
            assert_eq!(stacks, via == Via::Bpf, "the one mapping that is writable");
        }
    }
}
