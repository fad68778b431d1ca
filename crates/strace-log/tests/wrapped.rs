//! What others write before every line changes nothing of what a log tells.

use memory_event::Event;
use strace_log::{LogNote, ReadLog, StraceLog};

use super::read;

/// Logs in the forms that strace has for whose line it is, and when.
const LOGS: [&str; 5] = [
    "execve(\"/bin/x\", [\"x\"], 0x7ffe /* 9 vars */) = 0\n\
     brk(NULL)                               = 0x1000000\n\
     brk(0x1100000)                          = 0x1100000\n\
     openat(AT_FDCWD, \"/etc/hosts\", O_RDONLY|O_CLOEXEC) = 3\n\
     brk(0x1200000)                          = 0x1200000\n\
     close(3)                                = 0\n\
     exit_group(0)                           = ?\n",
    "4242  execve(\"/bin/x\", [\"x\"], 0x7ffe /* 9 vars */) = 0\n\
     4242  brk(NULL)                         = 0x1000000\n\
     4242  clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD, child_tidptr=0x7f) = 4243\n\
     4243  brk(0x1200000)                    = 0x1200000\n\
     4242  brk(0x1300000 <unfinished ...>\n\
     4243  exit_group(0)                     = ?\n\
     4243  +++ exited with 0 +++\n\
     4242  <... brk resumed>)                = 0x1300000\n\
     4242  --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=4243} ---\n\
     4242  +++ exited with 0 +++\n",
    "[pid    12] 12:00:01.000001 mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000000000\n \
     > /lib/libc.so.6(__mmap+0x1a) [0x11a]\n \
     > /bin/x(main+0x2) [0x2]\n\
     [pid    12] 12:00:02.000001 munmap(0x7f0000000000, 4096) = 0\n\
     [pid    13] 12:00:02.000002 brk(NULL) = 0x1000000\n",
    "     0.000000 execve(\"/bin/x\", [\"x\"], 0x7ffe /* 9 vars */) = 0\n     \
     0.200000 brk(NULL)                 = 0x1000000\n    \
     10.100000 brk(0x1100000)            = 0x1100000\n     \
     0.300000 exit_group(0)             = ?\n",
    // What descriptors lead to (`-y`) looks like the ends of a web page's tags.
    "1234  brk(NULL)                        = 0x1000000\n\
     1234  openat(AT_FDCWD</root>, \"/etc/hosts\", O_RDONLY|O_CLOEXEC) = 3</etc/hosts>\n\
     1234  read(3</etc/hosts>, \"127.0.0.1\"..., 4096) = 71\n\
     1234  brk(0x1200000)                   = 0x1200000\n\
     1234  close(3</etc/hosts>)             = 0\n",
];

