//! Files: memory each time, time each time, or neither.

use super::*;

const BUNDLE: &str = "/etc/bundle.pem";

impl Told {
    /// Opens a file, reads so many bytes of it where that is told, grows, and closes it again.
    fn opening(
        &mut self,
        path: &str,
        read: Option<u64>,
        grow_bytes: u64,
        millis: u64,
    ) -> &mut Self {
        self.call(Syscall::Openat, &[0, 0, 0], 3, Some(path));
        self.at += Duration::from_millis(millis);
        if grow_bytes > 0 {
            self.grow(grow_bytes);
        }
        if let Some(bytes) = read {
            self.what(What::Read { fd: 3, bytes });
        }
        self.call(Syscall::Close, &[3], 0, None);
        self
    }

    fn pause(&mut self, millis: u64) -> &mut Self {
        self.at += Duration::from_millis(millis);
        self
    }

    fn only(&self) -> Finding {
        let mut findings = trace_findings(&self.story);
        assert_eq!(findings.len(), 1, "{findings:?}");
        findings.remove(0)
    }
}

/// As a linker reads the C library that each program of a build is loaded with.
#[test]
fn what_many_programs_load_isnt_read_again_and_again() {
    const LIBRARY: &str = "/lib/libc.so.6";
    let mut told = Told::new();
    for program in 0..40 {
        told.pid = 100 + program;
        told.call(Syscall::Brk, &[0], told.program_break, None);
        told.opening(LIBRARY, None, 76 * 1024, 1);
    }
    told.opening(LIBRARY, Some(MIB), 2 * MIB, 1).opening(LIBRARY, Some(MIB), 4096, 1);
    assert_eq!(told.kinds(), [""; 0]);
    for _ in 0..20 {
        told.opening(LIBRARY, Some(MIB), 76 * 1024, 1);
    }
    let finding = told.only();
    assert_eq!(finding.kind, "repeated-file");
    assert_eq!(
        (&finding.evidence["opens"], &finding.evidence["opens_by_one"]),
        (&62.into(), &23.into())
    );
    let told = "was opened 62 times (23 of them by one program), and read, as far as that is known, \
                at 22 of them, 1.00 MiB each time";
    assert!(finding.message.contains(told), "{finding}");
}

#[test]
fn what_grows_at_the_first_opening_alone_costs_time() {
    let mut told = Told::new();
    told.opening(BUNDLE, Some(220_000), 2 * MIB, 20);
    for _ in 1..60 {
        told.opening(BUNDLE, Some(220_000), 0, 20);
    }
    let finding = told.only();
    assert_eq!(finding.kind, "repeated-reading");
    assert_eq!(finding.evidence["path"], BUNDLE);
    assert_eq!(finding.evidence["openings"], 60);
    assert_eq!(finding.evidence["openings_grown"], 1);
    assert_eq!(finding.evidence["bytes"], 60 * 220_000);
    let seconds = finding.evidence["seconds"].as_f64().unwrap();
    assert!((1.19..1.21).contains(&seconds), "{seconds}");
    assert!(!finding.message.contains("takes memory of its own"), "{finding}");
}

#[test]
fn what_grows_at_most_openings_costs_memory() {
    for (grown, wanted) in [(50, "repeated-reading"), (51, "repeated-file")] {
        let mut told = Told::new();
        for number in 0..100 {
            let bytes = if number < grown { 132 * 1024 } else { 0 };
            told.opening(BUNDLE, Some(220_000), bytes, 20);
        }
        assert_eq!(told.kinds(), [wanted], "{grown} of 100");
    }
}

#[test]
fn times_without_measure_are_told_as_they_are() {
    let mut told = Told::new();
    told.call(Syscall::Openat, &[0, 0, 0], 3, Some(BUNDLE));
    told.at = Duration::MAX;
    told.call(Syscall::Close, &[3], 0, None);
    for _ in 1..60 {
        told.opening(BUNDLE, Some(220_000), 0, 0);
    }
    let seconds = told.only().evidence["seconds"].as_f64().unwrap();
    assert_eq!(seconds, Duration::MAX.as_secs_f64());
}

#[test]
fn a_second_reload_still_tells_the_openings() {
    // Attached late, nothing grows: what the reload before has freed is used again.
    let mut told = Told::new();
    told.pause(60_000);
    for _ in 0..101 {
        told.opening(BUNDLE, None, 0, 3);
    }
    told.pause(60_000);
    let finding = told.only();
    assert_eq!(finding.kind, "repeated-reading");
    assert_eq!(finding.evidence["openings"], 101);
    assert!(finding.evidence["bytes"].is_null(), "nobody told");
    assert!(finding.message.contains("opened 101 times"), "{finding}");
}

