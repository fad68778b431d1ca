//! Each finding appears where it should and is silent where it must not appear.

use super::*;
use memory_event::{Call, Ending, Event, Refusal, Resource, Sink, SoftLimit, Syscall, What};
use proc_memory::AddressSpace;
use std::time::Duration;

mod files;

const MIB: u64 = 1 << 20;
const HEAP: u64 = 0x26b_2000;
const AREA: u64 = 0x7f00_0000_0000;
const RW: u64 = (libc::PROT_READ | libc::PROT_WRITE) as u64;
const ANONYMOUS: u64 = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;

#[derive(Default)]
struct Told {
    story: Story,
    pid: i32,
    program_break: u64,
    mapped: u64,
    at: Duration,
}

impl Told {
    fn new() -> Self {
        let mut told = Self { pid: 7, program_break: HEAP, ..Self::default() };
        told.call(Syscall::Brk, &[0], HEAP, None);
        told
    }

    fn what(&mut self, what: What) -> &mut Self {
        self.story.take(&Event::new(self.pid, self.pid, self.at, what));
        self
    }

    fn call(&mut self, syscall: Syscall, args: &[u64], result: u64, path: Option<&str>) {
        let mut all = [0; 6];
        all[..args.len()].copy_from_slice(args);
        self.what(What::Call(
            Call::new(syscall, all, Ok(result))
                .with_path(path.map(|path| path.as_bytes().to_vec())),
        ));
    }

    fn grow(&mut self, bytes: u64) -> &mut Self {
        self.program_break += bytes;
        let to = self.program_break;
        self.call(Syscall::Brk, &[to], to, None);
        self
    }

    fn refused(&mut self, bytes: u64) -> &mut Self {
        let (asked, had) = (self.program_break + bytes, self.program_break);
        self.call(Syscall::Brk, &[asked], had, None);
        self
    }

    fn map(&mut self, bytes: u64) -> &mut Self {
        let at = AREA + self.mapped;
        self.mapped += bytes;
        let args = [0, bytes, RW, ANONYMOUS, u64::MAX, 0];
        self.call(Syscall::Mmap, &args, at, None);
        self
    }

    fn read(&mut self, path: &str, grow_bytes: u64) -> &mut Self {
        self.call(Syscall::Openat, &[0, 0, 0], 3, Some(path));
        self.grow(grow_bytes);
        self.call(Syscall::Close, &[3], 0, None);
        self
    }

    fn denied(&mut self, syscall: Syscall, args: &[u64], errno: i32) -> &mut Self {
        let mut all = [0; 6];
        all[..args.len()].copy_from_slice(args);
        self.what(What::Call(Call::new(syscall, all, Err(errno))))
    }

    fn exits(&mut self, code: i32) -> &mut Self {
        self.what(What::Exited(Ending::Code(code)))
    }

    fn because(&mut self, maps: &str, limits: [Option<u64>; 2]) -> &mut Self {
        let space = AddressSpace::parse(maps.as_bytes(), None).unwrap();
        let mut around = Refusal::default();
        around.program_break = space.program_break().cloned();
        around.data_limit_bytes = limits[0];
        around.data_bytes = 10 * MIB;
        around.address_space_limit_bytes = limits[1];
        around.address_space_bytes = 100 * MIB;
        self.what(What::Refused(Box::new(around)))
    }

    fn kinds(&self) -> Vec<String> {
        let findings = trace_findings(&self.story);
        findings.into_iter().map(|finding| finding.kind).collect()
    }
}

const FREE: &str = "02691000-026b2000 rw-p 00000000 00:00 0    [heap]\n\
                    7f0000000000-7f0000001000 r--p 00000000 fe:00 8    /lib/y\n";
const BLOCKED: &str = "02691000-026b2000 rw-p 00000000 00:00 0    [heap]\n\
                       026b2000-026b3000 r--p 00000000 fe:00 9    /lib/in the way.so\n";

