use super::*;
use memory_event::{Call, Ending, Syscall, What};
use std::time::Duration;

const RW: u64 = (libc::PROT_READ | libc::PROT_WRITE) as u64;
const ANONYMOUS: u64 = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
const MIB: u64 = 1 << 20;

fn event(tid: i32, what: What) -> Event {
    Event::new(1, tid, Duration::ZERO, what)
}

fn call(tid: i32, syscall: Syscall, args: [u64; 6], result: Result<u64, i32>) -> Event {
    event(tid, What::Call(Call::new(syscall, args, result)))
}

fn refused(tid: i32) -> Event {
    call(tid, Syscall::Brk, [0x26d_3000, 0, 0, 0, 0, 0], Ok(0x26b_2000))
}

fn map(tid: i32, bytes: u64) -> Event {
    call(tid, Syscall::Mmap, [0, bytes, RW, ANONYMOUS, u64::MAX, 0], Ok(0x7f00_0000_0000))
}

fn told(events: &[Event]) -> Fallback {
    let mut story = Fallback::default();
    events.iter().for_each(|event| story.take(event));
    story
}

#[test]
fn a_refused_brk_and_a_map_are_one_fallback() {
    let story = told(&[refused(1), map(1, MIB), map(1, MIB), refused(1), map(1, 135_168)]);
    let json = serde_json::to_string(&story).unwrap();
    assert_eq!(json, r#"{"count":2,"bytes":1183744,"sizes":{"135168":1,"1048576":1}}"#);
    assert_eq!(story.without_mmap(), 0);
}

#[test]
fn threads_do_not_mix() {
    let story = told(&[refused(1), map(2, MIB), map(1, MIB), refused(2), map(1, MIB)]);
    assert_eq!((story.count(), story.without_mmap()), (1, 1));
}

#[test]
fn other_calls_between() {
    let close = call(1, Syscall::Close, [3, 0, 0, 0, 0, 0], Ok(0));
    assert_eq!(told(&[refused(1), close, map(1, MIB)]).count(), 1, "not a memory call");
    let advise = call(1, Syscall::Madvise, [0x1000, 4096, 4, 0, 0, 0], Ok(0));
    assert_eq!(told(&[refused(1), advise, map(1, MIB)]).count(), 0, "a memory call");
}

#[test]
fn what_is_no_fallback() {
    let asked = call(1, Syscall::Brk, [0; 6], Ok(0x26b_2000));
    assert_eq!(told(&[asked, map(1, MIB)]).refused_brks(), 0, "only asked where the break is");
    for (args, result) in [
        ([0x1000, MIB, RW, ANONYMOUS, 0, 0], Ok(0x1000)),
        ([0, MIB, libc::PROT_NONE as u64, ANONYMOUS, 0, 0], Ok(0x1000)),
        ([0, MIB, RW, libc::MAP_PRIVATE as u64, 3, 0], Ok(0x1000)),
        ([0, MIB, RW, ANONYMOUS, 0, 0], Err(libc::ENOMEM)),
    ] {
        let story = told(&[refused(1), call(1, Syscall::Mmap, args, result)]);
        assert_eq!((story.count(), story.without_mmap()), (0, 1), "{args:?} {result:?}");
    }
}

#[test]
fn nothing_is_kept_of_those_who_are_gone() {
    let exit = event(2, What::Exited(Ending::Code(0)));
    assert!(told(&[refused(2), exit]).after_refusal.is_empty());
    let exec = event(1, What::Exec { by: Syscall::Execve, former_tid: 2 });
    let story = told(&[refused(1), refused(2), exec, map(1, MIB)]);
    assert!(story.after_refusal.is_empty());
    assert_eq!((story.count(), story.without_mmap()), (0, 2));
}

#[test]
fn constant_memory() {
    let mut story = Fallback::default();
    for size in 0..10_000 {
        story.take(&refused(1));
        story.take(&map(1, size * 4096));
    }
    assert_eq!((story.sizes().len(), story.other_sizes, story.count()), (4096, 5904, 10_000));
}
