use super::*;
use memory_event::{Ending, Syscall};
use std::time::Duration;

mod files;
mod layout;
mod low_memory;
mod stacks;

const KIB: u64 = 1024;
const MIB: u64 = 1 << 20;
const HEAP: u64 = 0x60_0000;
const AREA: u64 = 0x7f00_0000_0000;
const RW: i32 = libc::PROT_READ | libc::PROT_WRITE;
const ANONYMOUS: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;

/// A story that is told by hand.
#[derive(Default)]
struct Told(Growth);

impl Told {
    fn event(&mut self, pid: i32, tid: i32, what: What) -> &mut Self {
        let at = Duration::ZERO;
        self.0.take(&Event::new(pid, tid, at, what));
        self
    }

    fn call(&mut self, syscall: Syscall, args: &[u64], result: u64) -> &mut Self {
        self.call_by(1, 1, syscall, args, Ok(result), None)
    }

    fn call_by(
        &mut self,
        pid: i32,
        tid: i32,
        syscall: Syscall,
        args: &[u64],
        result: Result<u64, i32>,
        path: Option<&str>,
    ) -> &mut Self {
        let mut all = [0; 6];
        all[..args.len()].copy_from_slice(args);
        let call =
            Call::new(syscall, all, result).with_path(path.map(|path| path.as_bytes().to_vec()));
        self.event(pid, tid, What::Call(call))
    }

    fn found(&mut self, ranges: &[(u64, u64)], program_break: Option<u64>) -> &mut Self {
        let ranges = ranges.iter().map(|(at, bytes)| *at..at + bytes).collect();
        let mut found = memory_event::Memory::default();
        (found.ranges, found.program_break) = (ranges, program_break);
        self.event(1, 1, What::Memory(found))
    }

    fn brk(&mut self, asked: u64, result: u64) -> &mut Self {
        self.call(Syscall::Brk, &[asked], result)
    }

    fn mmap(&mut self, at: u64, bytes: u64, protection: i32, flags: i32) -> &mut Self {
        let hint = if flags & libc::MAP_FIXED == 0 { 0 } else { at };
        let args = [hint, bytes, protection as u64, flags as u64, u64::MAX, 0];
        self.call(Syscall::Mmap, &args, at)
    }

    fn munmap(&mut self, at: u64, bytes: u64) -> &mut Self {
        self.call(Syscall::Munmap, &[at, bytes], 0)
    }

    fn mprotect(&mut self, at: u64, bytes: u64, protection: i32) -> &mut Self {
        self.call(Syscall::Mprotect, &[at, bytes, protection as u64], 0)
    }

    fn open(&mut self, path: &str, fd: u64) -> &mut Self {
        self.call_by(1, 1, Syscall::Openat, &[0, 0, 0], Ok(fd), Some(path))
    }

    fn close(&mut self, fd: u64) -> &mut Self {
        self.call(Syscall::Close, &[fd], 0)
    }

    fn kinds(&self) -> Vec<(&'static str, i64)> {
        let kinds = self.0.by_kind();
        let nonzero = kinds.iter().filter(|(_, bytes)| *bytes != 0);
        nonzero.map(|(kind, bytes)| (kind.name(), bytes)).collect()
    }
}

#[test]
fn the_break_grows_and_shrinks() {
    let mut told = Told::default();
    told.brk(0, HEAP).brk(HEAP + 132 * KIB, HEAP + 132 * KIB);
    assert_eq!(told.kinds(), [("break", 132 * 1024)]);
    told.brk(HEAP + 8 * KIB, HEAP + 8 * KIB);
    assert_eq!(told.kinds(), [("break", 8 * 1024)]);
    assert_eq!(told.0.peak().total(), 132 * 1024);
    assert_eq!(told.0.returned_bytes(), 124 * KIB);
}

#[test]
fn a_break_inside_a_page_takes_the_whole_page() {
    let mut told = Told::default();
    told.brk(0, HEAP + 100).brk(HEAP + 200, HEAP + 200);
    assert_eq!(told.kinds(), []);
    told.brk(HEAP + 4097, HEAP + 4097);
    assert_eq!(told.kinds(), [("break", 4096)]);
}

#[test]
fn an_mmap_after_a_refused_break_is_a_fallback() {
    let mut told = Told::default();
    told.brk(0, HEAP).brk(HEAP + 132 * KIB, HEAP).mmap(AREA, MIB, RW, ANONYMOUS).mmap(
        AREA + MIB,
        MIB,
        RW,
        ANONYMOUS,
    );
    assert_eq!(told.kinds(), [("fallback", MIB as i64), ("large_block", MIB as i64)]);
}