#[test]
fn a_program_that_hardly_grows_is_left_in_peace() {
    let mut told = Told::new();
    for _ in 0..10 {
        told.read("/etc/hosts", 4096);
    }
    assert_eq!(told.grow(132 * 1024).kinds(), [""; 0]);
}

#[test]
fn the_same_file_again_and_again() {
    let mut told = Told::new();
    for _ in 0..101 {
        told.read("/etc/bundle", 800 * 1024);
    }
    assert_eq!(told.kinds(), ["repeated-file"]);
    let finding = &trace_findings(&told.story)[0];
    assert_eq!(finding.evidence["opens"], 101);
    assert_eq!(finding.evidence["median_bytes"], 800 * 1024);
    assert_eq!(finding.evidence["openings_grown"], 101);
    assert!(finding.evidence["read_bytes"].is_null());
    assert!(finding.message.contains("/etc/bundle was opened 101 times"), "{finding}");
}

#[test]
fn two_times_is_not_again_and_again_nor_is_a_small_share() {
    let mut told = Told::new();
    told.read("/etc/bundle", 2 * MIB).read("/etc/bundle", 2 * MIB);
    assert_eq!(told.kinds(), [""; 0]);
    for _ in 0..3 {
        told.read("/etc/small", MIB);
    }
    told.grow(100 * MIB);
    assert_eq!(told.kinds(), [""; 0]);
}

#[test]
fn many_programs_that_read_the_same_file_are_no_finding() {
    let mut told = Told::new();
    for _ in 0..10 {
        told.read("/lib/libc.so.6", 2 * MIB);
        told.what(What::Exec { by: Syscall::Execve, former_tid: 7 });
        let program_break = told.program_break;
        told.call(Syscall::Brk, &[0], program_break, None);
    }
    assert_eq!(told.kinds(), [""; 0]);
}

#[test]
fn a_blocked_break_names_the_blocker() {
    let mut told = Told::new();
    told.refused(132 * 1024).because(BLOCKED, [None, None]).map(MIB / 2);
    assert_eq!(told.kinds(), ["break-blocked"]);
    let finding = &trace_findings(&told.story)[0];
    assert_eq!(finding.evidence["blocker"]["name"], "/lib/in the way.so");
    assert_eq!(finding.evidence["blocker"]["start"], "0x26b2000");
    assert_eq!(finding.evidence["room_bytes"], 0);
    assert!(finding.message.contains("/lib/in the way.so"), "{finding}");
}

#[test]
fn a_limit_is_told_from_a_blocker() {
    for (limits, name) in
        [([Some(10 * MIB), None], "RLIMIT_DATA"), ([None, Some(100 * MIB)], "RLIMIT_AS")]
    {
        let mut told = Told::new();
        told.refused(132 * 1024).because(FREE, limits);
        assert_eq!(told.kinds(), ["refused-memory", "break-limited"]);
        for finding in trace_findings(&told.story) {
            assert_eq!(finding.evidence["limit"], name, "{finding}");
        }
    }
}

#[test]
fn room_left_and_no_limit_is_said_to_be_unknown() {
    let mut told = Told::new();
    told.refused(132 * 1024).because(FREE, [None, None]).map(MIB / 2);
    assert_eq!(told.kinds(), ["break-refused"]);
}

#[test]
fn asking_for_a_lower_break_is_no_refusal_of_growth() {
    let mut told = Told::new();
    told.call(Syscall::Brk, &[1], HEAP, None);
    assert_eq!(told.because(BLOCKED, [None, None]).kinds(), [""; 0]);
}

#[test]
fn calls_alone_show_that_it_was_refused_but_not_by_what() {
    let mut told = Told::new();
    told.refused(132 * 1024).map(MIB / 2);
    assert_eq!(told.kinds(), ["break-refused"]);
    let finding = &trace_findings(&told.story)[0];
    assert_eq!(finding.evidence["by"], "unknown");
    assert!(finding.message.contains("RLIMIT_DATA"), "{finding}");
    assert!(!finding.message.contains("blocked"), "{finding}");
    let mut alone = Told::new();
    assert_eq!(alone.refused(132 * 1024).kinds(), ["refused-memory"]);
}