#[test]
fn growth_that_so_few_bytes_cannot_explain_is_not_the_files() {
    let mut told = Told::new();
    for _ in 0..200 {
        told.opening("/etc/hostname", Some(12), 132 * 1024, 0);
    }
    assert_eq!(told.kinds(), [""; 0]);
    let growth = &told.story.growth;
    assert_eq!(growth.by_file()[0].bytes(), 0);
    assert_eq!(growth.without_file_bytes(), 200 * 132 * 1024);
}

#[test]
fn what_is_read_often_and_quickly_is_not_worth_a_word() {
    let mut told = Told::new();
    for _ in 0..10_000 {
        told.opening("/etc/localtime", Some(114), 0, 0).pause(1);
    }
    assert_eq!(told.kinds(), [""; 0], "no time");
    let mut told = Told::new();
    for _ in 0..3 {
        told.opening("/etc/big", Some(MIB), 0, 40).pause(10_000);
    }
    assert_eq!(told.kinds(), [""; 0], "a small share");
    let mut told = Told::new();
    for _ in 0..1000 {
        told.opening("/proc/self/smaps", Some(20_000), 0, 5);
    }
    assert_eq!(told.kinds(), [""; 0], "the kernel says something else each time");
    // As each program opens the C library, and one that starts others a few times.
    let mut told = Told::new();
    for opening in 0..100 {
        told.pid = 100 + i32::max(opening, 4);
        told.opening("/lib/libc.so.6", Some(832), 0, 4);
    }
    assert_eq!(told.kinds(), [""; 0], "no program spent much on it");
    told.pid = 8;
    for _ in 0..50 {
        told.opening("/lib/libc.so.6", Some(832), 0, 4);
    }
    assert_eq!(told.kinds(), ["repeated-reading"], "one did");
}

#[test]
fn without_a_clock_bytes_can_tell_and_seconds_are_unknown() {
    let mut told = Told::new();
    for _ in 0..101 {
        told.opening(BUNDLE, Some(220_000), 0, 0);
    }
    let finding = told.only();
    assert_eq!(finding.kind, "repeated-reading");
    assert!(finding.evidence["seconds"].is_null());
    assert_eq!(finding.evidence["bytes"], 101 * 220_000);

    let mut told = Told::new();
    for _ in 0..101 {
        told.opening(BUNDLE, None, 0, 0);
    }
    assert_eq!(told.kinds(), [""; 0], "nothing is known");
    let file = told.story.growth.by_file()[0];
    let asked_for = repeated_reading(&told.story, file);
    assert_eq!(asked_for.evidence["openings"], 101);
    assert!(asked_for.evidence["seconds"].is_null() && asked_for.evidence["bytes"].is_null());
}

#[test]
fn an_image_that_is_probed_and_then_kept_open_is_not_read_again_and_again() {
    for flags in [libc::O_RDONLY, libc::O_RDWR] {
        let mut told = Told::new();
        told.opening("disk.img", None, 0, 0);
        told.opening("disk.img", None, 0, 0);
        told.call(Syscall::Openat, &[0, 0, flags as u64], 3, Some("disk.img"));
        told.map(4096 * MIB);
        assert_eq!(told.kinds(), ["grew-by-large-blocks"]);
        told.what(What::Exited(memory_event::Ending::Code(0)));
        assert_eq!(told.kinds(), ["grew-by-large-blocks"]);
        assert_eq!(told.story.growth.by_file()[0].bytes(), 0);
    }
}

#[test]
fn without_closings_nobody_knows_when_a_file_was_being_read() {
    let mut told = Told::new();
    for _ in 0..100 {
        told.call(Syscall::Openat, &[0, 0, 0], 3, Some(BUNDLE));
        told.pause(20).grow(132 * 1024);
    }
    // Growth and time may have come after each.
    assert_eq!(told.kinds(), [""; 0]);
    let file = told.story.growth.by_file()[0];
    let finding = repeated_reading(&told.story, file);
    assert!(finding.message.contains("No close was seen"), "{finding}");
    assert!(finding.evidence["seconds"].is_null());
    assert!(finding.evidence["openings_grown"].is_null());
}

#[test]
fn large_mappings_are_not_said_to_be_malloc_s_blocks() {
    let mut told = Told::new();
    told.map(64 * MIB);
    let finding = told.only();
    assert_eq!(finding.kind, "grew-by-large-blocks");
    assert!(!finding.message.contains("freed"), "{finding}");
    assert!(finding.message.contains("or its runtime's own"), "{finding}");
}
