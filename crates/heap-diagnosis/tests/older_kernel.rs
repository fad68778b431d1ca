//! A kernel without `PROCMAP_QUERY`, as a seccomp filter makes this one look to a thread.

use proc_memory::{AddressSpace, BreakState, FoundBy, Process};
use ptmalloc::{Examination, Examiner};

use super::harness::{Scene, same_answer};

/// From now on every ioctl of this thread fails as it does for a request that a file doesn't know.
fn without_ioctls() {
    let operation = |code: u32, k: u32, jump_if_not: u8| libc::sock_filter {
        code: u16::try_from(code).unwrap(),
        jt: 0,
        jf: jump_if_not,
        k,
    };
    let not_known = libc::SECCOMP_RET_ERRNO | u32::try_from(libc::ENOTTY).unwrap();
    let mut filter = [
        // The number is the first word of what a filter is given.
        operation(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        operation(
            libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
            u32::try_from(libc::SYS_ioctl).unwrap(),
            1,
        ),
        operation(libc::BPF_RET | libc::BPF_K, not_known, 0),
        operation(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0),
    ];
    let program =
        libc::sock_fprog { len: u16::try_from(filter.len()).unwrap(), filter: filter.as_mut_ptr() };
    // SAFETY: takes numbers, and concerns this thread only.
    let promised = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(promised, 0);
    // SAFETY: the program and its four operations live until the call returns.
    let filtered = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program)
    };
    assert_eq!(filtered, 0, "{}", std::io::Error::last_os_error());
}

/// The break and malloc of a process.
fn look(pid: i32) -> (BreakState, Examination) {
    let process = Process::open(pid).unwrap();
    let stat = process.stat().unwrap();
    Examiner::new().look(&process, stat).unwrap()
}

#[test]
fn the_list_gives_the_same_answer() {
    let scenes = [
        "",
        "grow touch hole=0",
        "grow=0x100000 over=7 cut=3 hole=0x5000",
        "grow=0x100000 readonly=3",
        "malloc=1000 many=1000",
    ]
    .map(Scene::play);
    let pids = scenes.each_ref().map(|scene| scene.running.pid());
    let by_query = pids.map(look);
    let by_list = std::thread::spawn(move || {
        without_ioctls();
        pids.map(look)
    });
    let by_list = by_list.join().unwrap();
    for ((scene, by_query), by_list) in scenes.iter().zip(by_query).zip(by_list) {
        assert_eq!(by_list.0.found_by, FoundBy::Maps);
        same_answer(&by_list.0, &AddressSpace::of(by_list.0.pid).unwrap());
        let mut heap = by_list.0;
        heap.found_by = by_query.0.found_by;
        assert_eq!(by_query.0, heap);
        assert_eq!(by_query.0, scene.state());
        assert_eq!(by_query.1, by_list.1);
    }
}
