//! Logs of other tracers: read rightly, or refused by their name, never half read.

use heap_growth::{Counts, Tally};
use memory_event::{Syscall, What};
use strace_log::{LogError, StraceLog};

use super::read;

fn refused(log: &str) -> (&'static str, String) {
    match StraceLog::new(()).read("FILE", log.as_bytes()) {
        Err(error @ LogError::Foreign { what, .. }) => (what, error.to_string()),
        other => panic!("{other:?}\n{log}"),
    }
}

/// By who writes them.
pub(super) const OTHERS: &[(&str, &str)] = &[
    (
        "ltrace",
        "__libc_start_main(0x401136, 1, 0x7ffe, 0x401190 <unfinished ...>\n\
         SYS_brk(NULL)                                    = 0x1f9a000\n\
         SYS_brk(0x1fbb000)                               = 0x1fbb000\n\
         malloc(100)                                      = 0x1f9a2a0\n\
         +++ exited (status 0) +++\n",
    ),
    (
        "ltrace",
        "[pid 9] malloc(64)             = 0x1f9a2a0\n\
         [pid 9] free(0x1f9a2a0)        = <void>\n\
         [pid 9] brk@SYS(nil)           = 0x1f9a000\n",
    ),
    (
        "perf trace",
        "     0.000 ( 0.003 ms): nginx/1234 brk()                      = 0x55f0a0b6c000\n     \
         0.031 ( 0.009 ms): nginx/1234 mmap(len: 8192, prot: READ|WRITE, flags: PRIVATE|ANONYMOUS) = 0x7f32\n",
    ),
    (
        "perf script",
        "nginx  1234 [000] 12.345678: syscalls:sys_enter_brk: brk: 0x00000000\n\
         nginx  1234 [000] 12.345680: syscalls:sys_exit_brk: 0x55f0a0b6c000\n",
    ),
    (
        "truss",
        "mmap(0x0,4096,PROT_READ|PROT_WRITE,MAP_PRIVATE|MAP_ANON,-1,0x0) = 34365280256 (0x800545000)\n\
         openat(AT_FDCWD,\"/etc/motd\",O_RDONLY,00)\t = 3 (0x3)\n\
         access(\"/etc/libmap.conf\",R_OK)\t ERR#2 'No such file or directory'\n\
         exit(0x0)\n",
    ),
    (
        "truss",
        "open(\"/var/ld/ld.config\", O_RDONLY)\tErr#2 ENOENT\n\
         brk(0x08062000)\t\t\t\t= 0\n",
    ),
    (
        "dtruss",
        "SYSCALL(args) \t\t = return\n\
         open(\"/dev/dtracehelper\\0\", 0x2, 0x7FFF)\t\t = 3 0\n\
         close(0x3)\t\t = 0 0\n",
    ),
    (
        "ktrace",
        "  9 cat      CALL  mmap(0,0x1000,0x3<PROT_READ|PROT_WRITE>,0x1002,0xffffffff,0)\n  \
         9 cat      RET   mmap 34365280256/0x800545000\n",
    ),
    (
        "web page",
        "<!DOCTYPE html>\n<html><body><pre>\nbrk(NULL) = 0x1000\nbrk(0x2000) = 0x2000\n</pre>\n",
    ),
    (
        "web page",
        "execve(&quot;/bin/x&quot;, [&quot;x&quot;], 0x7ffe /* 9 vars */) = 0<br>\n\
         brk(0x2000 &lt;unfinished ...&gt;<br>\nbrk(NULL) = 0x1000\n",
    ),
    (
        "web page",
        "<html><body><pre>\nexecve(&quot;/bin/x&quot;, [&quot;x&quot;], 0x7ffe /* 9 vars */) = 0\n\
         brk(NULL) = 0x1000\nbrk(0x2000) = 0x2000\nbrk(0x3000) = 0x3000\nbrk(0x4000) = 0x4000\n\
         brk(0x5000) = 0x5000\nbrk(0x6000) = 0x6000\nbrk(0x7000) = 0x7000\n\
         brk(0x8000) = 0x8000\nbrk(0x9000) = 0x9000\nbrk(0xa000) = 0xa000\n</pre>\n",
    ),
    (
        "quoted-printable",
        "Content-Transfer-Encoding: quoted-printable\n\nbrk(NULL) =3D 0x1000\n\
         mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0)=\n =3D 0x7f00\n",
    ),
    (
        "JSON",
        "{\"log\":\"brk(NULL) = 0x1000\\n\",\"stream\":\"stderr\"}\n\
         {\"log\":\"brk(0x2000) = 0x2000\\n\",\"stream\":\"stderr\"}\n",
    ),
    (
        "audit",
        "type=SYSCALL msg=audit(1488844800.123:1): arch=c000003e syscall=12 success=yes exit=4096\n",
    ),
    (
        "gVisor",
        "I0307 12:00:00.000001       1 strace.go:567] [   1:   1] nginx E brk(0x0)\n\
         I0307 12:00:00.000002       1 strace.go:605] [   1:   1] nginx X brk(0x0) = 0 (0x0) (1.2us)\n",
    ),
    ("valgrind", "SYSCALL[1234,1](12) sys_brk ( 0x0 ) --> [pre-success] Success(0x4a3d000) \n"),
    (
        "sysdig",
        "1 12:00:00.000000001 0 nginx (1234) > brk addr=0\n\
         2 12:00:00.000000002 0 nginx (1234) < brk res=55F0A0B6C000 vm_size=436\n",
    ),
    (
        "Cygwin",
        "   23     105 [main] ls 1234 open: 3 = open(/etc/hosts, 0x0)\n   \
         11     116 [main] ls 1234 close: close(3)\n",
    ),
];

