//! What a log tells of memory that was refused, and of what stands in the way of a break.

use heap_diagnosis::{Finding, Severity, trace_findings};
use heap_growth::Story;
use strace_log::StraceLog;

/// The findings of a log that begins with its program's exec and the question for the break.
fn findings(rest: &str) -> Vec<Finding> {
    let begin = "execve(\"/usr/bin/filler\", [\"filler\"], 0x7ffc0b9f1c50 /* 12 vars */) = 0\n\
                 brk(NULL)                               = 0x2b1f000\n";
    let mut reader = StraceLog::new(Story::default());
    reader.read("log", format!("{begin}{rest}").as_bytes()).unwrap();
    trace_findings(&reader.finish().sink)
}

/// The only one of a kind.
fn only<'a>(findings: &'a [Finding], kind: &str) -> &'a Finding {
    let mut found = findings.iter().filter(|finding| finding.kind == kind);
    match (found.next(), found.next()) {
        (Some(one), None) => one,
        _ => panic!("{kind}: {findings:#?}"),
    }
}

const FALLBACK: &str = "mmap(NULL, 1048576, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) \
                        = 0x7f21c0000000\n";

#[test]
fn everything_was_refused_and_the_program_ended() {
    let log = "brk(0x2b40000) = 0x2b1f000\n\
               mmap(NULL, 1048576, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = -1 ENOMEM (Cannot allocate memory)\n\
               mmap(NULL, 134217728, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_NORESERVE, -1, 0) = -1 ENOMEM (Cannot allocate memory)\n\
               write(2, \"filler: no memory\\n\", 18) = 18\n\
               exit_group(3) = ?\n\
               +++ exited with 3 +++\n";
    let findings = findings(log);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    let refused = only(&findings, "refused-memory");
    assert_eq!(refused.severity, Severity::Critical);
    assert_eq!(refused.evidence["calls"]["brk"], 1);
    assert_eq!(refused.evidence["calls"]["mmap"], 2);
    assert_eq!(refused.evidence["first_bytes"][1], 1 << 20);
    assert_eq!(refused.evidence["ended"]["code"], 3);
    assert_eq!(refused.evidence["by"], "unknown");
}

#[test]
fn eperm_is_a_filter() {
    let log = format!("brk(0x2c1f000) = -1 EPERM (Operation not permitted)\n{FALLBACK}");
    let findings = findings(&log);
    let refused = only(&findings, "break-refused");
    assert_eq!(refused.evidence["by"], "filter");
    assert!(!findings.iter().any(|finding| finding.message.contains("blocked")));
}

#[test]
fn a_limit_that_stands_in_the_log() {
    for set in [
        "setrlimit(RLIMIT_DATA, {rlim_cur=1048576, rlim_max=1048576}) = 0",
        "prlimit64(0, RLIMIT_DATA, {rlim_cur=1024*1024, rlim_max=RLIM64_INFINITY}, NULL) = 0",
        "getrlimit(RLIMIT_DATA, {rlim_cur=1024*1024, rlim_max=RLIM64_INFINITY}) = 0",
        // Inherited by another program.
        "prlimit64(0, RLIMIT_DATA, {rlim_cur=1024*1024, rlim_max=1024*1024}, NULL) = 0\n\
         execve(\"/usr/bin/other\", [\"other\"], 0x7ffc0b9f1c50 /* 12 vars */) = 0\n\
         brk(NULL) = 0x2b1f000",
    ] {
        let findings = findings(&format!("{set}\nbrk(0x2d1f000) = 0x2b1f000\n{FALLBACK}"));
        let limited = only(&findings, "break-limited");
        assert_eq!(limited.evidence["limit"], "RLIMIT_DATA", "{set}");
        assert_eq!(limited.evidence["limit_bytes"], 1 << 20);
        assert_eq!(limited.evidence["asked_bytes"], 2 << 20);
    }
    let unlimited =
        "setrlimit(RLIMIT_DATA, {rlim_cur=RLIM64_INFINITY, rlim_max=RLIM64_INFINITY}) = 0\n";
    let findings = findings(&format!("{unlimited}brk(0x2d1f000) = 0x2b1f000\n{FALLBACK}"));
    assert_eq!(only(&findings, "break-refused").evidence["by"], "unknown");
}

