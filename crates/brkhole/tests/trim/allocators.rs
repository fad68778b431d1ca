//! Allocators other than glibc's give back what they keep, too.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use suite::waiting::until;

use crate::common::{compiled, output, processes, skipped};
use crate::trim::harness::{Target, assert_as_predicted, figure, refused, reports, trim, trimmed};

const MIB: u64 = 1 << 20;

pub const LIBRARIES: [&str; 3] =
    ["libjemalloc.so.2", "libtcmalloc_minimal.so.4", "libmimalloc.so.2.0"];

/// The path of a library; `None`, and said, where it isn't installed.
pub fn library(name: &str) -> Option<String> {
    let path = format!("/usr/lib/x86_64-linux-gnu/{name}");
    if !Path::new(&path).exists() {
        skipped(format_args!("{path} is not there"));
        return None;
    }
    Some(path)
}

pub fn command(library: &str, program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(compiled(&format!("trim_{program}")));
    command.args(arguments).env("LD_PRELOAD", library).env_remove("MALLOC_CONF");
    command
}

/// Of some 160 MiB, of which nearly all is free, at least this comes back, and the rest is whole.
fn gives_back(command: &mut Command, allocator: &str, called: &str, least: u64) {
    let mut target = Target::of(command, "ready");
    // mimalloc puts off what was freed just now.
    std::thread::sleep(Duration::from_secs(u64::from(allocator == "mimalloc")));
    let report = trimmed(target.pid());
    assert_eq!((&report["allocator"], &report["called"]), (&allocator.into(), &called.into()));
    assert!(figure(&report, "returned_bytes") > least, "{report:#}");
    match allocator {
        "jemalloc" | "mimalloc" => assert_as_predicted(&report),
        // It counts the untouched end of what it had from the kernel last, too.
        _ => {
            let [predicted, returned] =
                ["predicted_bytes", "returned_bytes"].map(|name| figure(&report, name));
            assert!(returned <= predicted && predicted - returned < 4 * MIB, "{report:#}");
        }
    }
    counts_itself(&report, allocator);
    let (before, after) = (figure(&report, "rss_before_bytes"), figure(&report, "rss_after_bytes"));
    assert_eq!(before - after, figure(&report, "returned_bytes"));
    assert!(report["malloc_before"].is_null() && report["malloc_after"].is_null());
    target.is_well();
    let again = trimmed(target.pid());
    let (once, again) = (figure(&report, "returned_bytes"), figure(&again, "returned_bytes"));
    assert!(again < once / 2, "{once}, then {again}");
    target.is_well();
    target.ends();
}

/// What it says of itself agrees with what the kernel counts.
fn counts_itself(report: &Value, allocator: &str) {
    let [before, after] = ["allocator_before", "allocator_after"].map(|when| &report[when]);
    if allocator == "mimalloc" {
        assert!(before.is_null() && after.is_null(), "{report:#}");
        return;
    }
    let both = |name: &str| [before, after].map(|counted| figure(counted, name));
    let [allocated, allocated_after] = both("allocated_bytes");
    assert!(allocated == allocated_after && allocated > 0, "{report:#}");
    let [resident, resident_after] = both("resident_bytes");
    let [returnable, returnable_after] = both("returnable_bytes");
    assert!(allocated + returnable <= resident, "{report:#}");
    assert!(returnable_after < returnable / 10, "{report:#}");
    assert!(resident - resident_after >= returnable - returnable_after, "{report:#}");
    let rss = figure(report, "rss_before_bytes");
    assert!(resident > rss / 2 && resident < rss + 8 * MIB, "{report:#}");
}

#[test]
fn jemalloc() {
    let Some(library) = library("libjemalloc.so.2") else { return };
    for threads in ["1", "8"] {
        let mut command = command(&library, "keeps", &["free", threads]);
        command.env("MALLOC_CONF", "dirty_decay_ms:-1");
        gives_back(&mut command, "jemalloc", "mallctl(\"arena.4096.purge\")", 100 * MIB);
    }
}

