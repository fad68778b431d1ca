//! Processes that have no state to tell, and what is said then.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use suite::waiting::eventually;

use proc_memory::Process;
use ptmalloc::{Examiner, Unknown};

use super::target::Target;
use crate::compiled;
use suite::skipped;

fn reason(target: &Target) -> String {
    target.examine().state.unwrap_err().to_string()
}

#[test]
fn malloc_that_was_never_called() {
    let target = Target::start();
    // Waiting for its first line it has not called malloc, unless its loader did.
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(target.examine().state, Err(Unknown::NotUsed));
}

#[test]
fn a_zombie() {
    let mut target = Target::start();
    target.told("c 10 20 30 2");
    let process = Process::open(target.pid()).unwrap();
    target.child.kill().unwrap();
    eventually("it has ended", || !process.is_alive());
    let said = reason(&target);
    assert!(said.contains("waits for its parent to reap it"), "{said}");
}

#[test]
fn one_that_is_gone() {
    let mut target = Target::start();
    let process = Process::open(target.pid()).unwrap();
    target.child.kill().unwrap();
    target.child.wait().unwrap();
    let said = Examiner::new().examine(&process).state.unwrap_err().to_string();
    assert!(said.contains("ended"), "{said}");
}

#[test]
fn a_kernel_thread() {
    // The second process is kthreadd, except in a container's own pid namespace.
    let comm = std::fs::read_to_string("/proc/2/comm").unwrap_or_default();
    if comm.trim() != "kthreadd" {
        skipped("no kernel thread is seen here");
        return;
    }
    let process = Process::open(2).unwrap();
    let said = Examiner::new().examine(&process).state.unwrap_err().to_string();
    assert!(said.contains("kernel thread") || said.contains("permission"), "{said}");
}

#[test]
fn somebody_elses() {
    const NOBODY: u32 = 65534;
    if !nix::unistd::geteuid().is_root() {
        skipped("only root can become somebody else");
        return;
    }
    // A helper that is nobody looks at a process of root's: this very test.
    let program = compiled("programs/quiet.c", "malloc-quiet", &["-O1"]);
    let target = Target::of(&mut Command::new(program));
    let helper = std::env::current_exe().unwrap();
    let visible = tempfile::tempdir().unwrap();
    let copy = visible.path().join("helper");
    suite::place::executable_copy(&helper, &copy, 0o755);
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(visible.path(), open).unwrap();
    let said = Command::new(&copy)
        .args(["--exact", "unreadable::look_at", "--nocapture"])
        .env("LOOK_AT", target.pid().to_string())
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("it belongs to uid 0 and this is uid 65534"), "{said}");
    assert!(said.contains("CAP_SYS_PTRACE"), "{said}");
}

/// Not a test by itself: what the one above runs as somebody else.
#[test]
fn look_at() {
    if let Ok(pid) = std::env::var("LOOK_AT") {
        let process = Process::open(pid.parse().unwrap()).unwrap();
        println!("{:?}", Examiner::new().examine(&process).state.map_err(|why| why.to_string()));
    }
}

#[test]
fn a_thirty_two_bit_process() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("small");
    let code = directory.path().join("small.s");
    // Without a C library: most machines have none for 32 bits.
    std::fs::write(&code, SMALL).unwrap();
    let built = Command::new("cc")
        .args(["-m32", "-nostdlib", "-static", "-o"])
        .args([&program, &code])
        .output()
        .unwrap();
    if !cfg!(target_arch = "x86_64") || !built.status.success() {
        skipped("32-bit programs can't be made here");
        return;
    }
    let mut target = Target::of(&mut Command::new(program));
    let examined = (0..500).find_map(|_| {
        std::thread::sleep(Duration::from_millis(10));
        let found = target.examine().state;
        (found == Err(Unknown::ThirtyTwoBit)).then_some(())
    });
    assert_eq!(target.child.try_wait().unwrap(), None, "32-bit programs run here");
    assert!(examined.is_some(), "{:?}", target.examine());
}

/// `pause()` for ever.
const SMALL: &str = "
    .globl _start
_start:
    movl $29, %eax
    int $0x80
    jmp _start
    .section .note.GNU-stack
";

#[test]
fn one_with_sixty_thousand_mappings() {
    let mut target = Target::start();
    target.told("c 2000 20 2000 2");
    let small = target.state();
    target.told("M 60000");
    let begin = Instant::now();
    let state = target.state();
    // Not a matter of speed: what is bounded ends, what isn't doesn't.
    assert!(begin.elapsed() < Duration::from_secs(60));
    assert_eq!(state, small);
}

#[test]
fn ones_that_end_in_the_middle() {
    let mut examiner = Examiner::new();
    let mut seen = [0_u32; 2];
    for round in 0..60_u32 {
        let mut target = Target::start();
        target.told("c 20000 20 300 2");
        let process = Process::open(target.pid()).unwrap();
        let pid = nix::unistd::Pid::from_raw(target.pid());
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_micros(u64::from(round) * 300));
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
        });
        let state = examiner.examine(&process).state;
        killer.join().unwrap();
        match state {
            Ok(state) => {
                assert!(state.free_bytes.is_none_or(|free| free <= state.system_bytes));
                seen[0] += 1;
            }
            Err(why) => {
                let said = why.to_string();
                assert!(!said.is_empty());
                seen[1] += 1;
            }
        }
    }
    assert_eq!(seen[0] + seen[1], 60);
}
