//! Who may, who may not and what is said then; and that nothing stays behind.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use bpf_memory_trace::{Hook, Options, Refusal, Tracer};
use suite::waiting::eventually;

use crate::harness::all_hooks;

const ROLE: &str = "BPF_MEMTRACE_ROLE";

/// This program again, as somebody else: prints `works` or why not; then waits if it is to.
#[test]
fn role() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let tracer = Tracer::new(Hook::SysExit, Options::default());
    let said = tracer.as_ref().map_or_else(ToString::to_string, |_| "works".to_owned());
    writeln!(std::io::stderr(), "role: {said}").unwrap();
    if role == "stays" {
        std::thread::sleep(suite::waiting::PATIENCE);
    }
}

/// The role, behind a program that takes rights away.
fn role_behind(command: &[&str], role: &str) -> Command {
    let own = std::env::current_exe().unwrap();
    let mut again = match command {
        [] => Command::new(own),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(own);
            command
        }
    };
    again
        .args(["--exact", "rights::role", "--nocapture"])
        .env(ROLE, role)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    again
}

fn said(command: &[&str]) -> String {
    let output = role_behind(command, "tells").output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let said = text.lines().find_map(|line| line.strip_prefix("role: "));
    said.unwrap_or_else(|| panic!("{command:?}: {text}")).to_owned()
}

/// Whether it is permitted here at all, and the program is there.
fn permitted(program: &str) -> bool {
    suite::installed(program) && all_hooks().contains(&Hook::SysExit)
}

#[test]
fn two_capabilities_suffice_and_what_is_missing_is_named() {
    if !permitted("setpriv") {
        return;
    }
    for (capabilities, answer) in [
        ("-all,+bpf,+perfmon", "works"),
        ("-all,+sys_admin", "works"),
        ("-all,+bpf", "CAP_PERFMON is missing: run as root"),
        ("-all,+perfmon", "CAP_BPF is missing: run as root"),
        ("-all", "CAP_BPF and CAP_PERFMON are missing: run as root"),
    ] {
        let bounding = format!("--bounding-set={capabilities}");
        assert_eq!(said(&["setpriv", &bounding]), answer, "{capabilities}");
    }
}

#[test]
fn a_pid_namespace_is_recognized() {
    if permitted("unshare") {
        let said = said(&["unshare", "--pid", "--fork"]);
        assert!(said.contains("it is in a pid namespace (a container)"), "{said}");
    }
}

/// Whether this kernel can or not: an answer that can be read.
#[test]
fn hooks_that_a_kernel_lacks_are_refused_in_a_sentence() {
    for (hook, what) in [(Hook::Fexit, "fexit programs"), (Hook::KprobeMulti, "kretprobe.multi ")] {
        let Err(refusal) = Tracer::new(hook, Options::default()) else {
            continue;
        };
        let said = refusal.to_string();
        if let Refusal::Kernel { log, locked_down: false, .. } = &refusal {
            assert!(said.starts_with("the kernel refuses "), "{said}");
            assert!(said.contains(what) || said.contains("maps"), "{said}");
            assert_eq!(log, "", "the verifier finds fault");
        }
    }
}

/// Booted with `lockdown=confidentiality`, a kernel lets no program read memory.
#[test]
fn a_locked_down_kernel_is_named() {
    let lockdown = std::fs::read_to_string("/sys/kernel/security/lockdown");
    if lockdown.is_ok_and(|setting| setting.contains("[confidentiality]")) {
        for hook in [Hook::KprobeMulti, Hook::Fexit, Hook::SysExit] {
            let said = Tracer::new(hook, Options::default()).unwrap_err().to_string();
            assert!(said.contains("(lockdown=confidentiality)"), "{hook:?}: {said}");
        }
    }
}

#[test]
#[ignore = "switches ftrace off for the whole machine"]
fn programs_that_are_switched_off_are_noticed() {
    const SWITCH: &str = "/proc/sys/kernel/ftrace_enabled";
    for &hook in all_hooks().iter().filter(|hook| **hook != Hook::SysExit) {
        let mut tracer = Tracer::new(hook, Options::default()).unwrap();
        std::fs::write(SWITCH, "0").unwrap();
        let off = [tracer.prove(), Tracer::new(hook, Options::default()).map(drop)];
        std::fs::write(SWITCH, "1").unwrap();
        for refused in off {
            assert!(matches!(refused, Err(Refusal::FtraceDisabled)), "{hook:?}: {refused:?}");
        }
        tracer.prove().unwrap();
    }
}

#[test]
fn nothing_is_left_of_a_killed_one() {
    if !all_hooks().contains(&Hook::SysExit) {
        return;
    }
    let mut killed = role_behind(&[], "stays").stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(killed.stderr.take().unwrap()).lines();
    let said = lines.find_map(|line| line.unwrap().strip_prefix("role: ").map(str::to_owned));
    assert_eq!(said.as_deref(), Some("works"));
    let objects = objects_of(killed.id());
    let count = |kind| objects.iter().filter(|(of, _)| *of == kind).count();
    let tells_uring = Tracer::new(Hook::SysExit, Options::default()).unwrap().tells_uring();
    let programs = 4 + if tells_uring { 3 } else { 0 };
    // The ring is held by its mapping, and by the programs.
    let counts = OBJECTS.map(|(kind, _)| count(kind));
    assert_eq!(counts, [programs, 2, programs], "{objects:?}");
    assert!(objects.iter().all(|object| exists(*object)));
    killed.kill().unwrap();
    killed.wait().unwrap();
    eventually("the kernel has let go of them", || !objects.iter().any(|object| exists(*object)));
}

/// As descriptors tell their ids, and the commands of bpf(2) that find them by id.
const OBJECTS: [(&str, i64); 3] = [("prog_id", 13), ("map_id", 14), ("link_id", 30)];

fn objects_of(pid: u32) -> Vec<(&'static str, u32)> {
    let mut objects = Vec::new();
    for file in std::fs::read_dir(format!("/proc/{pid}/fdinfo")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        // A link names its program, too.
        let is_link = text.contains("link_id:");
        for (kind, _) in OBJECTS {
            let id = text.lines().find_map(|line| line.strip_prefix(&format!("{kind}:\t")));
            if let Some(id) = id.filter(|_| is_link == (kind == "link_id")) {
                objects.push((kind, id.parse().unwrap()));
            }
        }
    }
    objects
}

fn exists((kind, id): (&str, u32)) -> bool {
    let (_, command) = OBJECTS.into_iter().find(|(of, _)| *of == kind).unwrap();
    let mut attribute = [id, 0, 0];
    let bytes = size_of_val(&attribute);
    // SAFETY: the attribute lives, has no pointers and is as long as is said.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command, attribute.as_mut_ptr(), bytes) };
    if fd >= 0 {
        // SAFETY: it has just been made, and nobody else knows it.
        unsafe { libc::close(fd as i32) };
    }
    fd >= 0
}
