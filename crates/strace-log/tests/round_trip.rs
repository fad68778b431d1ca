//! Any log that is written from events is read back as these events.

use std::sync::Arc;
use std::time::Duration;

use fuzz_events::StraceWriter;
use memory_event::{Call, Ending, Event, Memory, Stack, Syscall, What};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use strace_log::LogNote;

use super::read;

/// What a thread does next; who it is, is chosen among those that are alive.
#[derive(Clone, Debug)]
enum Step {
    Fork { thread: bool },
    Exec { by: Syscall },
    Exit(Ending),
    Call(Call),
}

fn ending() -> impl Strategy<Value = Ending> {
    let signal = (1..=64, any::<bool>());
    prop_oneof![
        (0..=255).prop_map(Ending::Code),
        signal.prop_map(|(signal, core_dumped)| Ending::Signal { signal, core_dumped }),
    ]
}

/// Arguments that a log keeps: all that aren't addresses of something it shows instead.
fn arguments(syscall: Syscall, any: [u64; 6]) -> [u64; 6] {
    let descriptor = |value: u64| value & 0xffff_ffff;
    let [a, b, c, d, e, f] = any;
    match syscall {
        Syscall::Brk => [a, 0, 0, 0, 0, 0],
        Syscall::Mmap => [a, b, c, d, descriptor(e), f],
        Syscall::Munmap => [a, b, 0, 0, 0, 0],
        Syscall::Mremap => [a, b, c, d, e, 0],
        Syscall::Mprotect | Syscall::Madvise => [a, b, c, 0, 0, 0],
        Syscall::Open => [0, b, c, 0, 0, 0],
        Syscall::Openat => [descriptor(a), 0, c, d, 0, 0],
        Syscall::Openat2 => [descriptor(a), 0, 0, d, 0, 0],
        Syscall::Creat => [0, b, 0, 0, 0, 0],
        Syscall::Close => [descriptor(a), 0, 0, 0, 0, 0],
        Syscall::Execve => [0; 6],
        Syscall::Execveat => [descriptor(a), 0, 0, 0, e, 0],
    }
}

fn argument() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        0..64_u64,
        any::<u32>().prop_map(u64::from),
        any::<u64>().prop_map(address)
    ]
}

/// One with the sign of 32 bits isn't a 64-bit program's: a log means the 32 bits by it.
fn address(value: u64) -> u64 {
    match value {
        0xffff_ffff_8000_0000.. => value & u64::from(u32::MAX),
        other => other,
    }
}

fn call() -> impl Strategy<Value = Call> {
    let result = prop_oneof![
        3 => (0..=u64::MAX - 4095).prop_map(|value| Ok(address(value))),
        1 => prop_oneof![1..=133, 512..=516, 1..4096].prop_map(Err),
    ];
    let path = proptest::option::of(vec(1..=255_u8, 1..40));
    let frames = vec("[a-zA-Z_][a-zA-Z0-9_:~<>]{0,20}", 0..4);
    let args = proptest::array::uniform6(argument());
    let syscall = select(&Syscall::ALL[..]);
    (syscall, args, result, path, frames).prop_map(|(syscall, args, result, path, frames)| {
        let executes = matches!(syscall, Syscall::Execve | Syscall::Execveat);
        let grows = matches!(syscall, Syscall::Brk | Syscall::Mmap | Syscall::Mremap);
        let frames = frames.iter().map(|frame| frame.as_str().into());
        let stack = Stack::new(frames.collect(), false, None);
        // An exec that succeeds is told otherwise.
        let result = if executes { result.and(Err(2)) } else { result };
        Call::new(syscall, arguments(syscall, args), result)
            .with_path(path.filter(|_| syscall.is_open() && result.is_ok()))
            .with_stack((grows && !stack.frames.is_empty()).then(|| Arc::new(stack)))
    })
}

