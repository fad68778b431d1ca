//! Calls of 32-bit code, which have numbers and registers of their own.

use std::process::Command;

use bpf_memory_trace::{Missed, Options, Seen, Tracer};
use memory_event::Syscall;

use crate::compiled;
use crate::harness::{Held, hooks, watched};

const BY_64_BIT_CODE: (&str, &[&str]) = ("bpf-int80", &["-O1", "-static"]);
const BY_32_BIT_CODE: (&str, &[&str]) =
    ("bpf-i386", &["-O1", "-m32", "-static", "-nostdlib", "-fno-pie", "-fno-stack-protector"]);

#[test]
fn are_told_with_the_arguments_that_the_64_bit_calls_would_have() {
    for (name, how) in [BY_64_BIT_CODE, BY_32_BIT_CODE] {
        let program = compiled("programs/i386.c", name, how);
        if let Err(error) = Command::new(&program).stdin(std::process::Stdio::null()).status() {
            return suite::skipped(format_args!("no 32-bit programs here ({error})"));
        }
        for hook in hooks() {
            let mut options = Options::default();
            options.stack_bytes = 1024;
            let mut tracer = Tracer::new(hook, options).unwrap();
            let mut held = Held::of(&mut Command::new(&program));
            let (records, missed) = watched(&mut tracer, &mut held);
            assert_eq!(missed, Missed::default());
            let mut told = records.iter().filter_map(|record| match &record.what {
                Seen::Returned { syscall, args, result, path, is_i386: true, stack: None } => {
                    Some((*syscall, *args, *result, path.as_deref()))
                }
                _ => None,
            });
            let mut next = |syscall, count: usize| {
                let (of, args, result, path) = told.next().expect("one more");
                assert_eq!(of, syscall, "{name} by {hook:?}");
                let path = path.map(|path| String::from_utf8_lossy(path).into_owned());
                (args[..count].to_vec(), result, path)
            };
            let minus = |number: u32| u64::from(number.wrapping_neg());
            let (args, the_break, _) = next(Syscall::Brk, 1);
            assert!(args == [0] && the_break > 0);
            let (args, mapped, _) = next(Syscall::Mmap, 5);
            assert_eq!(args, [0, 0x7000, 3, 0x22, minus(1)]);
            let at = mapped.cast_unsigned();
            assert!(at % 4096 == 0 && u32::try_from(at).is_ok(), "{at:#x}");
            assert_eq!(next(Syscall::Mprotect, 3), (vec![at, 0x1000, 1], 0, None));
            assert_eq!(next(Syscall::Madvise, 3), (vec![at, 0x1000, 4], 0, None));
            assert_eq!(next(Syscall::Mremap, 3), (vec![at, 0x7000, 0x3000], mapped, None));
            assert_eq!(next(Syscall::Munmap, 2), (vec![at, 0x3000], 0, None));
            let (args, _, _) = next(Syscall::Mmap, 6);
            assert_eq!(args, [0, 0x5000, 1, 0x22, minus(1), 0], "the old one's, from memory");
            for syscall in [Syscall::Open, Syscall::Openat] {
                let (args, fd, path) = next(syscall, 1);
                assert_eq!(path.as_deref(), Some("/etc/hosts"));
                assert!(syscall == Syscall::Open || args == [minus(100)]);
                assert_eq!(next(Syscall::Close, 1), (vec![fd.cast_unsigned()], 0, None));
            }
            let (_, result, path) = next(Syscall::Creat, 1);
            assert_eq!((result, path.as_deref()), (-2, Some("/nowhere/at all")));
            let (_, result, path) = next(Syscall::Execve, 1);
            assert_eq!((result, path), (-2, None));
            assert_eq!(told.count(), 0);
        }
    }
}