#[test]
fn mappings_are_told_apart() {
    let mut told = Told::default();
    told.mmap(AREA, 4096, RW, ANONYMOUS)
        .mmap(AREA + MIB, 4096, RW, libc::MAP_PRIVATE)
        .mmap(AREA + 2 * MIB, MIB, libc::PROT_READ, libc::MAP_PRIVATE)
        .mmap(AREA + 4 * MIB, MIB, RW, libc::MAP_SHARED | libc::MAP_ANONYMOUS)
        .mmap(AREA + 6 * MIB, MIB, RW, ANONYMOUS | libc::MAP_STACK);
    assert_eq!(told.kinds(), [("stack", MIB as i64), ("other", 8192)]);
    told.munmap(AREA + 6 * MIB, MIB);
    assert_eq!(told.kinds(), [("other", 8192)]);
}

#[test]
fn an_arena_counts_as_far_as_it_is_writable() {
    let mut told = Told::default();
    let reserve = ANONYMOUS | libc::MAP_NORESERVE;
    told.mmap(AREA, 128 * MIB, libc::PROT_NONE, reserve)
        .munmap(AREA, 16 * MIB)
        .munmap(AREA + 80 * MIB, 48 * MIB)
        .mprotect(AREA + 16 * MIB, 132 * KIB, RW);
    assert_eq!(told.kinds(), [("arena", 132 * 1024)]);
    told.mprotect(AREA + 16 * MIB + 132 * KIB, 4096, RW);
    assert_eq!(told.kinds(), [("arena", 136 * 1024)]);
    // As it shrinks, and grows again.
    let fixed = ANONYMOUS | libc::MAP_FIXED;
    told.mmap(AREA + 16 * MIB + 4096, 132 * KIB, libc::PROT_NONE, fixed);
    assert_eq!(told.kinds(), [("arena", 4096)]);
    told.mprotect(AREA + 16 * MIB, 132 * KIB, RW);
    assert_eq!(told.kinds(), [("arena", 132 * 1024)]);
}

#[test]
fn a_mapping_over_another_replaces_it() {
    let mut told = Told::default();
    told.mmap(AREA, 8 * MIB, RW, ANONYMOUS).mmap(
        AREA + MIB,
        MIB,
        libc::PROT_READ,
        libc::MAP_PRIVATE | libc::MAP_FIXED,
    );
    assert_eq!(told.kinds(), [("large_block", 7 * MIB as i64)]);
}

#[test]
fn an_munmap_that_is_told_late_does_not_take_what_came_after_it() {
    let mut told = Told::default();
    // One thread has unmapped it, another has got it; the first is told last.
    told.mmap(AREA, 2 * MIB, RW, ANONYMOUS)
        .mmap(AREA + MIB, MIB, RW, ANONYMOUS)
        .munmap(AREA, 2 * MIB);
    assert_eq!(told.kinds(), [("large_block", MIB as i64)]);
    told.munmap(AREA + MIB, MIB);
    assert_eq!(told.kinds(), []);
}

#[test]
fn what_moves_is_not_asked_for_again() {
    let mut told = Told::default();
    told.mmap(AREA, MIB, RW, ANONYMOUS);
    let (from, to) = (AREA, AREA + 64 * MIB);
    let args = [from, MIB, 3 * MIB, libc::MREMAP_MAYMOVE as u64, 0];
    told.call(Syscall::Mremap, &args, to);
    assert_eq!(told.kinds(), [("large_block", 3 * MIB as i64)]);
    assert_eq!((told.0.asked_bytes(), told.0.returned_bytes()), (3 * MIB, 0));
    told.munmap(from, MIB).munmap(to, 3 * MIB);
    assert_eq!(told.kinds(), []);
}

#[test]
fn what_shrinks_in_place_is_what_it_was_and_a_second_place_of_shared_memory_is_no_growth() {
    let mut told = Told::default();
    let fixed = (libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED) as u64;
    // Two mappings to the kernel, of which the first is writable.
    told.mmap(AREA, 64 * MIB, 0, ANONYMOUS).mprotect(AREA, 8 * MIB, RW);
    told.call(Syscall::Mremap, &[AREA, 60 * MIB, 60 * MIB, 0], AREA);
    told.call(Syscall::Mremap, &[AREA, 60 * MIB, 56 * MIB, 0], AREA);
    assert_eq!(told.0.now().total(), 8 * MIB as i64);
    told.call(Syscall::Mremap, &[AREA, 56 * MIB, 4 * MIB, 0], AREA);
    assert_eq!(told.0.now().total(), 4 * MIB as i64);
    let shared = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    told.mmap(AREA + 128 * MIB, 2 * MIB, RW, shared);
    told.call(Syscall::Mremap, &[AREA + 128 * MIB, 0, 2 * MIB, fixed, AREA], AREA);
    assert_eq!(told.0.now().total(), 2 * MIB as i64, "in the place of private memory");
}

