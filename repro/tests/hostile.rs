//! What can go wrong ends in a clear sentence and leaves nothing behind.

use crate::common::{bundle, run, skipped, stderr};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const LOCATIONS: &str = env!("CARGO_BIN_EXE_locations");
const RELOAD: &str = env!("CARGO_BIN_EXE_reload");
const BURST: &str = env!("CARGO_BIN_EXE_burst");

fn fails_with(output: &Output, status: i32, expected: &str) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert!(said.contains(expected), "{said}");
}

#[test]
fn no_locations_are_bad_usage() {
    fails_with(&run(LOCATIONS, &["--locations", "0"]), 2, "--locations");
    fails_with(&run(LOCATIONS, &["--locations", "many"]), 2, "many");
    fails_with(&run(LOCATIONS, &["--repeats", "0"]), 2, "--repeats");
    fails_with(&run(BURST, &["--block-bytes", "1"]), 2, "--block-bytes");
}

#[test]
fn a_missing_bundle_is_named() {
    let output = run(LOCATIONS, &["--bundle", "/nonexistent/ca.pem"]);
    fails_with(&output, 1, "/nonexistent/ca.pem");
    let output =
        Command::new(LOCATIONS).env("SSL_CERT_FILE", "/nonexistent/ca.pem").output().unwrap();
    fails_with(&output, 1, "SSL_CERT_FILE");
}

#[test]
fn a_bundle_without_certificates_is_refused_before_anything_runs() {
    let place = tempfile::tempdir().unwrap();
    let text = place.path().join("notes.txt");
    fs::write(&text, "no certificate here\n").unwrap();
    let output = run(LOCATIONS, &["--bundle", text.to_str().unwrap()]);
    fails_with(&output, 1, "notes.txt");
}

