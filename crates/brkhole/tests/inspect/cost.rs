//! What looking costs, beside what the kernel needs for its own figures.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{compiled, output};
use crate::target::Keeps;

/// Reads a file of a process as a whole; gives how long it took.
fn reading(pid: u32, file: &str) -> Duration {
    let since = Instant::now();
    let mut content = Vec::new();
    let mut file = std::fs::File::open(format!("/proc/{pid}/{file}")).expect("it runs");
    file.read_to_end(&mut content).expect("it runs");
    assert!(!content.is_empty());
    since.elapsed()
}

fn inspecting(arguments: &[&str]) -> Duration {
    let since = Instant::now();
    let inspected = output(arguments);
    assert!(inspected.status.success(), "{inspected:?}");
    since.elapsed()
}

#[test]
fn sixty_thousand_mappings() {
    let target = Keeps::start(&compiled("keeps"), "free", 64, 60_000);
    let pid = target.pid() as u32;
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    assert!(maps.lines().count() > 60_000);
    let list = reading(pid, "smaps");
    let one = inspecting(&["inspect", "--format", "json", &target.number()]);
    // One look may not cost more than a few readings of the list; a look at each mapping for each
    // other would cost thousands.
    assert!(
        one < list * 20 + Duration::from_secs(1),
        "{one:?}, smaps {list:?}"
    );
}

struct Sleeping(Vec<Child>);

impl Sleeping {
    fn start(number: usize) -> Self {
        let sleep = |_| {
            let mut command = Command::new("sleep");
            let child = command.arg("1000").stdout(Stdio::null()).spawn();
            child.expect("sleep is everywhere")
        };
        Self((0..number).map(sleep).collect())
    }
}

impl Drop for Sleeping {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // None has ended; the kernel takes their numbers back here.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn all_of_many_processes() {
    let sleeping = Sleeping::start(300);
    let pids = || sleeping.0.iter().map(Child::id);
    let rollup: Duration = pids().map(|pid| reading(pid, "smaps_rollup")).sum();
    let all = inspecting(&["inspect", "--comm", "sleep", "--format", "json"]);
    let ratio = all.as_secs_f64() / rollup.as_secs_f64();
    println!("300 small processes: {all:?}, smaps_rollup {rollup:?}: ratio {ratio:.2}");
    // Without the optimiser, on a busy machine; a look that grew with the number of processes, or
    // that read each library anew, would cost thousands.
    assert!(ratio < 400.0, "{ratio}: {all:?}, smaps_rollup {rollup:?}");
}

#[test]
fn all_of_some_big_processes() {
    let targets: Vec<Keeps> = (0..8).map(|_| Keeps::free(4096)).collect();
    let pids = || targets.iter().map(|target| target.pid() as u32);
    let rollup: Duration = pids().map(|pid| reading(pid, "smaps_rollup")).sum();
    let all = inspecting(&["inspect", "--comm", "brkhole-keeps", "--format", "json"]);
    let ratio = all.as_secs_f64() / rollup.as_secs_f64();
    println!("8 processes of 64 MiB: {all:?}, smaps_rollup {rollup:?}: ratio {ratio:.2}");
    assert!(ratio < 400.0, "{ratio}: {all:?}, smaps_rollup {rollup:?}");
}
