//! What counts as refused, who refused it, and whether the program ended of it.

use super::*;
use memory_event::{Crowd, HugePages, Sink};

const MIB: u64 = 1 << 20;
const AREA: u64 = 0x7f00_0000_0000;
const LOW: u64 = 0x4000_0000;
const RW: u64 = (libc::PROT_READ | libc::PROT_WRITE) as u64;
const PLAIN: u64 = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
const LOW_FLAG: u64 = crate::growth::kind::MAP_32BIT as u64;

#[derive(Default)]
struct Told {
    growth: Growth,
    memory: RefusedMemory,
    at: Duration,
}

impl Told {
    fn what(&mut self, what: What) -> &mut Self {
        let (pid, tid, at) = (1, 1, self.at);
        let event = Event::new(pid, tid, at, what);
        self.growth.take(&event);
        self.memory.take(&event, &self.growth);
        self
    }

    fn call(&mut self, syscall: Syscall, args: [u64; 4], result: Result<u64, i32>) -> &mut Self {
        let [a, b, c, d] = args;
        self.what(What::Call(Call::new(syscall, [a, b, c, d, u64::MAX, 0], result)))
    }

    fn map(&mut self, bytes: u64, protection: u64, flags: u64, at: u64) -> &mut Self {
        self.call(Syscall::Mmap, [0, bytes, protection, flags], Ok(at))
    }

    fn no(&mut self, bytes: u64, protection: u64, flags: u64) -> &mut Self {
        let args = [0, bytes, protection, flags];
        self.call(Syscall::Mmap, args, Err(libc::ENOMEM))
    }

    fn exits(&mut self, code: i32) -> &mut Self {
        self.what(What::Exited(Ending::Code(code)))
    }

    /// Who refused, how often, and whether the program ended of it.
    fn told(&self) -> Option<(&'static str, u64, bool)> {
        let programs = self.memory.programs();
        let program = programs.first()?;
        let by = program.first[0].by.name();
        Some((by, program.count(), program.ended.is_some()))
    }
}

#[test]
fn what_something_else_took_the_place_of_is_no_finding() {
    let huge = PLAIN | libc::MAP_HUGETLB as u64;
    let mut told = Told::default();
    told.no(4 * MIB, RW, huge).map(4 * MIB, RW, PLAIN, AREA);
    assert_eq!(told.exits(1).told(), None, "other pages");
    let mut told = Told::default();
    told.no(64 * MIB, 0, PLAIN).map(32 * MIB, 0, PLAIN, AREA);
    assert_eq!(told.exits(1).told(), None, "a smaller reservation");
    let mut told = Told::default();
    let arena = PLAIN | libc::MAP_NORESERVE as u64;
    told.no(128 * MIB, 0, arena).no(64 * MIB, 0, arena);
    told.map(MIB, RW, PLAIN, AREA);
    assert_eq!(told.exits(1).told(), None, "another thread's arena");
    let mut told = Told::default();
    told.call(Syscall::Brk, [0, 0, 0, 0], Ok(0x10_0000));
    told.call(Syscall::Brk, [0x20_0000, 0, 0, 0], Ok(0x10_0000));
    told.map(MIB, RW, PLAIN, AREA);
    assert_eq!(told.exits(1).told(), None, "the fallback");
}

#[test]
fn what_is_too_little_or_elsewhere_takes_no_place() {
    let mut told = Told::default();
    told.no(4 * MIB, RW, PLAIN).map(MIB, RW, PLAIN, AREA);
    assert_eq!(told.exits(1).told(), Some(("unknown", 1, true)));
    let mut told = Told::default();
    told.no(4 * MIB, RW, PLAIN).map(4 * MIB, 0, PLAIN, AREA);
    assert_eq!(told.exits(1).told(), Some(("unknown", 1, true)), "only addresses");
    let mut told = Told::default();
    told.map(MIB, RW, PLAIN | LOW_FLAG, LOW);
    told.no(MIB, RW, PLAIN | LOW_FLAG).map(MIB, RW, PLAIN, AREA);
    assert_eq!(told.exits(1).told(), Some(("unknown", 1, true)), "not low");
}

#[test]
fn a_program_that_goes_on_did_not_end_of_it() {
    let no = || {
        let mut told = Told::default();
        told.no(100 * MIB, RW, PLAIN);
        told
    };
    assert_eq!(no().exits(0).told(), Some(("unknown", 1, false)));
    assert_eq!(no().exits(1).told(), Some(("unknown", 1, true)));
    let later = &mut no();
    later.at = Duration::from_secs(60);
    assert_eq!(later.exits(1).told(), Some(("unknown", 1, false)));
    let more = &mut no();
    more.map(20 * MIB, RW, PLAIN, AREA);
    assert_eq!(more.exits(1).told(), Some(("unknown", 1, false)));
    assert_eq!(no().told(), Some(("unknown", 1, false)), "it still runs");
    for (signal, of_itself) in [(libc::SIGABRT, true), (libc::SIGTERM, false)] {
        let core_dumped = false;
        let ending = Ending::Signal { signal, core_dumped };
        let told = no().what(What::Exited(ending)).told();
        assert_eq!(told, Some(("unknown", 1, of_itself)));
    }
}

#[test]
fn reservations_that_a_program_does_without_are_harmless() {
    let mut told = Told::default();
    told.no(1 << 44, 0, PLAIN);
    assert_eq!(told.exits(0).told(), None);
    let mut told = Told::default();
    told.no(8 << 30, 0, PLAIN);
    assert_eq!(told.exits(1).told(), Some(("unknown", 1, true)), "a runtime's heap");
}

