use super::*;

/// A record as a program writes it.
fn written(kind: i32, extra: i32, args: [u64; 6], rest: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(77_u64.to_ne_bytes());
    bytes.extend([5_u32, 6].map(u32::to_ne_bytes).concat());
    bytes.extend([kind as u16, FOLLOW as u16].map(u16::to_ne_bytes).concat());
    bytes.extend(extra.to_ne_bytes());
    bytes.extend((-2_i64).to_ne_bytes());
    bytes.extend(args.map(u64::to_ne_bytes).concat());
    assert_eq!(bytes.len(), HEAD_BYTES as usize);
    bytes.extend(rest);
    bytes
}

fn seen(bytes: &[u8]) -> Seen {
    let (record, flags) = parse(bytes).unwrap();
    assert_eq!((record.at_ns, record.pid, record.tid, flags), (77, 5, 6, FOLLOW));
    record.what
}

#[test]
fn a_call_with_its_path() {
    let kind = Syscall::Openat as i32;
    let args = [1, 2, 3, 4, 5, 6];
    let told = |path: Option<&[u8]>| Seen::Returned {
        syscall: Syscall::Openat,
        args,
        result: -2,
        path: path.map(<[u8]>::to_vec),
        is_i386: false,
        stack: None,
    };
    let place = b"/etc/hosts\0and what was there before";
    assert_eq!(seen(&written(kind, 11, args, place)), told(Some(b"/etc/hosts")));
    assert_eq!(seen(&written(kind, -14, args, place)), told(None), "EFAULT");
    assert_eq!(seen(&written(kind, 1, args, place)), told(Some(b"")));
}

#[test]
fn calls_of_32_bit_code() {
    let told = |kind, extra, args, rest: &[u8]| match seen(&written(kind, extra, args, rest)) {
        Seen::Returned { syscall, args, is_i386, path, stack: None, .. } => {
            (syscall, args, is_i386, path)
        }
        other => panic!("{other:?}"),
    };
    let args = [1, 2, 3, 4, 5, 6];
    let openat = told(I386 | Syscall::Openat as i32, 2, args, b"x\0");
    assert_eq!(openat, (Syscall::Openat, args, true, Some(b"x".to_vec())));
    let in_bytes = [1, 2, 3, 4, 5, 6 << 12];
    let mmap2 = told(I386 | Syscall::Mmap as i32, 0, args, &[]);
    assert_eq!(mmap2, (Syscall::Mmap, in_bytes, true, None), "its offset is in pages");
    let behind = [7_u32, 8, 9, 10, u32::MAX, 4096].map(u32::to_ne_bytes).concat();
    let given = [7, 8, 9, 10, u32::MAX.into(), 4096];
    for (extra, args) in [(0, given), (-14, [0; 6])] {
        let old_mmap = told(OLD_MMAP, extra, [1, 0, 0, 0, 0, 0], &behind);
        assert_eq!(old_mmap, (Syscall::Mmap, args, true, None));
    }
}

#[test]
fn a_call_with_its_stack() {
    let registers: Vec<u8> =
        [1, 4096 + 8, 3, 4, 5, 6, 7, 8].into_iter().flat_map(u64::to_ne_bytes).collect();
    let pieces = [1, 2, 3, 4].map(|byte| vec![byte; 1024]);
    let rest = [registers, pieces.concat()].concat();
    let seen = |pieces| {
        let Seen::Returned { stack, path, .. } = seen(&written(0, pieces, [0; 6], &rest)) else {
            panic!("it is a call");
        };
        assert_eq!(path, None);
        stack
    };
    let copied = |parts| Some(StackCopy::new([1, 4096 + 8, 3, 4, 5, 6, 7, 8], parts));
    assert_eq!(seen(0b1111), copied(vec![(4096, pieces.concat())]));
    let parts = vec![(4096, pieces[0].clone()), (4096 + 2048, pieces[2..].concat())];
    assert_eq!(seen(0b1101), copied(parts));
    assert_eq!(seen(0), None);
}

#[test]
fn an_end_is_the_processs_if_nobody_is_left() {
    let exit = |args| seen(&written(EXIT, 0, args, b""));
    // exit(3) of a thread; killed by 9; the last thread's exit(1) after the first one's exit(2).
    for (args, status, process_status) in [
        ([3 << 8, 0, 0, 2, 0, 0], 3 << 8, None),
        ([9, 9, GROUP_EXIT, 0, 9, 0], 9, Some(9)),
        ([1 << 8, 0, 0, 0, 2 << 8, 0], 1 << 8, Some(2 << 8)),
    ] {
        let ended = Seen::Exited { status, process_status };
        assert_eq!(exit(args), ended);
    }
}

#[test]
fn nothing_that_is_cut_or_unknown_is_read() {
    let whole = written(Syscall::Openat as i32, 5, [0; 6], b"/tmp\0");
    for length in 0..HEAD_BYTES as usize {
        assert_eq!(parse(&whole[..length]), None, "{length}");
    }
    assert_eq!(parse(&written(99, 0, [0; 6], b"")), None);
}
