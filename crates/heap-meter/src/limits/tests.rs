use super::*;
use proptest::prelude::*;

proptest! {
    #[test]
    fn no_bytes_make_it_panic(tail: Vec<u8>) {
        soft_limit(&tail, "Max data size");
        soft_limit(&[b"Max data size   ", &*tail].concat(), "Max data size");
    }
}

const TABLE: &[u8] = b"\
Limit                     Soft Limit           Hard Limit           Units     \n\
Max cpu time              unlimited            unlimited            seconds   \n\
Max data size             1048576              unlimited            bytes     \n\
Max stack size            8388608              unlimited            bytes     \n\
Max address space         unlimited            unlimited            bytes     \n";

#[test]
fn the_soft_limits_are_read() {
    assert_eq!(soft_limit(TABLE, "Max data size"), Some(Some(1 << 20)));
    assert_eq!(soft_limit(TABLE, "Max address space"), Some(None));
}

#[test]
fn what_is_not_there_is_not_guessed() {
    assert_eq!(soft_limit(TABLE, "Max locked memory"), None);
    assert_eq!(soft_limit(TABLE, "Max data"), None, "a row of its own name");
    for odd in [
        &b""[..],
        b"Max data size",
        b"Max data size\n",
        b"Max data size             \n",
        b"Max data size             many   many   bytes\n",
        b"Max data size             -1     -1     bytes\n",
        b"Max data size             18446744073709551616  unlimited  bytes\n",
        b"Max data size             \xff\xfe  unlimited  bytes\n",
        b" Max data size            1      1      bytes\n",
    ] {
        let found = soft_limit(odd, "Max data size");
        assert!(!matches!(found, Some(Some(_))), "{odd:?}: {found:?}");
    }
    let none = b"Max data size             0      0      bytes";
    assert_eq!(soft_limit(none, "Max data size"), Some(Some(0)));
}

#[test]
fn what_is_left_is_counted_in_whole_pages() {
    let page = page_size_bytes();
    let left = |limit, used| Limit::new(limit, used).left_bytes;
    assert_eq!(left(Some(10 * page + page - 1), 8 * page), Some(2 * page));
    assert_eq!(left(Some(page), 8 * page), Some(0), "lowered afterwards");
    assert_eq!(left(None, 8 * page), None);
}

#[test]
fn the_tighter_limit_refuses() {
    let limits = |data, space| Limits {
        data: Limit::new(data, 1 << 20),
        address_space: Limit::new(space, 100 << 20),
    };
    let refused = |limits: Limits, bytes| limits.refused_by(bytes).map(|(name, _)| name);
    assert_eq!(refused(limits(None, None), u64::MAX), None);
    let both = limits(Some(2 << 20), Some(103 << 20));
    assert_eq!(refused(both, 1 << 20), None, "it just fits");
    assert_eq!(refused(both, (1 << 20) + 1), Some("RLIMIT_DATA"));
    assert_eq!(refused(both, 10 << 20), Some("RLIMIT_DATA"));
    let space = limits(Some(1 << 30), Some(100 << 20));
    assert_eq!(refused(space, 1), Some("RLIMIT_AS"));
}

#[test]
fn limits_of_this_process() {
    let process = Process::open(std::process::id() as i32).unwrap();
    let limits = Limits::of(&process).unwrap();
    assert!(limits.data.used_bytes > 0);
    assert!(limits.address_space.used_bytes >= limits.data.used_bytes);
}

#[test]
fn the_break_counts_what_became_read_only() {
    let data = |limit| Limits {
        data: Limit::new(limit, 10 << 20),
        address_space: Limit::new(None, 0),
    };
    let left = |limit, segment| {
        let limits = data(limit).at_break(segment, 1 << 20);
        limits.data.left_bytes
    };
    assert_eq!(left(Some(16 << 20), 5 << 20), Some(6 << 20));
    assert_eq!(left(Some(16 << 20), 13 << 20), Some(2 << 20));
    assert_eq!(left(Some(16 << 20), 20 << 20), Some(0));
    assert_eq!(left(None, 20 << 20), None);
}