#[test]
fn refused_by_their_names() {
    for (name, log) in OTHERS {
        let (what, error) = refused(log);
        assert!(what.contains(name), "{name}: {what}");
        assert!(error.starts_with("FILE is not an strace log but a"), "{error}");
        // Quoted in a mail as well, and with a number before each line.
        let quoted: String = log.lines().map(|line| format!("> {line}\n")).collect();
        if !matches!(*name, "JSON" | "web page" | "valgrind") {
            assert!(refused(&quoted).0.contains(name), "{quoted}");
        }
    }
}

/// What others write may stand in what a traced program reads and writes.
#[test]
fn not_for_what_a_traced_program_writes() {
    let mut log = String::from("execve(\"/usr/bin/ltrace\", [\"ltrace\"], 0x7ffe) = 0\n");
    for (_, other) in OTHERS {
        for line in other.lines() {
            let text = line.replace('\\', "\\\\").replace('"', "\\\"").replace('\t', "\\t");
            log.push_str(&format!("write(2, \"{text}\\n\", {}) = {}\n", text.len(), text.len()));
        }
    }
    log.push_str("brk(NULL) = 0x1000\n");
    let finished = read("log", log.as_bytes());
    assert_eq!((finished.sink.len(), finished.unread.count), (2, 0));
    // Nor for a line of its own on the same terminal.
    let log = "brk(NULL) = 0x1000\n".repeat(20) + "<html>\n+++ exited (status 0) +++\n";
    assert_eq!(read("log", log.as_bytes()).unread.count, 2);
}

/// qemu's user mode: other errors, no blanks after commas, ends without a result.
#[test]
fn qemus_is_read() {
    let log = "77 brk(NULL) = 0x0000000000080000\n\
               77 brk(0x00000000000c0000) = 0x00000000000c0000\n\
               77 openat(AT_FDCWD,\"/lib/libz.so.1\",O_RDONLY|O_CLOEXEC) = -1 errno=2 (No such file or directory)\n\
               77 openat(AT_FDCWD,\"/usr/lib/libz.so.1\",O_RDONLY|O_CLOEXEC) = 3\n\
               77 mmap(NULL,2097152,PROT_READ|PROT_WRITE,MAP_PRIVATE|MAP_ANONYMOUS,-1,0) = -1 errno=12 (Cannot allocate memory)\n\
               77 mmap(NULL,8192,PROT_READ|PROT_WRITE,MAP_PRIVATE|MAP_ANONYMOUS|0x20000,-1,0) = 0x0000004000802000\n\
               77 clone(CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|0x10000,child_stack=0x4000,parent_tidptr=0x4001,tls=0x4002,child_tidptr=0x4003) = 78\n\
               78 brk(0x0000000000100000) = 0x0000000000100000\n\
               77 close(3) = 0\n\
               77 exit_group(0)\n";
    let finished = read("log", log.as_bytes());
    assert_eq!(finished.unread.count, 0, "{:?}", finished.unread);
    let mut tally = Tally::default();
    for event in &finished.sink {
        memory_event::Sink::take(&mut tally, event);
    }
    let counts = |calls, failed| Counts { calls, failed };
    assert_eq!(tally.get(Syscall::Openat), counts(2, 1));
    assert_eq!(tally.get(Syscall::Mmap), counts(2, 1));
    assert_eq!(tally.get(Syscall::Brk), counts(3, 0));
    assert!(finished.sink.iter().all(|event| event.pid == 77));
    let refused = finished
        .sink
        .iter()
        .any(|event| matches!(&event.what, What::Call(call) if call.result == Err(libc::ENOMEM)));
    assert!(refused);
}

#[test]
fn utf_16_is_named_with_or_without_its_mark() {
    let text = "brk(NULL) = 0x1000\n";
    let little: Vec<u8> = text.bytes().flat_map(|byte| [byte, 0]).collect();
    let big: Vec<u8> = text.bytes().flat_map(|byte| [0, byte]).collect();
    for log in
        [[&b"\xff\xfe"[..], &little].concat(), [&b"\xfe\xff"[..], &big].concat(), little, big]
    {
        let error = StraceLog::new(()).read("FILE", &log[..]).unwrap_err();
        assert!(error.to_string().contains("iconv -f UTF-16"), "{error}");
    }
}