#[test]
fn what_was_there_before_counts_when_it_goes() {
    let mut told = Told::default();
    told.found(&[(AREA, 4 * MIB)], None).mprotect(AREA, MIB, libc::PROT_READ);
    assert_eq!(told.kinds(), [("earlier", -(MIB as i64))]);
    told.mprotect(AREA, MIB, RW);
    assert_eq!(told.kinds(), []);
}

#[test]
fn the_break_of_a_process_that_ran_before_is_known() {
    let mut told = Told::default();
    told.found(&[(HEAP, 8 * MIB)], Some(HEAP + 8 * MIB)).brk(HEAP + 9 * MIB, HEAP + 9 * MIB);
    assert_eq!(told.kinds(), [("break", MIB as i64)]);
    told.brk(HEAP + 7 * MIB, HEAP + 7 * MIB);
    assert_eq!(told.kinds(), [("earlier", -(MIB as i64))]);
}

#[test]
fn a_child_starts_with_what_was_there_before() {
    let mut told = Told::default();
    let child = What::Forked { child: 2, thread: false };
    told.brk(0, HEAP).brk(HEAP + MIB, HEAP + MIB).event(1, 1, child).call_by(
        2,
        2,
        Syscall::Brk,
        &[HEAP + 2 * MIB],
        Ok(HEAP + 2 * MIB),
        None,
    );
    assert_eq!(told.kinds(), [("break", 2 * MIB as i64)]);
    assert_eq!(told.0.peak().total(), 2 * MIB as i64);
    told.event(2, 2, What::Exited(Ending::Code(0))).brk(HEAP + 3 * MIB, HEAP + 3 * MIB);
    assert_eq!(told.kinds(), [("break", 4 * MIB as i64)]);
    assert_eq!(told.0.peak().total(), 3 * MIB as i64, "never all at once");
}

/// The parent has it still, whatever a child does with its copy.
#[test]
fn what_a_child_gives_back_of_its_inheritance_is_not_the_parents_loss() {
    let mut told = Told::default();
    told.brk(0, HEAP).brk(HEAP + MIB, HEAP + MIB).mmap(AREA, 8 * MIB, RW, ANONYMOUS);
    told.event(1, 1, What::Forked { child: 2, thread: false });
    let by_child = |told: &mut Told, syscall, args: &[u64], result| {
        told.call_by(2, 2, syscall, args, Ok(result), None);
        told.0.now().total() as u64
    };
    let unmapped = by_child(&mut told, Syscall::Munmap, &[AREA, 4 * MIB], 0);
    let shrunk = by_child(&mut told, Syscall::Brk, &[HEAP], HEAP);
    let protected = by_child(&mut told, Syscall::Mprotect, &[AREA + 4 * MIB, MIB, 0], 0);
    let [from, to, move_it] = [AREA + 6 * MIB, AREA + 20 * MIB, libc::MREMAP_MAYMOVE as u64];
    let grown = by_child(&mut told, Syscall::Mremap, &[from, 2 * MIB, 5 * MIB, move_it, 0, 0], to);
    let given_back = by_child(&mut told, Syscall::Munmap, &[to, 5 * MIB], 0);
    assert_eq!([unmapped, shrunk, protected], [9 * MIB; 3]);
    assert_eq!([grown, given_back], [12 * MIB, 9 * MIB], "what it asked for itself");
    let rows = told.0.by_process();
    let rows: Vec<_> = rows.iter().map(|it| (it.pid, it.bytes as u64)).collect();
    assert_eq!(rows[0], (1, 9 * MIB), "{rows:?}");
}

#[test]
fn another_program_starts_anew() {
    let mut told = Told::default();
    let exec = What::Exec { by: Syscall::Execve, former_tid: 1 };
    told.brk(0, HEAP)
        .brk(HEAP + MIB, HEAP + MIB)
        .event(1, 1, exec)
        .brk(0, 2 * HEAP)
        .brk(2 * HEAP + 4096, 2 * HEAP + 4096);
    assert_eq!(told.kinds(), [("break", MIB as i64 + 4096)]);
}