#[test]
fn fallbacks_are_kept_until_they_are_unmapped() {
    let mut told = Told::new();
    told.refused(132 * 1024).map(2 * MIB);
    assert_eq!(told.kinds(), ["break-refused", "memory-kept"]);
    told.call(Syscall::Munmap, &[AREA, 2 * MIB], 0, None);
    assert_eq!(told.kinds(), ["break-refused"]);
}

#[test]
fn a_program_that_has_ended_is_advised_nothing() {
    let kept = |told: &Told| {
        let mut findings = trace_findings(&told.story).into_iter();
        let found = findings.find(|found| found.kind == "memory-kept");
        found.unwrap()
    };
    let mut told = Told::new();
    told.refused(132 * 1024).map(2 * MIB);
    assert!(kept(&told).remedy.unwrap().contains("malloc_trim(0)"));
    told.what(What::Exited(Ending::Code(0)));
    let ended = kept(&told);
    assert_eq!(ended.remedy, None);
    assert_eq!(ended.evidence["kept_bytes"], 2 * MIB);
    assert!(ended.message.contains("before the end"), "{ended}");
}

#[test]
fn growth_by_large_blocks_or_arenas() {
    let mut told = Told::new();
    assert_eq!(told.grow(MIB).map(3 * MIB).kinds(), ["grew-by-large-blocks"]);
    assert_eq!(told.grow(3 * MIB).kinds(), [""; 0], "the break has the greater part");

    let mut told = Told::new();
    let reserve = ANONYMOUS | libc::MAP_NORESERVE as u64;
    told.call(Syscall::Mmap, &[0, 64 * MIB, 0, reserve, u64::MAX, 0], AREA, None);
    assert_eq!(told.kinds(), [""; 0]);
    told.call(Syscall::Mprotect, &[AREA, 2 * MIB, RW], 0, None);
    assert_eq!(told.kinds(), ["grew-by-arenas"]);
}

#[test]
fn an_error_of_brk_is_a_filter_s() {
    let mut told = Told::new();
    told.denied(Syscall::Brk, &[HEAP + MIB], libc::EPERM).map(MIB / 2);
    assert_eq!(told.kinds(), ["break-refused"]);
    let finding = &trace_findings(&told.story)[0];
    assert_eq!(finding.evidence["by"], "filter");
    assert!(finding.message.contains("EPERM"), "{finding}");
}

#[test]
fn a_limit_that_the_log_itself_sets() {
    let mut told = Told::new();
    told.grow(MIB / 2).what(What::Limit(SoftLimit { resource: Resource::Data, bytes: Some(MIB) }));
    told.refused(2 * MIB).map(2 * MIB);
    assert_eq!(told.kinds()[0], "break-limited");
    let evidence = &trace_findings(&told.story)[0].evidence;
    assert_eq!(evidence["limit"], "RLIMIT_DATA");
    assert_eq!(
        (&evidence["limit_bytes"], &evidence["used_bytes"]),
        (&MIB.into(), &(MIB / 2).into())
    );
    // Another program has it as well; no limit is no limit.
    let mut told = Told::new();
    told.what(What::Limit(SoftLimit { resource: Resource::Data, bytes: None }));
    assert_eq!(told.refused(2 * MIB).map(2 * MIB).kinds()[0], "break-refused");
}