#[test]
fn the_blocker_is_told_by_its_own_line() {
    for (call, line) in [
        ("mmap(0x2b40000, 1, PROT_READ, MAP_PRIVATE|MAP_FIXED|MAP_ANONYMOUS, -1, 0)", 4),
        ("mmap(0x2b40000, 8192, PROT_NONE, MAP_PRIVATE|MAP_FIXED|MAP_ANONYMOUS, -1, 0)", 4),
        (
            "mmap(0x2b40000, 65536, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_FIXED, 7</dev/ashmem>, 0)",
            4,
        ),
        ("mmap(0x2b40000, 4096, PROT_READ, MAP_PRIVATE, 3</lib/x.so>, 0)", 4),
        ("mmap(0x2b40000, 65536, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0)", 4),
        (
            "mmap(0x2b40000, 65536, PROT_READ|PROT_WRITE, \
             MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED_NOREPLACE, -1, 0)",
            4,
        ),
    ] {
        let log = format!(
            "brk(0x2b40000) = 0x2b40000\n{call} = 0x2b40000\nbrk(0x2b61000) = 0x2b40000\n{FALLBACK}"
        );
        let findings = findings(&log);
        let blocked = only(&findings, "break-blocked");
        let blocker = &blocked.evidence["blocker"];
        assert_eq!(blocker["start"], "0x2b40000", "{call}");
        assert_eq!(blocker["line"], line);
        assert_eq!(blocked.evidence["room_bytes"], 0);
        assert!(blocked.message.contains("line 4, lies directly"), "{blocked}");
        assert!(!blocked.message.contains(",,"), "{blocked}");
        // A hint is a wish for low memory, an exact place is not.
        let wishes = !call.contains("FIXED") && call.contains("ANONYMOUS");
        assert_eq!(blocked.message.contains("below 2 GiB"), wishes, "{blocked}");
        // Once it is unmapped, it is not in the way.
        let log = format!(
            "brk(0x2b40000) = 0x2b40000\n{call} = 0x2b40000\nmunmap(0x2b40000, 65536) = 0\n\
             brk(0x2b61000) = 0x2b40000\n{FALLBACK}"
        );
        let gone = self::findings(&log);
        assert!(gone.iter().all(|finding| finding.kind != "break-blocked"), "{gone:#?}");
    }
}

#[test]
fn what_it_says_is_what_the_map_draws() {
    let log = "brk(NULL) = 0x2b1f000\n\
               mmap(0x2b1f000, 8192, PROT_NONE, MAP_SHARED|MAP_FIXED|MAP_ANONYMOUS, -1, 0) = 0x2b1f000\n\
               brk(0x2b40000) = 0x2b1f000\n";
    let mut story = Story::default();
    story.growth.keep_layout();
    let mut reader = StraceLog::new(story);
    reader.read("log", format!("{log}{FALLBACK}").as_bytes()).unwrap();
    let story = reader.finish().sink;
    let drawn = story.growth.layout().unwrap().blocker.unwrap();
    let findings = trace_findings(&story);
    let told = &only(&findings, "break-blocked").evidence["blocker"];
    assert_eq!(told["start"], format!("{:#x}", drawn.range.start));
    assert_eq!(told["end"], format!("{:#x}", drawn.range.end));
    assert_eq!(drawn.range, 0x2b1_f000..0x2b2_1000);
}

#[test]
fn sixty_four_tib_in_one_go() {
    let log = "brk(0x400002b20000) = 0x2b1f000\n\
               mmap(NULL, 70368744181760, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = -1 ENOMEM (Cannot allocate memory)\n\
               mmap(NULL, 134217728, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_NORESERVE, -1, 0) = 0x7f21b8000000\n\
               munmap(0x7f21b8000000, 67108864) = 0\n\
               mprotect(0x7f21bc000000, 135168, PROT_READ|PROT_WRITE) = 0\n\
               +++ exited with 0 +++\n";
    let findings = findings(log);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    let refused = only(&findings, "refused-memory");
    assert_eq!(refused.severity, Severity::Warning);
    assert_eq!(refused.evidence["by"], "address-space");
    assert!(refused.message.contains("in one go"), "{refused}");
}