/// Its own thread is always inside it, where it waits.
#[test]
fn jemallocs_background_thread() {
    let Some(library) = library("libjemalloc.so.2") else { return };
    let mut command = command(&library, "keeps", &["free", "2"]);
    command.env("MALLOC_CONF", "background_thread:true,dirty_decay_ms:-1");
    gives_back(&mut command, "jemalloc", "mallctl(\"arena.4096.purge\")", 100 * MIB);
    // Where it waits with an end, as each time that something is left to decay.
    command.env("MALLOC_CONF", "background_thread:true,dirty_decay_ms:3600000");
    gives_back(&mut command, "jemalloc", "mallctl(\"arena.4096.purge\")", 100 * MIB);
}

/// With eight threads 60 to 105 MiB came back: how many pages are wholly free is a matter of whose
/// turn it was.
#[test]
fn tcmalloc() {
    let Some(library) = library("libtcmalloc_minimal.so.4") else { return };
    for (threads, least) in [("1", 60), ("8", 20)] {
        let mut command = command(&library, "keeps", &["free", threads]);
        gives_back(&mut command, "tcmalloc", "MallocExtension_ReleaseFreeMemory", least * MIB);
    }
}

/// Each thread has to call it: seven of eight parts are other threads'.
#[test]
fn mimalloc() {
    let Some(library) = library("libmimalloc.so.2.0") else { return };
    for (threads, least) in [("1", 8), ("8", 60)] {
        let mut command = command(&library, "keeps", &["free", threads]);
        gives_back(&mut command, "mimalloc", "mi_collect", least * MIB);
    }
}

/// One call of glibc's own malloc doesn't make it the process's.
#[test]
fn beside_glibcs() {
    for (name, allocator) in [
        ("libjemalloc.so.2", "jemalloc"),
        ("libtcmalloc_minimal.so.4", "tcmalloc"),
        ("libmimalloc.so.2.0", "mimalloc"),
    ] {
        let Some(library) = library(name) else { continue };
        let mut command = command(&library, "keeps", &["beside", "1"]);
        command.env("MALLOC_CONF", "dirty_decay_ms:-1");
        let target = Target::of(&mut command, "ready");
        let pid = target.pid().to_string();
        let inspected = output(&["inspect", "--format", "json", &pid]);
        let inspected: Value = serde_json::from_slice(&inspected.stdout).unwrap();
        let process = &inspected["processes"][0];
        assert_eq!(process["allocator"], allocator, "{process:#}");
        let others = process["other_allocators"].as_array().unwrap();
        assert!(others.iter().any(|one| one.as_str().unwrap().starts_with("glibc")), "{others:?}");
        assert!(!process["malloc"].is_null(), "glibc's figures are told all the same");
        let warned = process["findings"].as_array().unwrap().iter();
        let warned = warned.filter(|finding| finding["severity"] != "info");
        let warned: Vec<_> = warned.map(|finding| &finding["evidence"]["owner"]).collect();
        // tcmalloc's records aren't read, and mimalloc keeps little.
        let expected: &[&str] = if allocator == "jemalloc" { &["jemalloc"] } else { &[] };
        assert_eq!(warned, expected, "nothing of glibc's: {process:#}");
        let report = trimmed(target.pid());
        assert_eq!(report["allocator"], allocator, "{report:#}");
        counts_itself(&report, allocator);
        target.ends();
    }
}

/// Of several that are loaded, it is the one that the loader finds first.
#[test]
fn the_one_whose_malloc_is_called() {
    let libraries = LIBRARIES.map(library);
    let [Some(jemalloc), Some(tcmalloc), Some(mimalloc)] = libraries else { return };
    for (order, allocator) in [
        ([&jemalloc, &tcmalloc, &mimalloc], "jemalloc"),
        ([&tcmalloc, &mimalloc, &jemalloc], "tcmalloc"),
        ([&mimalloc, &jemalloc, &tcmalloc], "mimalloc"),
        ([&tcmalloc, &jemalloc, &mimalloc], "tcmalloc"),
    ] {
        let order = order.map(String::as_str).join(" ");
        let mut command = command(&order, "keeps", &["free", "1"]);
        command.env("MALLOC_CONF", "dirty_decay_ms:-1");
        let target = Target::of(&mut command, "ready");
        let report = trimmed(target.pid());
        assert_eq!(report["allocator"], allocator, "{order}");
        counts_itself(&report, allocator);
        if allocator == "tcmalloc" {
            let counted = &report["allocator_before"]["returnable_bytes"];
            assert_eq!(&report["predicted_bytes"], counted, "jemalloc's records aren't asked");
        }
        target.ends();
    }
}