#[test]
fn what_the_calls_put_at_the_break_is_named_by_its_call() {
    let (fixed, shared) = (libc::MAP_FIXED as u64, libc::MAP_SHARED as u64);
    let read = libc::PROT_READ as u64;
    for (protection, flags, bytes) in [
        (read, ANONYMOUS | fixed, 1),
        (0, ANONYMOUS | fixed, 8192),
        (RW, shared | fixed, 65_536),
        (RW, libc::MAP_PRIVATE as u64, 8192),
    ] {
        let mut told = Told::new();
        let args = [HEAP, bytes, protection, flags, 5, 0];
        told.call(Syscall::Mmap, &args, HEAP, None);
        told.refused(132 * 1024).map(MIB / 2);
        assert_eq!(told.kinds()[0], "break-blocked", "{flags:#x}");
        let finding = &trace_findings(&told.story)[0];
        let blocker = &finding.evidence["blocker"];
        assert_eq!(blocker["start"], format!("{HEAP:#x}"));
        assert_eq!(blocker["lone_page"], bytes == 1);
        let call = blocker["mapped_by"].as_str().unwrap();
        assert!(call.starts_with(&format!("mmap({HEAP:#x}, {bytes}, PROT_")), "{call}");
        assert!(finding.message.contains(call), "{finding}");
        // It is gone: nothing is known again.
        let mut told = Told::new();
        told.call(Syscall::Mmap, &args, HEAP, None);
        told.call(Syscall::Munmap, &[HEAP, bytes], 0, None);
        assert_eq!(told.refused(132 * 1024).map(MIB / 2).kinds()[0], "break-refused");
    }
}

#[test]
fn what_the_kernel_merged_into_the_heap_is_a_blocker() {
    let mut told = Told::new();
    let args = [HEAP, 128 * 1024, RW, ANONYMOUS, u64::MAX, 0];
    told.call(Syscall::Mmap, &args, HEAP, None);
    let merged = "02691000-026d2000 rw-p 00000000 00:00 0    [heap]\n\
                  7f0000000000-7f0000001000 r--p 00000000 fe:00 8    /lib/y\n";
    told.refused(132 * 1024).because(merged, [None, None]).map(MIB / 2);
    assert_eq!(told.kinds(), ["break-blocked"]);
    let finding = &trace_findings(&told.story)[0];
    assert_eq!(finding.evidence["merged_into_heap"], true);
    assert_eq!(finding.evidence["room_bytes"], 0);
    assert_eq!(finding.evidence["blocker"]["end"], "0x26d2000");
    assert!(finding.message.contains("merged into [heap]"), "{finding}");
}

#[test]
fn nobody_is_said_to_map_instead_where_nobody_did() {
    let mut told = Told::new();
    told.refused(64 << 40);
    let args = [0, 64 << 40, RW, ANONYMOUS];
    told.denied(Syscall::Mmap, &args, libc::ENOMEM).exits(0);
    assert_eq!(told.kinds(), ["refused-memory"]);
    let finding = &trace_findings(&told.story)[0];
    assert_eq!(finding.severity, Severity::Warning);
    assert_eq!(finding.evidence["by"], "address-space");
    assert!(finding.message.contains("64.0 TiB were asked for in one go"), "{finding}");
    assert!(!finding.message.contains("instead"), "{finding}");
    let mut told = Told::new();
    told.refused(132 * 1024).because(BLOCKED, [None, None]).exits(0);
    let findings = trace_findings(&told.story);
    let blocked = findings.iter().find(|found| found.kind == "break-blocked");
    assert!(!blocked.unwrap().message.contains("instead"));
}

#[test]
fn memory_that_was_refused_until_the_end_is_critical() {
    let mut told = Told::new();
    told.grow(MIB).refused(132 * 1024);
    told.denied(Syscall::Mmap, &[0, MIB, RW, ANONYMOUS], libc::ENOMEM);
    let reserve = ANONYMOUS | libc::MAP_NORESERVE as u64;
    told.denied(Syscall::Mmap, &[0, 128 * MIB, 0, reserve], libc::ENOMEM);
    told.exits(1);
    assert_eq!(told.kinds()[0], "refused-memory");
    let finding = &trace_findings(&told.story)[0];
    assert_eq!(finding.severity, Severity::Critical);
    assert_eq!(finding.evidence["calls"], serde_json::json!({"brk": 1, "mmap": 2}));
    assert_eq!(finding.evidence["first_bytes"], serde_json::json!([132 * 1024, MIB, 128 * MIB]));
    assert_eq!(finding.evidence["grown_bytes"], MIB);
    assert_eq!(finding.evidence["by"], "unknown");
    assert!(finding.remedy.is_some());
}
