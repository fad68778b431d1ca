//! What `brkhole trace` says of malloc, in the processes that end and in the one that stays.

use std::io::BufRead;
use std::process::{Child, Command, Stdio};

use crate::common::{brkhole, compiled, json, kinds, output, skipped};
use serde_json::Value;

/// Blocks of the program: of 4000 bytes each, so that all together have 8 MB.
const BLOCKS: u64 = 2000;

fn freed() -> String {
    compiled("freed").to_str().unwrap().to_owned()
}

/// What the program says of its own malloc: from the kernel, and free.
fn said(line: &str) -> [u64; 2] {
    let mut figures = line.split_whitespace().map(|word| word.parse().unwrap());
    [figures.next().unwrap(), figures.next().unwrap()]
}

/// What is reported is what malloc says of itself; what can be returned is, of the runs of fifteen
/// free blocks, all but the pages at their edges.
fn is_right(report: &Value, said: [u64; 2]) {
    is_right_of(report, said, BLOCKS);
}

fn is_right_of(report: &Value, [system, free]: [u64; 2], blocks: u64) {
    assert_eq!(report["unknown"], Value::Null, "{report}");
    assert_eq!(report["system_bytes"], system, "{report}");
    let found = report["free_bytes"].as_u64().unwrap();
    // Formatting a line may have taken a block since; those in the thread's cache count as in use.
    assert!(found.abs_diff(free) <= 64 << 10, "{found} {free}");
    let returnable = report["returnable_bytes"].as_u64().unwrap();
    let runs = blocks / 16;
    let least = runs * (15 * 4000 - 2 * 4096);
    assert!(returnable >= least && returnable <= found, "{report}");
}

fn is_glibc() -> bool {
    let is_glibc = cfg!(target_env = "gnu");
    if !is_glibc {
        skipped("only glibc's malloc is looked into");
    }
    is_glibc
}

#[test]
fn a_programs_own_figures_are_found_at_its_end() {
    if !is_glibc() {
        return;
    }
    let (program, blocks) = (freed(), BLOCKS.to_string());
    let report = tempfile::NamedTempFile::new().unwrap();
    let file = report.path().to_str().unwrap();
    let trace = ["trace", "--format", "json", "-o", file, "--", &program, &blocks];
    let output = output(&trace);
    assert!(output.status.success());
    let figures = said(&String::from_utf8_lossy(&output.stdout));
    let report: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let [kept] = report["malloc"].as_array().unwrap().as_slice() else {
        panic!("{}", report["malloc"]);
    };
    assert_eq!(kept["when"], "exit");
    assert_eq!(kept["comm"], "brkhole-freed");
    let allocator = kept["allocator"].as_str().unwrap();
    assert!(allocator.starts_with("glibc 2."), "{allocator}");
    is_right(kept, figures);
}

/// What is free at the exit may have been freed on the way out, and nobody can give it back then.
#[test]
fn much_that_could_be_returned_is_no_finding_of_a_program_that_ends() {
    if !is_glibc() {
        return;
    }
    let program = freed();
    let report = json(&["trace", "--", &program, "10000"]);
    let kept = &report["malloc"][0];
    assert!(kept["returnable_bytes"].as_u64() > Some(16 << 20), "{kept}");
    assert!(!kinds(&report).contains(&"memory-returnable"), "{report}");
    assert!(!report["findings"].to_string().contains("malloc_trim"));
    let output = output(&["trace", "--", &program, "10000"]);
    let text = String::from_utf8_lossy(&output.stdout).replace("\n  ", " ");
    assert!(text.contains("has freed all of it by its exit"), "{text}");
}

#[test]
fn a_table_and_csv_have_them() {
    if !is_glibc() {
        return;
    }
    let (program, blocks) = (freed(), BLOCKS.to_string());
    for (format, parts) in [
        ("table", ["what malloc kept at the exit of", "brkhole-freed"]),
        ("csv", ["malloc-returnable,brkhole-freed ", "malloc-system,"]),
    ] {
        let output = output(&["trace", "--format", format, "--", &program, &blocks]);
        let text = String::from_utf8_lossy(&output.stdout);
        for part in parts {
            assert!(text.contains(part), "{format}: {part}: {text}");
        }
    }
}

#[test]
fn of_many_processes_the_launched_one_and_the_greatest_are_told() {
    if !is_glibc() {
        return;
    }
    let program = freed();
    let script = format!(
        "for size in 500 3000 2500 400 300 2000; do '{program}' $size; done > /dev/null
         for number in 1 2 3 4 5 6 7 8 9 10; do /bin/true; done"
    );
    let report = json(&["trace", "--", "sh", "-c", &script]);
    let kept = report["malloc"].as_array().unwrap();
    assert_eq!(kept.len(), 5, "{kept:?}");
    assert_eq!(kept[0]["comm"], "sh");
    let sizes: Vec<u64> =
        kept[1..].iter().map(|kept| kept["system_bytes"].as_u64().unwrap() / 4000).collect();
    for (size, blocks) in sizes.iter().zip([3000, 2500, 2000, 500]) {
        assert!(size.abs_diff(blocks) < blocks / 10 + 40, "{sizes:?}");
    }
    let notes = report["notes"].to_string();
    assert!(notes.contains("not of 12 more processes"), "{notes}");
}

/// It ends with the test.
struct Sleeper(Child);

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_process_that_runs_on_is_looked_into_when_the_watching_ends() {
    if !is_glibc() {
        return;
    }
    let child = Command::new(freed())
        .args([&(5 * BLOCKS).to_string(), "1000"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut sleeper = Sleeper(child);
    let mut line = String::new();
    let mut lines = suite::waiting::lines(sleeper.0.stdout.take().unwrap());
    lines.read_line(&mut line).unwrap();
    let pid = sleeper.0.id().to_string();
    let watching = ["trace", "--pid", &pid, "--via", "ptrace", "--duration", "0.1"];
    let report = json(&watching);
    let kept = &report["malloc"][0];
    assert_eq!(kept["when"], "end-of-watching");
    assert_eq!(kept["pid"].to_string(), pid);
    is_right_of(kept, said(&line), 5 * BLOCKS);
    let findings = report["findings"].as_array().unwrap();
    let of_kind = |finding: &&Value| finding["kind"] == "memory-returnable";
    let finding = findings.iter().find(of_kind).expect("it runs on");
    assert_eq!(finding["evidence"]["pid"], kept["pid"]);
    assert_eq!(finding["evidence"]["comm"], "brkhole-freed");
    let message = finding["message"].as_str().unwrap();
    assert!(message.starts_with("brkhole-freed "), "{message}");
    let remedy = finding["remedy"].as_str().unwrap();
    assert!(remedy.contains(&format!("brkhole trim {pid}")), "{remedy}");
    assert!(sleeper.0.try_wait().unwrap().is_none(), "it was disturbed");
}

#[test]
fn a_log_has_no_malloc() {
    let log = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(log.path(), "brk(NULL) = 0x1000\nbrk(0x2000) = 0x2000\n").unwrap();
    let report = json(&["explain", log.path().to_str().unwrap()]);
    assert_eq!(report["malloc"], Value::Null);
    let table = brkhole(&["explain", log.path().to_str().unwrap()]).output();
    let table = String::from_utf8_lossy(&table.unwrap().stdout).into_owned();
    assert!(!table.contains("malloc kept"), "{table}");
}