#[test]
fn growth_belongs_to_the_file_being_read() {
    let mut told = Told::default();
    told.brk(0, HEAP).open("/etc/conf", 3);
    let mut at = HEAP;
    for _ in 0..3 {
        told.open("/etc/bundle", 4)
            .mmap(AREA, 4096, RW, ANONYMOUS)
            .brk(at + 132 * KIB, at + 132 * KIB)
            .munmap(AREA, 4096)
            .close(4);
        at += 132 * KIB;
    }
    told.brk(at + 4096, at + 4096).close(3).brk(at + MIB, at + MIB);
    let files: Vec<_> = told.0.by_file().into_iter().cloned().collect();
    let [bundle, conf] = files.as_slice() else {
        panic!("{files:?}");
    };
    assert_eq!((&*bundle.path, bundle.opens), (&b"/etc/bundle"[..], 3));
    assert_eq!(bundle.bytes(), 3 * 132 * KIB);
    assert_eq!(bundle.asked_bytes, 3 * 136 * KIB);
    assert_eq!((&*conf.path, conf.opens), (&b"/etc/conf"[..], 1));
    assert_eq!(conf.bytes(), 4096);
    assert_eq!(told.0.without_file_bytes(), MIB as i64 - 4096);
}

#[test]
fn another_threads_growth_is_not_the_files() {
    let mut told = Told::default();
    told.open("/etc/bundle", 4);
    let args = [0, MIB, RW as u64, ANONYMOUS as u64, u64::MAX, 0];
    told.call_by(1, 2, Syscall::Mmap, &args, Ok(AREA), None);
    assert_eq!(told.0.by_file()[0].bytes(), 0);
    assert_eq!(told.kinds(), [("large_block", MIB as i64)]);
}

#[test]
fn growth_by_stack() {
    let mut told = Told::default();
    let stack =
        |requested_bytes| Stack::new(vec!["malloc".into(), "main".into()], false, requested_bytes);
    for (number, requested) in [Some(40), Some(40), None].into_iter().enumerate() {
        let at = AREA + number as u64 * MIB;
        let call =
            Call::new(Syscall::Mmap, [0, MIB, RW as u64, ANONYMOUS as u64, u64::MAX, 0], Ok(at))
                .with_stack(Some(stack(requested).into()));
        told.event(1, 1, What::Call(call));
    }
    told.mmap(AREA + 8 * MIB, 4096, RW, ANONYMOUS);
    let stacks = told.0.by_stack();
    assert_eq!((stacks[0].bytes, stacks[0].count), (3 * MIB, 3));
    assert_eq!(stacks[0].requested, [(40, 2)].into());
    assert_eq!(told.0.without_stack_bytes(), 4096);
}

#[test]
fn a_break_below_the_first_one_that_was_told_gives_back_what_was_there_before() {
    let mut told = Told::default();
    told.brk(HEAP, HEAP).brk(HEAP - 4096, HEAP - 4096).brk(HEAP - 32 * KIB, HEAP - 32 * KIB);
    assert_eq!(told.kinds(), [("earlier", -32 * 1024)]);
    assert_eq!(told.0.returned_bytes(), 32 * KIB);
    // What comes after that isn't of before.
    told.brk(HEAP, HEAP).brk(HEAP - 32 * KIB, HEAP - 32 * KIB);
    assert_eq!(told.kinds(), [("earlier", -32 * 1024)]);
    assert_eq!(told.0.peak().total(), 0);
}

#[test]
fn a_refusal_below_the_known_break_says_where_the_break_is() {
    let mut told = Told::default();
    told.0.keep_layout();
    told.brk(0, HEAP).brk(HEAP + MIB, HEAP + MIB).brk(HEAP + 132 * KIB, HEAP);
    assert_eq!(told.kinds(), []);
    assert_eq!(told.0.returned_bytes(), MIB);
    assert_eq!(told.0.layout().unwrap().program_break, Some(HEAP + MIB), "at its peak");
}

/// What lies between two programs' breaks was neither's.
#[test]
fn a_program_that_began_unseen_shrinks_its_own_heap_alone() {
    let mut told = Told::default();
    told.brk(0, 0x561e_79c3_1000).brk(0, 0x5555_5569_4000);
    told.brk(0x5555_556b_5000, 0x5555_556b_5000).brk(0x5555_556a_0000, 0x5555_556a_0000);
    assert_eq!(told.kinds(), [("break", 0xc000)]);
    told.brk(0x5555_5568_4000, 0x5555_5568_4000);
    assert_eq!(told.kinds(), [("earlier", -0x1_0000)]);
}

