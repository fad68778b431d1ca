//! Files that io_uring opens and closes.

use std::process::Command;

use bpf_memory_trace::{Missed, Options, Seen, Tracer};
use memory_event::Syscall::{self, Close, Openat};

use crate::compiled;
use crate::harness::{Held, hooks, watched};

#[test]
fn are_told_as_calls_of_the_thread_that_asked() {
    let program = compiled("programs/uring.c", "bpf-uring", &["-O1"]);
    for hook in hooks() {
        let mut tracer = Tracer::new(hook, Options::default()).unwrap();
        if !tracer.tells_uring() {
            suite::skipped(format_args!("bpf(2): {hook:?}: the kernel refuses fentry programs"));
            continue;
        }
        let mut held = Held::of(&mut Command::new(&program));
        let pid = held.pid();
        let (records, missed) = watched(&mut tracer, &mut held);
        assert_eq!(missed, Missed::default());
        let mut told: Vec<(Syscall, i64, i64, Option<String>)> = Vec::new();
        for record in &records {
            if let Seen::Returned { syscall, args, result, path, .. } = &record.what
                && matches!(syscall, Openat | Close)
            {
                assert_eq!((record.pid, record.tid), (pid, pid), "{record:?}");
                let path = path.as_deref().map(|path| String::from_utf8_lossy(path).into_owned());
                told.push((*syscall, args[0] as i32 as i64, *result, path));
            }
        }
        // What the loader opened is over by then.
        let at = i64::from(libc::AT_FDCWD);
        let long = format!("{}etc/hosts", "/".repeat(4000 - 1 - 9));
        let opened = |fd, path: &str| (Openat, at, fd, Some(path.to_owned()));
        let closed = |fd, result| (Close, fd, result, None);
        let fd = told[0].2;
        assert!((3..100).contains(&fd), "{told:?}");
        let expected = [
            opened(fd, "/etc/hosts"),
            closed(fd, 0),
            opened(fd, "/etc/passwd"),
            closed(fd, 0),
            opened(fd, &long),
            closed(fd, 0),
            opened((1 << 30) + 1, "/etc/hosts"),
            closed((1 << 30) + 1, 0),
            opened(-2, "/nowhere/at all"),
        ];
        assert_eq!(told, expected, "{hook:?}");
    }
}
