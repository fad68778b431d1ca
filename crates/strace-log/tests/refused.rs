//! What is no log is named for what it is, and what can't be read is shown.

use memory_event::What;
use strace_log::{LogError, LogNote, StraceLog};

use super::read;

fn refused(content: &[u8]) -> LogError {
    StraceLog::new(()).read("FILE", content).unwrap_err()
}

const SUMMARY: &str = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 50.00    0.000010           1        10         2 openat
------ ----------- ----------- --------- --------- ----------------
100.00    0.000010           1        10         2 total
";

/// With `-U calls,name,max-time`.
const CHOSEN: &str = "\
    calls syscall           longest
--------- ---------------- --------
       10 openat           0.000003
--------- ---------------- --------
       10 total            0.000003
";

#[test]
fn named_for_what_they_are() {
    assert!(matches!(refused(b""), LogError::Empty { .. }));
    for table in [SUMMARY, CHOSEN] {
        assert!(matches!(refused(table.as_bytes()), LogError::Summary { .. }), "{table}");
    }
    for (content, word) in [
        (&b"\x1f\x8b\x08\0"[..], "gzip"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\x7fELF\x02", "ELF"),
        (b"abc\0", "NUL"),
        (b"\xff\xfeb\0r\0", "UTF-16"),
    ] {
        let error = refused(content);
        assert!(matches!(error, LogError::Binary { .. }), "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
    let error = refused(b"strace: Can't stat 'nosuch': No such file or directory\n").to_string();
    assert!(error.contains("Can't stat 'nosuch'"), "{error}");
    let error = refused(b"int main(void) {\n    printf(\"hello\");\n    return 0;\n}\n");
    assert!(matches!(error, LogError::NotALog { lines: 4, .. }), "{error}");
    assert!(matches!(refused(b"\n\n"), LogError::NotALog { .. }));
}

#[test]
fn a_table_below_a_log_is_no_part_of_it() {
    let log = format!("brk(NULL) = 0x1000\n{SUMMARY}");
    let finished = read("log", log.as_bytes());
    assert_eq!((finished.sink.len(), finished.unread.count), (1, 0));
}

#[test]
fn what_cannot_be_read_is_counted_and_shown() {
    let mut log = String::from("execve(\"/bin/x\", [\"x\"], 0x7ffe) = 0\n");
    for number in 0..15 {
        log.push_str(&format!("output {number} of the program {}\n", "\u{1b}x".repeat(100)));
    }
    log.push_str("brk(what?) = 0x1000\nmmap(NULL) = 0x1000\n<... munmap resumed>) = 0\n");
    let finished = read("log.txt", log.as_bytes());
    assert_eq!((finished.unread.count, finished.unread.examples.len()), (17, 10));
    let first = &finished.unread.examples[0];
    assert_eq!((&*first.file, first.line), ("log.txt", 2));
    assert!(first.text.len() <= 240 && !first.text.contains('\u{1b}'));
    assert_eq!(finished.lost_events, 1, "the end of a munmap without its beginning");
    assert_eq!(finished.sink.len(), 1);
    assert_eq!(finished.lines, 19);
}

#[test]
fn a_line_without_end_costs_no_memory() {
    let mut log = b"brk(NULL) = 0x1000\nread(3, \"".to_vec();
    log.resize(20 << 20, b'x');
    log.extend_from_slice(b"\", 20971520) = 20971520\nbrk(0x2000) = 0x2000\n");
    let finished = read("log", &log);
    assert_eq!(finished.sink.len(), 2);
    assert_eq!((finished.unread.count, finished.lines), (0, 3));
    assert!(finished.notes.contains(&LogNote::LongLines { count: 1 }));
}

#[test]
fn names_that_nobody_knows_and_paths_that_are_cut_are_noted() {
    let log = "mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_LATER, -1, 0) = 0x1000\n\
               open(\"/etc/very/lo\"..., O_RDONLY) = 3\n";
    let finished = read("log", log.as_bytes());
    let first = "MAP_LATER".to_owned();
    assert!(finished.notes.contains(&LogNote::UnknownName { first, calls: 1 }));
    assert!(finished.notes.contains(&LogNote::CutPaths { count: 1 }));
    assert!(finished.notes.iter().all(|note| !note.to_string().is_empty()));
}

#[test]
fn what_strace_answered_itself_is_noted() {
    let log = "mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = -1 ENOSYS (Function \
               not implemented) (INJECTED)\nbrk(NULL) = 0x1000\n";
    let finished = read("log", log.as_bytes());
    assert!(finished.notes.contains(&LogNote::Injected { count: 1 }), "{:?}", finished.notes);
}

#[test]
fn who_is_killed_in_a_call_did_not_make_it() {
    let log = "12 execve(\"/bin/x\", [\"x\"], 0x7ffe) = 0\n\
               12 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0 <unfinished ...>) = ?\n\
               12 openat(AT_FDCWD, \"/fifo\", O_RDONLY) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)\n\
               12 munmap(0x1000, 4096) = ?\n\
               12 +++ killed by SIGRT_3 (core dumped) +++\n";
    let finished = read("log", log.as_bytes());
    let calls: Vec<_> = finished
        .sink
        .iter()
        .filter_map(|event| match &event.what {
            What::Call(call) => Some((call.syscall.name(), call.result)),
            _ => None,
        })
        .collect();
    assert_eq!(calls, [("openat", Err(512))]);
    assert_eq!(finished.ending.unwrap().shell_status(), 128 + 35);
    assert_eq!(finished.unread.count, 0, "{:?}", finished.unread);
}

/// What follows a table is another log, and read.
#[test]
fn a_table_has_an_end_whatever_its_columns_are() {
    for table in [SUMMARY, CHOSEN] {
        let call = "1 close(3) = 0\n";
        let heads = table.find("openat").unwrap();
        // Whole, and cut off within.
        for table in [table, &format!("{}\n", &table[..heads])] {
            let text = format!("{call}{table}{call}");
            let log = read("LOG", text.as_bytes());
            assert_eq!(log.unread.count, 0, "{:?}", log.unread);
            let calls = log.sink.iter().filter(|event| matches!(event.what, What::Call { .. }));
            assert_eq!(calls.count(), 2, "{table}");
        }
    }
}