fn step() -> impl Strategy<Value = Step> {
    let by = select(vec![Syscall::Execve, Syscall::Execveat]);
    prop_oneof![
        2 => any::<bool>().prop_map(|thread| Step::Fork { thread }),
        1 => by.prop_map(|by| Step::Exec { by }),
        1 => ending().prop_map(Step::Exit),
        8 => call().prop_map(Step::Call),
    ]
}

/// A run in which everybody is born before being heard of.
fn run(steps: &[(Index, u32, Step)]) -> Vec<Event> {
    let mut alive = vec![(700, 700)];
    let mut at = Duration::ZERO;
    let mut next = 701;
    let mut events = vec![Event::new(700, 700, at, What::Started)];
    for (who, microseconds, step) in steps {
        if alive.is_empty() {
            break;
        }
        at += Duration::from_micros(u64::from(*microseconds));
        let (pid, tid) = alive[who.index(alive.len())];
        let (tid, what) = match step {
            Step::Fork { thread } => {
                let child = next;
                next += 1;
                alive.push((if *thread { pid } else { child }, child));
                (tid, What::Forked { child, thread: *thread })
            }
            Step::Exec { by } => {
                alive.retain(|(process, _)| *process != pid);
                alive.push((pid, pid));
                let exec = What::Exec { by: *by, former_tid: tid };
                (pid, exec)
            }
            Step::Exit(ending) => {
                // A first thread is the last whose end is told.
                let last = alive.iter().filter(|(process, _)| *process == pid).count() == 1;
                if tid == pid && !last {
                    continue;
                }
                alive.retain(|(_, thread)| *thread != tid);
                (tid, What::Exited(*ending))
            }
            Step::Call(call) => (tid, What::Call(call.clone())),
        };
        events.push(Event::new(pid, tid, at, what));
    }
    events
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        steps in vec((any::<Index>(), 0..3_000_000_u32, step()), 0..60)
    ) {
        let events = run(&steps);
        let mut writer = StraceWriter::new(Vec::new());
        for event in &events {
            writer.write(event).unwrap();
        }
        let log = writer.into_inner();
        let finished = read("written", &log);
        let text = String::from_utf8_lossy(&log);
        prop_assert_eq!(finished.unread.count, 0, "{:?}", finished.unread);
        prop_assert_eq!(&finished.sink, &events, "{}", text);
        let made = events.iter().filter(|event| matches!(event.what, What::Forked { .. })).count();
        let is_first = |event: &Event| match event.what {
            What::Exec { former_tid, .. } => former_tid == 700,
            _ => event.tid == 700,
        };
        let is_alone = events.iter().all(is_first);
        let silent = (is_alone && made > 0).then_some(LogNote::NotFollowed { count: made as u64 });
        prop_assert_eq!(finished.notes, Vec::from_iter(silent));
        prop_assert_eq!(finished.lost_events, 0);
        let end = events.iter().rev().find_map(|event| match event.what {
            What::Exited(ending) if event.tid == 700 => Some(ending),
            _ => None,
        });
        prop_assert_eq!(finished.ending, end);
    }
}

#[test]
fn a_process_without_a_number_stays_without() {
    let log = "brk(NULL) = 0x1000000\n\
               open(\"/etc/hosts\", O_RDONLY) = 3\n\
               brk(0x1100000) = 0x1100000\n";
    let events = read("log", log.as_bytes()).sink;
    let mut writer = StraceWriter::new(Vec::new());
    for event in &events {
        writer.write(event).unwrap();
    }
    assert!(events.len() == 3 && events.iter().all(|event| event.pid == 0));
    assert_eq!(read("written", &writer.into_inner()).sink, events);
}

#[test]
fn what_a_log_cannot_hold_is_left_out() {
    let mut writer = StraceWriter::new(Vec::new());
    let what = What::Memory(Memory::default());
    writer.write(&Event::new(1, 1, Duration::ZERO, what)).unwrap();
    assert_eq!(writer.into_inner(), b"");
}
