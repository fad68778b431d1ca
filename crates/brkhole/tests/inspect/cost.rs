//! What looking costs, beside what the kernel needs for its own figures.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use suite::waiting::eventually;

use crate::common::{brkhole, compiled, installed, processes};
use crate::inspect::target::Keeps;

/// Processor time of this thread.
fn own_time() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is valid for the write.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut now) };
    assert_eq!(result, 0);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Reads a file of a process as a whole; gives the processor time that it took.
fn reading(pid: u32, file: &str) -> Duration {
    let since = own_time();
    let mut content = Vec::new();
    let mut file = std::fs::File::open(format!("/proc/{pid}/{file}")).expect("it runs");
    file.read_to_end(&mut content).expect("it runs");
    assert!(!content.is_empty());
    own_time() - since
}

/// Runs the command; gives the processor time that it took.
#[expect(clippy::zombie_processes, reason = "wait4 says what it used, too")]
fn inspecting(arguments: &[&str]) -> Duration {
    let child = brkhole(arguments).stdout(Stdio::null()).spawn().unwrap();
    let mut status = 0;
    // SAFETY: of integers alone.
    let mut used: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are valid for the write, and nobody else waits for this child.
    let waited = unsafe { libc::wait4(child.id() as i32, &mut status, 0, &mut used) };
    assert_eq!((waited, status), (child.id() as i32, 0));
    let time = |of: libc::timeval| Duration::new(of.tv_sec as u64, of.tv_usec as u32 * 1000);
    time(used.ru_utime) + time(used.ru_stime)
}

/// What a look at one process asks of the kernel.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    calls: u64,
    read_bytes: u64,
}

/// Runs the command under strace; gives what each process cost, by number. None if that isn't
/// installed.
fn asked(arguments: &[&str]) -> Option<HashMap<u32, Asked>> {
    if !installed("strace") {
        return None;
    }
    let log = tempfile::NamedTempFile::new().unwrap();
    let traced = Command::new("strace")
        .args(["-f", "-qq", "-o", log.path().to_str().unwrap()])
        .arg(env!("CARGO_BIN_EXE_brkhole"))
        .args(arguments)
        .stdout(Stdio::null())
        .status();
    assert!(traced.unwrap().success());
    let log = std::fs::read_to_string(log.path()).unwrap();
    let mut at: HashMap<&str, u32> = HashMap::new();
    let mut asked: HashMap<u32, Asked> = HashMap::new();
    for line in log.lines() {
        let (thread, call) = line.split_once(' ').unwrap();
        if let Some(opened) = opened_process(call) {
            at.insert(thread, opened);
        }
        let Some(pid) = at.get(thread) else { continue };
        let asked = asked.entry(*pid).or_default();
        // The end of a call that another thread's interrupted in the log isn't one more, but has its result.
        let call = call.trim_start();
        let (name, is_end) = match call.strip_prefix("<... ") {
            Some(rest) => (rest.split(' ').next().unwrap_or(rest), true),
            None => (call.split('(').next().unwrap_or(call), false),
        };
        asked.calls += u64::from(!is_end);
        if ["read", "pread64", "process_vm_readv"].contains(&name) {
            let result = call.rsplit("= ").next();
            let bytes = result.and_then(|bytes| bytes.trim().parse::<u64>().ok());
            asked.read_bytes += bytes.unwrap_or(0);
        }
    }
    Some(asked)
}

/// The process whose directory this call opens: from here on it is looked at.
fn opened_process(call: &str) -> Option<u32> {
    let path = call.trim_start().strip_prefix("openat(AT_FDCWD, \"/proc/")?;
    path.split_once('"')?.0.parse().ok()
}

