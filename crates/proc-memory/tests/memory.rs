//! What is read of another process, and that it stays as it was.

use std::io::BufRead;
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use proc_memory::{Process, ProcessMemory, Status, page_size_bytes, read_memory};

use super::child::MIB;
use crate::compiled;

/// `forked.c` at work: what it has said. It ends when it is dropped.
struct Forked {
    program: Child,
    child: i32,
    pages: u64,
    shared: u64,
}

impl Forked {
    fn start() -> Self {
        let mut program = Command::new(compiled("forked.c", "forked", &["-O1"]))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let said = program.stdout.take().unwrap();
        suite::waiting::lines(said).read_line(&mut line).unwrap();
        let mut said = line.split_whitespace().map(|word| word.parse::<u64>().unwrap());
        let [child, pages, shared] = [(); 3].map(|()| said.next().unwrap());
        Self { program, child: child as i32, pages, shared }
    }
}

impl Drop for Forked {
    fn drop(&mut self) {
        drop(self.program.stdin.take());
        let _ = self.program.wait();
    }
}

#[test]
fn places_are_read_one_after_the_other_and_end_where_nothing_is() {
    let forked = Forked::start();
    let (start, page) = (forked.pages, page_size_bytes());
    // The pages are shared; what is only said to be the process's alone is read in the other way.
    let open = || ProcessMemory::open(&Process::open(forked.child).unwrap()).unwrap();
    let all = 0..1 << 47;
    let ways = [ProcessMemory::of(forked.child).unwrap(), open(), open().with_private(vec![all])];
    ways.iter().for_each(|memory| reads(memory, start, page));
}

fn reads(memory: &ProcessMemory, start: u64, page: u64) {
    let read = |places: &[(u64, u64)]| {
        let places: Vec<_> = places.iter().map(|(at, end)| start + at..start + end).collect();
        let mut found = b"!".to_vec();
        let result = memory.read(&places, &mut found);
        (result, String::from_utf8(found).unwrap())
    };
    let whole = |text: &str| (Ok(text.len()), format!("!{text}"));
    // Next to each other, on pages that follow each other, far apart, backwards, over each other.
    let neighbours = [(0, 2), (2, 3), (page, page + 2), (2 * page, 2 * page + 1)];
    assert_eq!(read(&neighbours), whole("aaabbc"));
    assert_eq!(read(&[(page - 1, page + 1), (4 * page, 4 * page + 1), (0, 1)]), whole("abea"));
    assert_eq!(read(&[(0, 3), (1, 2), (1, 4)]), whole("aaaaaaa"));
    assert_eq!(read(&[]), whole(""));
    // As far as it goes.
    assert_eq!(read(&[(3 * page - 2, 3 * page + 2), (0, 1)]), whole("cc"));
    assert_eq!(read(&[(0, 1), (3 * page, 3 * page + 1), (4 * page, 4 * page + 1)]), whole("a"));
    assert_eq!(read(&[(2 * page, 2 * page + 1), (3 * page, 3 * page + 8)]), whole("c"));
    let nothing = |errno| (Err(errno), "!".to_owned());
    assert_eq!(read(&[(3 * page, 3 * page + 1), (0, 1)]), nothing(Errno::EFAULT));
    let beyond = 1 << 63..(1 << 63) + 8;
    let result = memory.read(std::slice::from_ref(&beyond), &mut Vec::new());
    assert_eq!(result, Err(Errno::EFAULT));
}

#[test]
fn one_that_has_ended_is_gone() {
    let forked = Forked::start();
    let pid = forked.program.id() as i32;
    let memory = ProcessMemory::open(&Process::open(pid).unwrap()).unwrap();
    let place = forked.pages..forked.pages + 1;
    drop(forked);
    assert_eq!(memory.read(std::slice::from_ref(&place), &mut Vec::new()), Err(Errno::ESRCH));
    assert_eq!(read_memory(pid, &[place], &mut Vec::new()), Err(Errno::ESRCH));
}

/// What parent and child share since the fork they share afterwards, whoever of them was read.
#[test]
fn nobody_gets_a_page_of_his_own_by_being_read() {
    let forked = Forked::start();
    let parent = forked.program.id() as i32;
    let private = |pid: i32| {
        let rollup = Process::open(pid).unwrap().whole("smaps_rollup").unwrap();
        let rollup = Status::parse(rollup);
        rollup.bytes("Private_Clean").unwrap() + rollup.bytes("Private_Dirty").unwrap()
    };
    let before = [parent, forked.child].map(private);
    assert!(before.iter().sum::<u64>() < 4 * MIB, "{before:?}");
    let all = forked.shared..forked.shared + 32 * MIB;
    for pid in [parent, forked.child] {
        let memory = ProcessMemory::open(&Process::open(pid).unwrap()).unwrap();
        let mut bytes = Vec::new();
        assert_eq!(memory.read(std::slice::from_ref(&all), &mut bytes), Ok(32 << 20));
        let heads: Vec<_> = all.clone().step_by(16 << 10).map(|place| place..place + 8).collect();
        assert_eq!(memory.read(&heads, &mut bytes), Ok(2048 * 8));
        assert!(bytes.iter().all(|byte| *byte == 1));
    }
    let after = [parent, forked.child].map(private);
    assert!(after.iter().sum::<u64>() < before.iter().sum::<u64>() + MIB, "{before:?} {after:?}");
}
