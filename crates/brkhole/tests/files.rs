//! Files that are read again and again: memory each time, time each time, or neither; and what is
//! advised.

use std::path::Path;
use std::process::Command;

use crate::common::{brkhole, compiled, compiled_with, installed, json, kinds, output, skipped};
use serde_json::Value;

const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

fn is_there(file: &str) -> bool {
    let is_there = Path::new(file).exists();
    if !is_there {
        skipped(format_args!("{file} is not there"));
    }
    is_there
}

fn finding<'a>(report: &'a Value, kind: &str) -> &'a Value {
    let findings = report["findings"].as_array().unwrap();
    let found = findings.iter().find(|found| found["kind"] == kind);
    found.unwrap_or_else(|| panic!("no {kind}: {findings:#?}"))
}

fn remedy<'a>(report: &'a Value, kind: &str) -> &'a str {
    finding(report, kind)["remedy"].as_str().unwrap()
}

/// Has a log explained.
fn explained(log: &str) -> Value {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), log).unwrap();
    json(&["explain", file.path().to_str().unwrap()])
}

#[test]
fn loads_into_one_context_cost_time_not_memory() {
    if !is_there(BUNDLE) || !is_there("/usr/include/openssl/ssl.h") {
        return;
    }
    let libraries = ["-O1", "-Wl,--no-as-needed", "-lssl", "-lcrypto"];
    let program = compiled_with("one_context", &libraries);
    let report = json(&["trace", "--", program.to_str().unwrap(), BUNDLE, "40"]);
    assert!(!kinds(&report).contains(&"repeated-file"), "{report:#}");
    let evidence = &finding(&report, "repeated-reading")["evidence"];
    assert_eq!(evidence["path"], BUNDLE);
    assert_eq!(evidence["openings"], 40);
    let size = std::fs::metadata(BUNDLE).unwrap().len();
    assert_eq!(evidence["bytes"], 40 * size);
    assert!(evidence["openings_grown"].as_u64().unwrap() < 20);
    assert!(evidence["seconds"].as_f64().unwrap() > 0.0);
    let remedy = remedy(&report, "repeated-reading");
    assert!(remedy.contains("preload libtrusted_ca_preload.so"), "{remedy}");
    assert!(!remedy.contains("one context and share"), "it has one: {remedy}");
    assert!(remedy.contains("package libtrusted-ca-preload of https://"), "{remedy}");
    assert!(!remedy.contains("nginx"), "{remedy}");
    let file = &report["growth"]["by_file"][0];
    assert_eq!((&file["path"], &file["median_bytes"]), (&BUNDLE.into(), &0.into()));
}

#[test]
fn a_library_that_is_loaded_already_is_not_advised() {
    if !is_there(BUNDLE) || !is_there("/usr/include/openssl/ssl.h") {
        return;
    }
    let libraries = ["-O1", "-Wl,--no-as-needed", "-lssl", "-lcrypto"];
    let program = compiled_with("one_context", &libraries);
    // LD_PRELOAD is a list that spaces part (ld.so(8)), and TMPDIR may have one.
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    let library = directory.path().join("libtrusted_ca_preload.so");
    let empty =
        Command::new("cc").args(["-shared", "-x", "c", "/dev/null", "-o"]).arg(&library).status();
    assert!(empty.unwrap().success());
    let report = tempfile::NamedTempFile::new().unwrap();
    let path = report.path().to_str().unwrap();
    let env = format!("LD_PRELOAD={}", library.display());
    let words = ["trace", "--format", "json", "-o", path, "--", "env", &env];
    let status = brkhole(&words).arg(&program).args([BUNDLE, "40"]).status();
    assert!(status.unwrap().success());
    let report = serde_json::from_slice(&std::fs::read(report.path()).unwrap()).unwrap();
    let remedy = remedy(&report, "repeated-reading");
    assert!(remedy.contains("is loaded and has nothing to share"), "{remedy}");
    assert!(!remedy.contains("preload libtrusted"), "{remedy}");
}

