use super::*;

#[test]
fn what_is_left_is_counted_in_whole_pages() {
    let page = page_size_bytes();
    let left = |limit, used| Limit::new(limit, used).left_bytes;
    assert_eq!(left(10 * page + page - 1, 8 * page), 2 * page);
    assert_eq!(left(page, 8 * page), 0, "lowered afterwards");
}

#[test]
fn the_tighter_limit_refuses() {
    let limits = |data: Option<u64>, space: Option<u64>| Limits {
        data: data.map(|limit| Limit::new(limit, 1 << 20)),
        address_space: space.map(|limit| Limit::new(limit, 100 << 20)),
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
fn what_counts_in_this_process() {
    let process = Process::open(std::process::id() as i32).unwrap();
    let counted = Counted::of(&process).unwrap();
    assert!(counted.data_bytes > 0);
    assert!(counted.address_space_bytes >= counted.data_bytes);
}

#[test]
fn the_break_counts_what_became_read_only() {
    let left = |limit: Option<u64>, segment| {
        let limits =
            Limits { data: limit.map(|limit| Limit::new(limit, 10 << 20)), address_space: None };
        let data = limits.at_break(segment, 1 << 20).data;
        data.map(|data| data.left_bytes)
    };
    assert_eq!(left(Some(16 << 20), 5 << 20), Some(6 << 20));
    assert_eq!(left(Some(16 << 20), 13 << 20), Some(2 << 20));
    assert_eq!(left(Some(16 << 20), 20 << 20), Some(0));
    assert_eq!(left(None, 20 << 20), None);
}
