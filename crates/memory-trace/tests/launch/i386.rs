//! Calls of 32-bit code, from its first one on.

use heap_growth::Tally;
use memory_event::{Call, Ending, Event, Syscall, What};
use memory_trace::LaunchNote;

use super::harness::{target, watch};

#[test]
fn are_told_with_the_numbers_and_arguments_of_64_bit_code() {
    let Some(programs) = crate::programs_of_i386_calls("launch", "-DFILTERS") else {
        return;
    };
    for program in programs {
        let launched = watch(&target(&program), Vec::new());
        assert_eq!((launched.ending, launched.lost_events), (Ending::Code(6), 0), "{program:?}");
        let call = |event: &Event| match &event.what {
            What::Call(call) => Some(call.clone()),
            _ => None,
        };
        let calls: Vec<Call> = launched.sink.iter().filter_map(call).collect();
        let of = |syscall| calls.iter().filter(move |call| call.syscall == syscall);
        // Those that libc's beginning makes come first; 0x7000 and 0x5000 bytes are the program's own.
        let own = |call: &&Call| [0x7000, 0x5000].contains(&call.args[1]);
        let mapped: Vec<_> = of(Syscall::Mmap).filter(own).collect();
        let [first, old] = mapped[..] else { panic!("{program:?}: {mapped:?}") };
        assert_eq!(first.args[1..4], [0x7000, 3, 0x22]);
        assert_eq!(old.args, [0, 0x5000, 1, 0x22, 0xffff_ffff, 0]);
        let memory = first.result.unwrap();
        assert!(memory > 0 && memory < 1 << 32, "{memory:#x}");
        let last = |syscall| of(syscall).next_back().map(|call| (call.args, call.result)).unwrap();
        assert_eq!(last(Syscall::Mprotect).0[..3], [memory, 0x1000, 1]);
        assert_eq!(last(Syscall::Madvise), ([memory, 0x1000, 4, 0, 0, 0], Ok(0)));
        let (moved, result) = last(Syscall::Mremap);
        assert_eq!((&moved[..3], result), (&[memory, 0x7000, 0x3000][..], Ok(memory)));
        assert_eq!(last(Syscall::Munmap), ([memory, 0x3000, 0, 0, 0, 0], Ok(0)));
        assert_eq!(last(Syscall::Creat).1, Err(libc::ENOENT));
        assert_eq!(last(Syscall::Execve).1, Err(libc::ENOENT));
        let opened = of(Syscall::Open).chain(of(Syscall::Openat));
        let paths: Vec<_> = opened.filter_map(|call| call.path.as_deref()).collect();
        assert_eq!(paths, [b"/etc/hosts"; 2], "{program:?}");
        let read: Vec<_> = of(Syscall::Close).map(|call| call.result).collect();
        assert_eq!(read, [Ok(0); 2], "{program:?}");
        // The one that it installs itself.
        assert!(
            matches!(launched.notes[..], [LaunchNote::OwnFilter { filters: 2, .. }]),
            "{:?}",
            launched.notes
        );
    }
}

#[test]
fn are_counted_in_a_tree() {
    let Some(programs) = crate::programs_of_i386_calls("launch-tree", "-DQUIET") else {
        return;
    };
    let script = "\"$0\"; \"$0\"; cat /dev/null; exit 5";
    let counts = programs.map(|program| {
        let tree = target("sh").args(["-c", script]).arg(&program);
        let launched = watch(&tree, Tally::default());
        assert_eq!((launched.ending, launched.notes.len()), (Ending::Code(5), 0));
        let counts = &launched.sink;
        assert_eq!(counts.get(Syscall::Creat).failed, 2);
        assert_eq!(counts.get(Syscall::Mremap).calls, 2);
        counts.get(Syscall::Execve)
    });
    assert_eq!(counts.map(|execs| (execs.calls, execs.failed)), [(5, 2); 2]);
}