#[test]
fn what_python_reads_itself_and_hands_over_as_text() {
    const PYTHON: &str = "/usr/bin/python3";
    if !installed(PYTHON) || !is_there(BUNDLE) {
        return;
    }
    let script = format!(
        "import os, ssl\nkeep = []\nfor _ in range(20):\n    text = open('{BUNDLE}').read()\n    \
         context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)\n    \
         context.load_verify_locations(cadata=text)\n    keep.append((context, text))\nos._exit(0)"
    );
    for stacks in [false, true] {
        let mut words = vec!["trace"];
        words.extend(stacks.then_some("--stacks"));
        words.extend(["--", PYTHON, "-c", &script]);
        let report = json(&words);
        for kind in ["repeated-file", "repeated-reading"] {
            let findings = report["findings"].as_array().unwrap();
            let Some(found) = findings.iter().find(|found| found["kind"] == kind) else {
                continue;
            };
            let remedy = found["remedy"].as_str().unwrap();
            assert!(!remedy.contains("nginx"), "{remedy}");
            let hedge = match stacks {
                true => "has nothing to share",
                false => "If the program loads it by its name with a shared OpenSSL",
            };
            assert!(remedy.contains(hedge), "{remedy}");
        }
    }
}

#[test]
fn memory_beside_a_small_file_is_not_its() {
    let program = compiled("beside_a_file").display().to_string();
    let report = json(&["trace", "--", &program, "/etc/hostname"]);
    let repeated = ["repeated-file", "repeated-reading"];
    assert!(!kinds(&report).iter().any(|kind| repeated.contains(kind)), "{report:#}");
    let files = report["growth"]["by_file"].as_array().unwrap();
    let hostname = files.iter().find(|file| file["path"] == "/etc/hostname").unwrap();
    assert_eq!(hostname["opens"], 200);
    assert_eq!(hostname["bytes"], 0);
    let size = std::fs::metadata("/etc/hostname").unwrap().len();
    assert_eq!(hostname["read_bytes"], 200 * size.min(64));
    assert!(report["growth"]["without_file_bytes"].as_i64().unwrap() > 18_000_000);
}

#[test]
fn an_emulator_that_keeps_its_image_open() {
    let report = explained(
        "execve(\"/bin/vm\", [\"vm\"], 0x7ffd /* 20 vars */) = 0\n\
         openat(AT_FDCWD, \"disk.img\", O_RDONLY) = 3\n\
         close(3) = 0\n\
         openat(AT_FDCWD, \"disk.img\", O_RDONLY) = 3\n\
         close(3) = 0\n\
         openat(AT_FDCWD, \"disk.img\", O_RDONLY) = 3\n\
         mmap(NULL, 1073741824, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_NORESERVE, \
         -1, 0) = 0x7f5c927c3000\n\
         exit_group(0) = ?\n\
         +++ exited with 0 +++\n",
    );
    assert_eq!(kinds(&report), ["grew-by-large-blocks"]);
    assert_eq!(report["growth"]["by_file"][0]["bytes"], 0);
    let kept = &report["growth"]["most_kept_open"];
    assert_eq!((&kept["path"], &kept["bytes"]), (&"disk.img".into(), &(1 << 30).into()));
}

#[test]
fn a_bundle_in_a_log_without_times_is_told_all_the_same() {
    let reading = format!("openat(AT_FDCWD, \"{BUNDLE}\", O_RDONLY) = 3\nclose(3) = 0\n");
    let loader = |library: &str| {
        format!(
            "execve(\"/bin/x\", [\"x\"], 0x7ffd /* 20 vars */) = 0\n\
             openat(AT_FDCWD, \"/lib/libc.so.6\", O_RDONLY|O_CLOEXEC) = 3\nclose(3) = 0\n\
             openat(AT_FDCWD, \"/lib/{library}\", O_RDONLY|O_CLOEXEC) = 3\nclose(3) = 0\n"
        )
    };
    for (library, wanted) in [
        ("libssl.so.3", "If the program loads it by its name with a shared OpenSSL"),
        ("libgnutls.so.30", "Its TLS library is libgnutls.so.30"),
        ("libssl.so.1.0.2", "Its TLS library is libssl.so.1.0.2"),
        ("libz.so.1", "load no shared OpenSSL"),
    ] {
        let report = explained(&(loader(library) + &reading.repeat(30)));
        assert_eq!(kinds(&report), ["repeated-reading"], "{library}");
        let evidence = &report["findings"][0]["evidence"];
        assert_eq!(evidence["openings"], 30);
        assert!(evidence["seconds"].is_null() && evidence["bytes"].is_null());
        let remedy = remedy(&report, "repeated-reading");
        assert!(remedy.contains(wanted), "{library}: {remedy}");
        assert!(!remedy.contains("nginx"), "{remedy}");
    }
}

