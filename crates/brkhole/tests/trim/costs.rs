//! What a process has much of doesn't make it stand still for long, or brkhole big.

use std::fs::{self, File};
use std::process::Command;

use proc_memory::AddressSpace;

use crate::common::{brkhole, compiled, installed, skipped};
use crate::trim::harness::{Target, figure, refused_by, reports, reports_of, trimmed};

/// A library of this many bytes, nearly all of them a hole, is read within this much memory.
const LIBRARY_BYTES: u64 = 3 << 30;
const MOST_DATA_BYTES: u64 = 512 << 20;

#[test]
fn a_library_with_a_hole_of_gigabytes() {
    if !installed("prlimit") {
        return;
    }
    let own = AddressSpace::of(std::process::id() as i32).unwrap();
    let paths = own.mappings().iter().filter_map(|mapping| mapping.path());
    let Some(path) = { paths }.find(|path| path.ends_with("libc.so.6")) else {
        return skipped("this program has no libc.so.6");
    };
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("libc.so.6");
    fs::copy(path, &copy).unwrap();
    let grown = File::options().write(true).open(&copy).unwrap();
    if let Err(error) = grown.set_len(LIBRARY_BYTES) {
        return skipped(format_args!("no file can be that long here: {error}"));
    }
    let mut command = Command::new(compiled("trim_keeps"));
    command.args(["free", "1"]);
    command.env("LD_LIBRARY_PATH", directory.path());
    let mut target = Target::of(&mut command, "ready");
    let plain = brkhole(&["trim", "--format", "json", &target.pid().to_string()]);
    let mut command = Command::new("prlimit");
    command.arg(format!("--data={MOST_DATA_BYTES}"));
    command.arg(plain.get_program()).args(plain.get_args());
    let output = command.output().unwrap();
    let reports = reports_of(&output);
    assert_eq!(reports[0]["outcome"], "trimmed", "{:#}", reports[0]);
    target.is_well();
    target.ends();
}

/// What is read while a process with 60,000 mappings is held: their list has megabytes.
#[test]
fn many_mappings_are_not_read_while_it_is_held() {
    const MAPPINGS: usize = 60_000;
    const LINE_BYTES: usize = 40;
    if !installed("strace") {
        return;
    }
    if kernel() < (6, 11) {
        return skipped("this kernel can't be asked for a mapping, so that the list is read");
    }
    let count = MAPPINGS.to_string();
    let mut target = Target::started("mappings", &[&count], "ready");
    let log = tempfile::NamedTempFile::new().unwrap();
    let plain = brkhole(&["trim", "--format", "json", &target.pid().to_string()]);
    let mut command = Command::new("strace");
    command.args(["-f", "-e", "trace=read,pread64,ptrace", "-o"]);
    command.arg(log.path()).arg(plain.get_program());
    let output = command.args(plain.get_args()).output().unwrap();
    let reports = reports_of(&output);
    assert_eq!(reports[0]["outcome"], "trimmed", "{:#}", reports[0]);
    let log = fs::read_to_string(log.path()).unwrap();
    let read = |from: usize, to: usize| -> usize {
        let lines = log.lines().skip(from).take(to - from);
        let reads = lines.filter(|line| line.contains("read") && !line.contains("unfinished"));
        reads.filter_map(|line| line.rsplit_once(" = ")?.1.parse::<usize>().ok()).sum()
    };
    let line = |word: &str| log.lines().position(|line| line.contains(word)).unwrap();
    let (held, let_go) = (line("PTRACE_SEIZE"), line("PTRACE_DETACH"));
    assert!(read(0, held) > MAPPINGS * LINE_BYTES, "the list is read before");
    let while_held = read(held, let_go);
    assert!(while_held < MAPPINGS * LINE_BYTES / 4, "{while_held} bytes");
    target.is_well();
    target.ends();
}

fn kernel() -> (u32, u32) {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit());
    let mut number = || numbers.next().unwrap().parse::<u32>().unwrap();
    (number(), number())
}

/// What is foretold to take longer than it may isn't begun, and both say so before.
#[test]
fn longer_than_it_may() {
    let mut target = Target::started("keeps", &["free", "1"], "ready");
    let pid = target.pid().to_string();
    let (status, dry) = reports(&["--dry-run", "--max-hold", "0.001", &pid]);
    assert_eq!(status, 0, "{dry:#?}");
    let foretold = dry[0]["predicted_held_seconds"].as_f64().unwrap();
    assert!(foretold > 0.001, "{dry:#?}");
    let notes = dry[0]["notes"].to_string();
    assert!(notes.contains("would be refused"), "{notes}");
    assert!(notes.contains("--max-hold"), "{notes}");
    let mut command = brkhole(&["trim", "--max-hold", "0.001", &pid]);
    refused_by(&mut command, &["stand still", "--max-hold"]);
    let (_, wet) = reports(&["--max-hold", "0.001", &pid]);
    assert_eq!(figure(&wet[0], "attempts"), 0);
    // As said, it may for longer.
    let report = trimmed(target.pid());
    let foretold = report["predicted_held_seconds"].as_f64().unwrap();
    assert!(foretold > 0.001, "{report:#}");
    target.is_well();
    target.ends();
}