#[test]
fn programs_that_are_inside_all_the_time_survive() {
    for name in LIBRARIES {
        let Some(library) = library(name) else { continue };
        let mut target = Target::of(&mut command(&library, "churn", &["4"]), "ready");
        let pid = target.pid().to_string();
        for _ in 0..6 {
            let (status, reports) = reports(&["--patience", "2", &pid]);
            let outcome = &reports[0]["outcome"];
            assert!(status == 0 || outcome == "gave-up", "{:#}", reports[0]);
        }
        target.is_well();
        target.ends();
    }
}

/// While a program forks, its allocator's locks are held, and no thread is inside it.
#[test]
fn in_a_fork_there_is_no_good_moment() {
    let Some(library) = library("libjemalloc.so.2") else { return };
    let mut target = Target::of(&mut command(&library, "forking", &[]), "forking");
    let pid = target.pid();
    let (status, reports) = reports(&["--patience", "0.3", &pid.to_string()]);
    assert_eq!((status, &reports[0]["outcome"]), (1, &"gave-up".into()), "{:#}", reports[0]);
    let reason = reports[0]["reason"].as_str().unwrap();
    assert!(reason.contains("fork"), "{reason}");
    target.nudge();
    target.says("forked");
    trimmed(pid);
    target.ends();
}

#[test]
fn a_dry_run_says_what_is_unknown() {
    let Some(library) = library("libtcmalloc_minimal.so.4") else { return };
    let target = Target::of(&mut command(&library, "keeps", &["free", "1"]), "ready");
    let output = trim(&["--dry-run", &target.pid().to_string()]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && told.contains("isn't known before"), "{told}");
    target.ends();
}

/// Where the allocator's code can't be told from the program's.
#[test]
fn linked_into_the_program() {
    let program = compiled("trim_linked");
    let target = Target::of(&mut Command::new(program), "ready");
    refused(target.pid(), &["jemalloc", "linked into the program", "call mallctl"]);
}

/// Where one looks first, too.
#[test]
fn what_one_of_many_would_give_back_is_told() {
    let Some(library) = library("libjemalloc.so.2") else { return };
    let mut command = command(&library, "keeps", &["free", "1"]);
    command.env("MALLOC_CONF", "dirty_decay_ms:-1");
    let target = Target::of(&mut command, "ready");
    // Of the five largest; other tests have some.
    let finding = until("it is told", || {
        let all = processes(&["inspect", "--comm", "brkhole-trim_ke"]);
        let own = all.as_array()?.iter().find(|process| process["pid"] == target.pid())?;
        let mut findings = own["findings"].as_array()?.iter();
        findings.find(|finding| finding["kind"] == "memory-returnable").cloned()
    });
    assert_eq!(finding["evidence"]["owner"], "jemalloc", "{finding}");
    assert!(finding["evidence"]["returnable_bytes"].as_u64() > Some(60 * MIB), "{finding}");
    target.ends();
}

/// glibc's own for debugging, which isn't known here, has the memory then.
#[test]
fn an_unknown_one_in_front_of_glibcs_is_not_taken_for_it() {
    let Some(library) = library("libc_malloc_debug.so.0") else { return };
    let mut command = command(&library, "keeps", &["free", "1"]);
    let target = Target::of(command.env("MALLOC_CHECK_", "3"), "ready");
    let found = processes(&["inspect", &target.pid().to_string()]);
    assert!(found[0]["allocator"].is_null() && found[0]["malloc"].is_null(), "{found}");
    let others = found[0]["other_allocators"].as_array().unwrap();
    assert!(others[0].as_str().unwrap().starts_with("glibc 2."), "{others:?}");
    assert_eq!(found[0]["libc"], others[0]);
    target.ends();
}