#[test]
fn who_refused_it() {
    let around = |around: Refusal| What::Refused(Box::new(around));
    let [mut data, mut space, mut crowded, mut small] = [(); 4].map(|()| Refusal::default());
    data.data_bytes = 32 * MIB;
    data.data_limit_bytes = Some(64 * MIB);
    space.address_space_bytes = 90 * MIB;
    space.address_space_limit_bytes = Some(100 * MIB);
    let crowd = crowded.crowd.insert(Crowd::default());
    crowd.mappings = 65_531;
    crowd.most_mappings = Some(65_530);
    crowd.greatest_gap_bytes = 1 << 46;
    small.promises.mode = Some(0);
    small.promises.machine_bytes = Some(16 * MIB);
    for (surroundings, by) in [
        (data, "limit"),
        (space, "limit"),
        (crowded, "limit"),
        (small, "overcommit"),
        (Refusal::default(), "unknown"),
    ] {
        let mut told = Told::default();
        told.no(33 * MIB, RW, PLAIN).what(around(surroundings));
        assert_eq!(told.exits(2).told(), Some((by, 1, true)));
    }
    // A break that would have had room: what the machine promises, not the addresses.
    let (mut told, mut roomy) = (Told::default(), Refusal::default());
    roomy.crowd.insert(Crowd::default()).greatest_gap_bytes = 1 << 46;
    (roomy.promises.mode, roomy.promises.machine_bytes) = (Some(0), Some(16 << 30));
    told.call(Syscall::Brk, [0, 0, 0, 0], Ok(AREA));
    told.call(Syscall::Brk, [AREA + (2 << 40), 0, 0, 0], Ok(AREA)).what(around(roomy));
    assert_eq!(told.exits(2).told(), Some(("overcommit", 1, true)));
    // Huge pages: the pool is looked at first, if it is the one that is meant.
    let huge = PLAIN | libc::MAP_HUGETLB as u64;
    let of_a_gib = huge | 30 << libc::MAP_HUGE_SHIFT;
    let mut pool = HugePages::default();
    (pool.page_bytes, pool.total, pool.free) = (2 * MIB, 40, 16);
    for (bytes, flags, pool, by) in [
        (33 * MIB, huge, Some(pool), "huge-pages"),
        (32 * MIB, huge, Some(pool), "limit"),
        (33 * MIB, of_a_gib, Some(pool), "limit"),
        (33 * MIB, huge, None, "limit"),
        (33 * MIB, PLAIN, Some(pool), "limit"),
    ] {
        let (mut told, mut near) = (Told::default(), Refusal::default());
        (near.address_space_bytes, near.address_space_limit_bytes) = (90 * MIB, Some(100 * MIB));
        near.huge_pages = pool;
        told.no(bytes, RW, flags).what(around(near));
        assert_eq!(told.exits(2).told(), Some((by, 1, true)));
    }
    // Where nothing but the call is known, it is what is likely to refuse it.
    assert_eq!(Told::default().no(MIB, RW, huge).exits(2).told(), Some(("huge-pages", 1, true)));
    let mut told = Told::default();
    let args = [0, MIB, RW, PLAIN];
    told.call(Syscall::Mmap, args, Err(libc::EPERM));
    assert_eq!(told.told(), Some(("filter", 1, false)));
    let mut told = Told::default();
    told.call(Syscall::Munmap, [AREA, MIB, 0, 0], Err(libc::ENOMEM));
    assert_eq!(told.told(), Some(("limit", 1, false)));
    let mut told = Told::default();
    told.no(64 << 40, RW, PLAIN);
    assert_eq!(told.told(), Some(("address-space", 1, false)));
}

#[test]
fn low_memory_that_is_used_up() {
    let mut told = Told::default();
    let flags = PLAIN | LOW_FLAG;
    for number in 0..15 {
        told.map(64 * MIB, RW, flags, LOW + number * 64 * MIB);
    }
    told.no(64 * MIB, RW, flags).exits(15);
    assert_eq!(told.told(), Some(("low-memory", 1, true)));
    let RefusedBy::LowMemory { used_bytes, .. } = told.memory.programs()[0].first[0].by else {
        panic!("{:?}", told.memory);
    };
    assert_eq!(used_bytes, 960 << 20);
    // With hardly any of it in use something else refused it.
    let mut told = Told::default();
    told.no(64 * MIB, RW, flags).exits(1);
    assert_eq!(told.told(), Some(("unknown", 1, true)));
}

#[test]
fn protecting_what_is_not_there_is_no_want_of_memory() {
    let mut told = Told::default();
    told.call(Syscall::Mprotect, [AREA, MIB, 0, 0], Err(libc::ENOMEM));
    assert_eq!(told.exits(1).told(), None);
    let mut told = Told::default();
    told.call(Syscall::Mprotect, [AREA, MIB, RW, 0], Err(libc::ENOMEM));
    assert_eq!(told.exits(1).told(), Some(("unknown", 1, true)));
}

#[test]
fn memory_is_bounded() {
    let mut told = Told::default();
    for _ in 0..10_000 {
        told.no(MIB, RW, PLAIN);
    }
    let programs = told.memory.programs();
    assert_eq!((programs[0].count(), programs[0].first.len()), (10_000, MOST_TOLD));
    assert!(told.memory.waiting.values().all(|one| one.requests.len() <= MOST_WAITING));
}