/// Advice for nginx is nginx's: other programs read its configuration, too.
#[test]
fn who_reads_nginx_s_configuration_is_not_always_nginx() {
    let reading =
        format!("openat(AT_FDCWD, \"{BUNDLE}\", O_RDONLY) = 3\nclose(3) = 0\n").repeat(30);
    let opened = |path: &str| format!("openat(AT_FDCWD, \"{path}\", O_RDONLY) = 3\nclose(3) = 0\n");
    for (module, is_nginx) in [
        ("/usr/lib/nginx/modules/ngx_http_lua_module.so", true),
        ("/lib/libpcre2-8.so.0", true),
        ("/usr/lib/python3.11/lib-dynload/_ssl.cpython-311-x86_64-linux-gnu.so", false),
        ("/usr/lib/perl5/auto/Net/SSLeay/SSLeay.so", false),
    ] {
        let files = ["/lib/libc.so.6", "/lib/libssl.so.3", module, "/etc/nginx/nginx.conf"];
        let begun = "execve(\"/bin/x\", [\"x\"], 0x7ffd /* 20 vars */) = 0\n".to_owned();
        let report = explained(&(begun + &files.map(opened).concat() + &reading));
        let remedy = remedy(&report, "repeated-reading");
        assert_eq!(remedy.contains("nginx"), is_nginx, "{module}: {remedy}");
    }
}

#[test]
fn a_heap_that_shrinks_below_where_the_log_begins() {
    let log = "1230 14:51:19 brk(0x91a000) = 0x91a000\n\
               1230 14:51:23 brk(0x919000) = 0x919000\n\
               1230 14:51:29 brk(0x912000) = 0x912000\n";
    let report = explained(log);
    assert_eq!(report["growth"]["by_kind"]["earlier"], -32 * 1024);
    assert_eq!(report["growth"]["returned_bytes"], 32 * 1024);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), log).unwrap();
    let table = output(&["explain", file.path().to_str().unwrap()]).stdout;
    let table = String::from_utf8(table).unwrap();
    let mut lines = table.lines();
    let before = lines.find(|line| line.contains("there before"));
    assert!(before.is_some_and(|line| line.contains("−32.0 KiB")), "{table}");
}

#[test]
fn a_break_below_its_first_value() {
    let report = explained(
        "brk(NULL) = 0x555500000000\n\
         brk(0x555500200000) = 0x555500200000\n\
         brk(0x555500021000) = 0x555500000000\n",
    );
    assert_eq!(report["growth"]["bytes"], 0);
    assert_eq!(report["growth"]["peak_bytes"], 2 << 20);
}

#[test]
fn whose_large_mappings_they_are() {
    let grow = compiled("grow").display().to_string();
    let message = |words: &[&str]| {
        let report = tempfile::NamedTempFile::new().unwrap();
        let path = report.path().to_str().unwrap();
        let mut all = vec!["trace", "--format", "json", "-o", path, "--"];
        all.extend(words);
        assert!(output(&all).status.success());
        let report = serde_json::from_slice(&std::fs::read(report.path()).unwrap()).unwrap();
        let found = finding(&report, "grew-by-large-blocks");
        let message = found["message"].as_str().unwrap().to_owned();
        assert!(!message.contains("goes back"), "{message}");
        message
    };
    let tunable = "GLIBC_TUNABLES=glibc.malloc.hugetlb=2";
    for words in [&["env", tunable, &grow][..], &[&grow, "filtered", &grow]] {
        let message = message(words);
        assert!(message.contains("they are glibc's own heap"), "{message}");
    }
    let mapped = compiled("mapped").display().to_string();
    let message = message(&[&mapped]);
    assert!(message.contains("has not used malloc"), "{message}");
}