#[test]
fn sixty_thousand_mappings_are_weighed_once_and_not_read_otherwise() {
    let target = Keeps::start(&compiled("keeps"), "free", 64, 60_000);
    let pid = target.pid() as u32;
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    assert!(maps.lines().count() > 60_000);
    let list = reading(pid, "smaps");
    let since = Instant::now();
    let report = processes(&["inspect", &target.number()]);
    let one = since.elapsed();
    // One look may not cost more than some readings of the list; a look at each mapping for each
    // other would cost thousands.
    assert!(one < list * 100 + Duration::from_secs(10), "{one:?}, smaps {list:?}");
    // Libraries are read, too: as many as for one without so many mappings.
    let ordinary = Keeps::free(64);
    let mut read_bytes = Vec::new();
    for target in [&ordinary, &target] {
        let Some(asked) = asked(&["inspect", "--format", "json", &target.number()]) else {
            return;
        };
        read_bytes.push(asked[&(target.pid() as u32)].read_bytes);
    }
    let more = read_bytes[1].saturating_sub(read_bytes[0]);
    // Before Linux 6.11 there are no queries, and the list is read, once.
    let bound = match report[0]["break"]["found_by"].as_str() {
        Some("procmap-query") => maps.len() / 2,
        _ => maps.len() * 2,
    };
    let weighed = std::fs::read(format!("/proc/{pid}/smaps")).unwrap().len();
    assert!(more < (weighed + bound) as u64, "{read_bytes:?} {weighed}");
}

/// What a small process costs, in what doesn't depend on how busy the machine is.
#[test]
fn few_questions_a_process() {
    let sleeping = Sleeping::start(50);
    let Some(asked) = asked(&["inspect", "--comm", &sleeping.name, "--format", "json"]) else {
        return;
    };
    let mut each: Vec<Asked> = sleeping.pids().map(|pid| asked[&pid]).collect();
    each.sort_by_key(|asked| asked.calls);
    let middle = each[each.len() / 2];
    println!("a small process: {middle:?}");
    assert!(middle.calls <= 60, "{middle:?}");
    assert!(middle.read_bytes <= 16 * 1024, "{middle:?}");
}

/// Processes that do nothing, under a name that no others have.
struct Sleeping {
    _directory: tempfile::TempDir,
    name: String,
    children: Vec<Child>,
}

impl Sleeping {
    fn start(number: usize) -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let started = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("nap{}-{started}", std::process::id());
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join(&name);
        suite::place::executable_copy(Path::new("/bin/sleep"), &program, 0o755);
        let mut sleeping = Self { _directory: directory, name, children: Vec::new() };
        for _ in 0..number {
            let mut command = Command::new(&program);
            let child = command.arg("1000").stdout(Stdio::null()).spawn();
            sleeping.children.push(child.unwrap());
        }
        // Until the last one has loaded its libraries.
        eventually("they sleep", || sleeping.pids().all(is_asleep));
        sleeping
    }

    fn pids(&self) -> impl Iterator<Item = u32> {
        self.children.iter().map(Child::id)
    }
}

/// Whether it waits for its time to pass.
fn is_asleep(pid: u32) -> bool {
    let call = std::fs::read_to_string(format!("/proc/{pid}/syscall"));
    call.is_ok_and(|call| call.starts_with(&format!("{} ", libc::SYS_clock_nanosleep)))
}

impl Drop for Sleeping {
    fn drop(&mut self) {
        for child in &mut self.children {
            // None has ended; the kernel takes their numbers back here.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn all_of_many_processes() {
    let sleeping = Sleeping::start(300);
    let rollup: Duration = sleeping.pids().map(|pid| reading(pid, "smaps_rollup")).sum();
    let all = inspecting(&["inspect", "--comm", &sleeping.name, "--format", "json"]);
    let ratio = all.as_secs_f64() / rollup.as_secs_f64();
    println!("300 small processes: {all:?}, smaps_rollup {rollup:?}: ratio {ratio:.2}");
    // Without the optimiser, on a busy machine; a look that grew with the number of processes, or
    // that read each library anew, would cost hundreds.
    assert!(ratio < 100.0, "{ratio}: {all:?}, smaps_rollup {rollup:?}");
}

#[test]
fn all_of_some_big_processes() {
    let targets: Vec<Keeps> = (0..8).map(|_| Keeps::free(4096)).collect();
    let pids = || targets.iter().map(|target| target.pid() as u32);
    let rollup: Duration = pids().map(|pid| reading(pid, "smaps_rollup")).sum();
    let all = inspecting(&["inspect", "--comm", "brkhole-keeps", "--format", "json"]);
    let ratio = all.as_secs_f64() / rollup.as_secs_f64();
    println!("8 processes of 64 MiB: {all:?}, smaps_rollup {rollup:?}: ratio {ratio:.2}");
    assert!(ratio < 100.0, "{ratio}: {all:?}, smaps_rollup {rollup:?}");
}