#[test]
fn a_program_that_began_unseen_has_a_break_of_its_own() {
    let mut told = Told::default();
    told.brk(0, HEAP).brk(HEAP + MIB, HEAP + MIB);
    let others = HEAP + (1 << 40);
    told.brk(0, others).brk(others + 132 * KIB, others + 132 * KIB);
    assert_eq!(told.kinds(), [("break", (MIB + 132 * KIB) as i64)]);
}

/// Whatever is called in whatever order, what is held is what the ranges say, and giving all of
/// it back leaves nothing.
#[test]
fn held_memory_is_the_sum_of_calls() {
    let mut seed = 0x1234_5678_u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    let mut told = Told::default();
    for _ in 0..20_000 {
        let at = AREA + random(64) * 4096;
        let bytes = (1 + random(16)) * 4096;
        let protection = if random(2) == 0 { RW } else { libc::PROT_READ };
        match random(4) {
            0 => told.mmap(at, bytes, protection, ANONYMOUS | libc::MAP_FIXED),
            1 => told.munmap(at, bytes),
            2 => told.mprotect(at, bytes, protection),
            _ => {
                let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
                let args = [at, bytes, (1 + random(16)) * 4096, flags as u64, 0];
                told.call(Syscall::Mremap, &args, AREA + random(64) * 4096)
            }
        };
        let held = told.0.by_kind().total();
        let balance = told.0.asked_bytes() as i64 - told.0.returned_bytes() as i64;
        assert_eq!(held, balance);
        assert!((0..=80 * 4096).contains(&held), "{held}");
    }
    told.munmap(AREA, 256 * 4096);
    assert_eq!(told.0.by_kind().total(), 0);
}

/// A shell that grows, makes a child that grows more, and then executes something.
#[test]
fn by_process() {
    let mut told = Told::default();
    let map = |told: &mut Told, pid: i32, at: u64, bytes: u64| {
        let args = [0, bytes, RW as u64, ANONYMOUS as u64, u64::MAX, 0];
        told.call_by(pid, pid, Syscall::Mmap, &args, Ok(at), None);
    };
    let mut found = memory_event::Memory::default();
    found.executed_files = vec![b"/bin/sh".to_vec(), b"/lib/libc.so.6".to_vec()];
    told.event(1, 1, What::Started).event(1, 1, What::Memory(found));
    map(&mut told, 1, AREA, MIB);
    told.event(1, 1, What::Forked { child: 2, thread: false });
    map(&mut told, 2, AREA + MIB, 2 * MIB);
    told.call_by(2, 2, Syscall::Munmap, &[AREA + MIB, MIB], Ok(0), None);
    told.event(2, 2, What::Exited(Ending::Code(0)));
    told.event(1, 1, What::Exec { by: Syscall::Execve, former_tid: 1 });
    told.event(1, 1, What::Program(b"cat".to_vec()));
    map(&mut told, 1, AREA, 4096);
    told.event(1, 1, What::Forked { child: 3, thread: false });
    let rows = told.0.by_process();
    let rows: Vec<_> = rows
        .iter()
        .map(|it| (it.pid, it.program.as_deref(), it.bytes as u64, it.asked_bytes))
        .collect();
    let shell = Some(&b"/bin/sh"[..]);
    let cat = (1, Some(&b"cat"[..]), 4096, 4096);
    assert_eq!(rows, [(2, shell, MIB, 2 * MIB), (1, shell, MIB, MIB), cat]);
    assert_eq!(told.0.programs_left_out(), 0);
}

#[test]
fn of_many_processes_those_that_grew_most_are_told() {
    let mut told = Told::default();
    for pid in 1..=200 {
        let bytes = (pid as u64 * 77 % 211) * 4096;
        let args = [0, bytes, RW as u64, ANONYMOUS as u64, u64::MAX, 0];
        told.call_by(pid, pid, Syscall::Mmap, &args, Ok(AREA), None);
    }
    let rows = told.0.by_process();
    assert_eq!((rows.len(), told.0.programs_left_out()), (64, 136));
    assert!(rows.is_sorted_by_key(|it| -it.bytes));
    let mut all: Vec<_> = (1..=200).map(|pid| pid * 77 % 211 * 4096).collect();
    all.sort_unstable();
    assert_eq!(rows[63].bytes, all[200 - 64]);
}