type Form = (&'static str, fn(usize, &str) -> String);

const FORMS: &[Form] = &[
    ("numbers of lines", |n, line| format!("{:6}\t{line}", n + 1)),
    ("numbers of lines", |n, line| format!("{}\t{line}", n + 118)),
    ("numbers of lines", |n, line| format!("{}:{line}", 3 * n + 9)),
    ("numbers of lines", |n, line| format!("{}{}{line}", n + 1, [':', '-'][n % 2])),
    ("numbers of lines", |n, line| format!("{:7} {line}", n + 1)),
    ("names of files", |_, line| format!("some/trace.log:{line}")),
    ("names of files", |n, line| format!("trace:{}:{line}", n + 7)),
    ("strace[", |_, line| format!("strace[28895]: {line}")),
    ("host strace[", |n, line| format!("Mar  7 12:00:{n:02} host strace[288{n}]: {line}")),
    ("host strace[", |n, line| format!("2017-03-07T12:00:{n:02}+0100 host strace[28895]: {line}")),
    ("root: ", |n, line| format!("Mar 17 12:00:{n:02} host root: {line}")),
    ("strace[", |n, line| format!("[   12.34567{n}] host strace[5]: {line}")),
    ("app_1  | ", |_, line| format!("app_1  | {line}")),
    ("web-1 | ", |n, line| {
        format!("\u{1b}[36mweb-1 | \u{1b}[0m2017-03-07T12:00:0{}.123456789Z {line}", n % 10)
    }),
    ("[pod/nginx-0/nginx] ", |_, line| format!("[pod/nginx-0/nginx] {line}")),
    ("nginx-0 nginx ", |_, line| format!("nginx-0 nginx {line}")),
    ("> ", |_, line| format!("> {line}")),
    ("> > ", |_, line| format!("> > {line}")),
    (">> ", |n, line| format!(">> {:6}\t{line}", n + 1)),
    ("build\\tRun\\t", |n, line| format!("build\tRun\t2017-03-07T12:00:{n:02}.1234567Z {line}")),
    ("colours", |_, line| format!("\u{1b}[1;32m{line}\u{1b}[0m")),
];

/// Every log in every form.
pub(super) fn all() -> Vec<String> {
    let with_all =
        |log: &&'static str| FORMS.iter().map(|(_, form)| wrapped(log, *form)).collect::<Vec<_>>();
    LOGS.iter().flat_map(with_all).collect()
}

fn wrapped(log: &str, form: fn(usize, &str) -> String) -> String {
    let lines = log.lines().enumerate();
    lines.map(|(n, line)| form(n, line) + "\n").collect()
}

fn notes(finished: &ReadLog<Vec<Event>>) -> Vec<LogNote> {
    let others = |note: &&LogNote| !matches!(note, LogNote::Wrapped { .. });
    finished.notes.iter().filter(others).cloned().collect()
}

#[test]
fn every_form_around_every_log() {
    for (number, log) in LOGS.iter().enumerate() {
        let bare = read("log", log.as_bytes());
        assert_eq!(bare.unread.count, 0);
        for (name, form) in FORMS {
            let text = wrapped(log, *form);
            let finished = read("log", text.as_bytes());
            assert_eq!(finished.sink, bare.sink, "{name} {number}\n{text}");
            assert_eq!(finished.unread.count, 0, "{name} {number}\n{text}");
            assert_eq!(notes(&finished), notes(&bare), "{name}");
            let note = finished.notes.iter().find_map(|note| match note {
                LogNote::Wrapped { what, lacking: 0 } => Some(what.join(" ")),
                _ => None,
            });
            assert!(note.as_ref().is_some_and(|note| note.contains(name)), "{name}: {note:?}");
        }
        // What strace itself writes is no wrapping, nor is what was only indented.
        assert!(notes(&bare) == bare.notes);
        let indented = read("log", wrapped(log, |_, line| format!("\t    {line}")).as_bytes());
        assert_eq!((indented.sink, indented.notes), (bare.sink, bare.notes));
    }
}

#[test]
fn a_byte_order_mark_and_windows_ends_of_lines() {
    let bare = read("log", LOGS[0].as_bytes());
    let log = format!("\u{feff}{}", LOGS[0].replace('\n', "\r\n"));
    let finished = read("log", log.as_bytes());
    assert_eq!(finished.sink, bare.sink);
    assert_eq!((finished.unread.count, finished.lines), (0, bare.lines));
    let what = vec!["a byte order mark".to_owned()];
    assert_eq!(finished.notes, [LogNote::Wrapped { what, lacking: 0 }]);
}

#[test]
fn numbers_of_processes_and_times_stay() {
    for log in [
        // Programs that a shell starts, of which nothing but the start was logged.
        "101 execve(\"/bin/a\", [], 0x7f) = 0\n\
         102 execve(\"/bin/b\", [], 0x7f) = 0\n\
         103 execve(\"/bin/c\", [], 0x7f) = 0\n",
        "12:00:01 brk(NULL) = 0x1000\n13:00:02 brk(NULL) = 0x1000\n",
        "1 brk(NULL) = 0x1000\n1 brk(0x2000) = 0x2000\n",
    ] {
        let finished = read("log", log.as_bytes());
        let wrapped = |note: &LogNote| matches!(note, LogNote::Wrapped { .. });
        assert!(!finished.notes.iter().any(wrapped), "{log}");
        assert_eq!(finished.unread.count, 0);
    }
}

/// Held against the rest of the log: a line that lacks it is read as it stands, and counted.
#[test]
fn lines_that_lack_it_are_counted() {
    let mut log = String::new();
    for n in 1..=2000 {
        log.push_str(&format!("db_1  | close({n}) = -1 EBADF (Bad file descriptor)\n"));
    }
    log.push_str("web_1 | GET / 200\nclose(1) = 0\n\n");
    let finished = read("log", log.as_bytes());
    assert_eq!((finished.sink.len(), finished.unread.count), (2001, 1));
    let what = vec!["\"db_1  | \"".to_owned()];
    assert!(finished.notes.contains(&LogNote::Wrapped { what, lacking: 2 }));

    let numbered = "  1\tbrk(NULL) = 0x1000\n  2\tbrk(0x2000) = 0x2000\n".to_owned();
    let rest = "  3\tclose(3) = 0\n".repeat(1500);
    let finished = read("log", (numbered + &rest).as_bytes());
    // The same number again is no number of a line.
    assert!(!finished.notes.is_empty());
    assert_eq!(finished.sink.len(), 1502);
}

/// The names of the files that `strace -ff` wrote say whose lines they are.
#[test]
fn grep_over_the_logs_of_several_threads() {
    let log = "trace.701:brk(NULL) = 0x1000\n\
               trace.701:brk(0x3000) = 0x3000\n\
               trace.702:brk(NULL) = 0x5000\n\
               trace.702:brk(0x6000) = 0x6000\n";
    let finished = read("all", log.as_bytes());
    let pids: Vec<_> = finished.sink.iter().map(|event| event.pid).collect();
    assert_eq!(pids, [701, 701, 702, 702]);
}

/// Of a build's output, the lines of one step.
#[test]
fn a_step_of_buildkit() {
    let log = "#12 [3/4] RUN strace nginx -t\n\
               #12 0.184 execve(\"/bin/x\", [\"x\"], 0x7ffe /* 9 vars */) = 0\n\
               #12 2.684 brk(NULL) = 0x1000000\n\
               #12 2.684 brk(0x1100000) = 0x1100000\n\
               #12 2.700 exit_group(0) = ?\n\
               #12 DONE 2.9s\n";
    let finished = read("log", log.as_bytes());
    let at: Vec<_> = finished.sink.iter().map(|event| event.at.as_millis()).collect();
    assert_eq!(at, [0, 2500, 2500]);
    assert_eq!(finished.unread.count, 2);
}

#[test]
fn logs_of_one_run_with_dates_of_others() {
    let first = "log.11:1488844800.000001 brk(NULL) = 0x1000\n";
    let second = "log.12:1488844800.000002 brk(NULL) = 0x1000\n";
    let mut reader = StraceLog::new(Vec::new());
    let logs = vec![("b".to_owned(), second.as_bytes()), ("a".to_owned(), first.as_bytes())];
    reader.read_together(logs).unwrap();
    let finished = reader.finish();
    let pids: Vec<_> = finished.sink.iter().map(|event| event.pid).collect();
    assert_eq!(pids, [11, 12]);
}