/// Ctrl-C in the middle of a long run ends the child too.
#[test]
fn ctrl_c_in_the_middle_leaves_no_process() {
    if bundle().is_none() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let parent = Command::new(LOCATIONS)
        .args(["--locations", "100000", "--out"])
        .arg(place.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let child = child_of(&parent);
    signal(parent.id(), libc::SIGINT);
    let output = parent.wait_with_output().unwrap();
    fails_with(&output, 130, "interrupted after 0 of 15 runs");
    assert!(is_gone(child), "the child {child} is still there");
    let left: Vec<_> = fs::read_dir(place.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_killed_parent_takes_its_child_with_it() {
    if bundle().is_none() {
        return;
    }
    let mut parent = Command::new(LOCATIONS)
        .args(["--locations", "100000"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let child = child_of(&parent);
    parent.kill().unwrap();
    parent.wait().unwrap();
    assert!(is_gone(child), "the child {child} is still there");
}

/// The master of `reload` is a daemon: the child's child.
#[test]
fn a_killed_parent_takes_the_daemon_with_it() {
    if bundle().is_none() {
        return;
    }
    let mut parent = Command::new(RELOAD)
        .args(["--locations", "5", "--cycles", "1000"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // A control whose break has no room ends before it becomes one, and another child comes.
    let daemon = descendant_of(&parent, 2);
    parent.kill().unwrap();
    parent.wait().unwrap();
    assert!(is_gone(daemon), "the daemon {daemon} is still there");
}

/// With a GiB of zeros behind its data the program's break starts above the trick's guard.
#[test]
fn above_the_guard_the_hole_arm_says_that_no_hole_was_made() {
    let place = tempfile::tempdir().unwrap();
    let (changed, copy) = (place.path().join("changed"), place.path().join("burst"));
    fs::copy(BURST, &changed).unwrap();
    if !cfg!(all(target_arch = "x86_64", target_env = "gnu")) {
        skipped("the guard is about x86-64 with glibc");
        return;
    }
    give_a_gib_of_zeros(&changed);
    suite::place::executable_copy(&changed, &copy, 0o755);
    let output = run(copy.to_str().unwrap(), &["--repeats", "1", "--blocks", "1"]);
    fails_with(&output, 1, "no hole made: the break is at 0x");
    fails_with(&output, 1, "hole: not one of 20 runs counts");
}

/// Without permission to trace, times and memory are there, and what is missing is said.
#[test]
fn without_ptrace_the_run_goes_on_and_says_what_is_missing() {
    let mut command = Command::new(BURST);
    command.args(["--repeats", "1", "--blocks", "16"]);
    let table = refused_ptrace(&mut command).output().unwrap();
    assert!(table.status.success(), "{}", stderr(&table));
    let text = String::from_utf8(table.stdout).unwrap();
    assert!(text.contains("system calls were not counted"), "{text}");
    assert!(text.contains("nothing was traced"), "{text}");

    let json = refused_ptrace(command.args(["--format", "json"])).output().unwrap();
    let results: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert!(crate::common::runs(&results, "hole")[0]["syscalls"].is_null());
    assert!(crate::common::runs(&results, "hole")[0]["wall_seconds"].is_f64());
}

#[test]
fn a_full_disk_is_named_and_results_are_printed_all_the_same() {
    // The first is full from the start, the second fills up on the way.
    let full = on_a_disk_of("32k", &["--repeats", "1", "--blocks", "1"]);
    let filling = on_a_disk_of("68k", &["--repeats", "12", "--blocks", "1"]);
    let (Some(full), Some(filling)) = (full, filling) else {
        return;
    };
    fails_with(&full, 1, "No space left on device");
    assert!(full.stdout.is_empty(), "nothing was measured for a full disk");
    fails_with(&filling, 1, "No space left on device");
    let text = String::from_utf8(filling.stdout).unwrap();
    assert!(text.contains("12 control, 12 hole"), "{text}");
}

#[test]
fn results_that_can_not_be_printed_are_an_error() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = Command::new(BURST)
        .args(["--repeats", "1", "--blocks", "1"])
        .stdout(full)
        .output()
        .unwrap();
    fails_with(&output, 1, "can't write to standard output");
}

#[test]
fn a_chart_that_can_not_be_written_is_an_error_after_the_results() {
    let output =
        run(BURST, &["--repeats", "1", "--blocks", "1", "--chart", "/nonexistent/chart.svg"]);
    fails_with(&output, 1, "/nonexistent/chart.svg");
    assert!(String::from_utf8_lossy(&output.stdout).contains("peak memory"));
}

#[test]
fn out_keeps_the_raw_results_and_the_chart_and_html_has_both() {
    let place = tempfile::tempdir().unwrap();
    let (directory, page) = (place.path().join("new"), place.path().join("page.html"));
    let output = run(
        BURST,
        &[
            "--repeats",
            "1",
            "--blocks",
            "16",
            "--out",
            directory.to_str().unwrap(),
            "--html",
            page.to_str().unwrap(),
        ],
    );
    assert!(output.status.success(), "{}", stderr(&output));
    let page = fs::read_to_string(page).unwrap();
    for part in ["burst --repeats 1 --blocks 16 --out ", "peak memory", "<svg", "<dt>openssl</dt>"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    let json = fs::read(directory.join("burst.json")).unwrap();
    let results: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(results["experiment"], "burst");
    let chart = fs::read_to_string(directory.join("burst.svg")).unwrap();
    assert!(chart.contains("viewBox"), "the chart doesn't scale");
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 2);
}

#[test]
fn a_chart_or_a_page_may_take_the_table_s_place() {
    let few = ["--repeats", "1", "--blocks", "16"];
    for (flag, begins) in [("--chart", "<svg"), ("--html", "<!doctype html>")] {
        let output = run(BURST, &[&few[..], &[flag, "-"]].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.starts_with(begins) && !text.contains("\nobserver: "), "{text}");
    }
    let output = run(BURST, &[&few[..], &["--chart", "-", "--html", "-"]].concat());
    fails_with(&output, 1, "only one thing");
    assert!(output.stdout.is_empty());
}

#[test]
fn csv_has_a_row_for_each_checkpoint() {
    let output = run(BURST, &["--repeats", "2", "--blocks", "16", "--format", "csv"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let columns = text.lines().next().unwrap().split(',').count();
    assert!(text.lines().all(|line| line.split(',').count() == columns), "{text}");
    assert_eq!(text.lines().count(), 1 + 2 * 2 * 4);
}

/// The process that works for `parent`, once there is one.
fn child_of(parent: &Child) -> i32 {
    descendant_of(parent, 1)
}

/// Its child, or its child's child, …
fn descendant_of(parent: &Child, generations: usize) -> i32 {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let parent = Some(parent.id().cast_signed());
        let found = (0..generations).fold(parent, |pid, _| first_child(pid?));
        if let Some(descendant) = found {
            // Long enough to be past its start and amid its locations.
            std::thread::sleep(Duration::from_millis(300));
            return descendant;
        }
        assert!(Instant::now() < deadline, "no such process");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn first_child(pid: i32) -> Option<i32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

fn is_gone(pid: i32) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Path::new(&format!("/proc/{pid}")).exists() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

fn signal(pid: u32, signal: i32) {
    // SAFETY: sends a signal to a child of this test that has not been waited for.
    let sent = unsafe { libc::kill(pid.cast_signed(), signal) };
    assert_eq!(sent, 0);
}

/// Enlarges the zeros (`p_memsz` beyond `p_filesz`) of a program's last segment by 1 GiB.
///
/// elf(5): the program headers start at `e_phoff` (byte 32), are `e_phentsize` (54) long and
/// `e_phnum` (56) in number; `p_type` is at byte 0, `p_vaddr` at 16 and `p_memsz` at 40 of each.
fn give_a_gib_of_zeros(program: &Path) {
    const PT_LOAD: u64 = 1;
    let mut elf = fs::read(program).unwrap();
    let number = |elf: &[u8], at: usize, bytes: usize| {
        let mut value = [0; 8];
        value[..bytes].copy_from_slice(&elf[at..at + bytes]);
        u64::from_le_bytes(value)
    };
    let table = number(&elf, 32, 8) as usize;
    let entry = number(&elf, 54, 2) as usize;
    let count = number(&elf, 56, 2) as usize;
    let last = (0..count)
        .map(|index| table + index * entry)
        .filter(|&header| number(&elf, header, 4) == PT_LOAD)
        .max_by_key(|&header| number(&elf, header + 16, 8))
        .unwrap();
    let larger = number(&elf, last + 40, 8) + (1 << 30);
    elf[last + 40..last + 48].copy_from_slice(&larger.to_le_bytes());
    fs::write(program, elf).unwrap();
}

/// Has the kernel refuse ptrace(2) to the command, as containers' seccomp profiles do.
fn refused_ptrace(command: &mut Command) -> &mut Command {
    use std::os::unix::process::CommandExt;
    let install = || {
        let instruction = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
        let ptrace = libc::SYS_ptrace as u32;
        let refuse = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
        let filter = [
            // The number of the system call is the first word of struct seccomp_data.
            instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
            instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, ptrace),
            instruction(libc::BPF_RET | libc::BPF_K, 0, 0, refuse),
            instruction(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
        ];
        let program =
            libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
        // SAFETY: takes numbers only.
        let no_new_rights = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
        // SAFETY: the kernel copies the filter, which outlives the call.
        let installed = unsafe {
            libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program)
        };
        if no_new_rights == 0 && installed == 0 {
            Ok(())
        } else {
            Err(std::io::Error::last_os_error())
        }
    };
    // SAFETY: between fork and exec only prctl is called; nothing allocates.
    unsafe { command.pre_exec(install) }
}

/// Runs `burst` with `--out` on a file system of that size, which goes with its mount namespace.
fn on_a_disk_of(size: &str, arguments: &[&str]) -> Option<Output> {
    let place = tempfile::tempdir().unwrap();
    let script = format!(
        "mount -t tmpfs -o size={size} none {0} || exit 77; exec {BURST} --out {0} {1}",
        place.path().display(),
        arguments.join(" ")
    );
    let output =
        Command::new("unshare").args(["--map-root-user", "--mount", "sh", "-c", &script]).output();
    match output {
        Ok(output) if output.status.code() != Some(77) && !stderr(&output).contains("unshare:") => {
            Some(output)
        }
        Ok(output) => {
            skipped(format_args!("can't mount a small disk: {}", stderr(&output)));
            None
        }
        Err(error) => {
            skipped(format_args!("unshare: {error}"));
            None
        }
    }
}
