//! The same cases under valgrind, which sees what counting cannot: leaks in C's stdio, reads of
//! freed memory, uninitialised bytes.

use std::fs;
use std::process::{Command, Output};

use crate::common::skip;
use fuzz_bundles::cases;
use trusted_ca::SslContext;

/// What valgrind exits with when it has something to report.
const FOUND_SOMETHING: i32 = 97;

/// The body of the check; slow tests of other binaries are not repeated here.
#[test]
#[ignore = "run by nothing_leaks, under valgrind"]
fn every_case_in_every_way() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let file = dir.path().join("bundle.pem");
    for case in cases::all() {
        fs::write(&file, &case.bytes).expect("written");
        crate::common::assert_readers_agree(case.name, &file);
        crate::common::by_cycle(&file);
        crate::common::by_cache(&file);
    }
    crate::common::by_cache(&crate::common::data_path("alpha.pem"));
    for path in [dir.path(), dir.path().join("missing.pem").as_path()] {
        crate::common::assert_readers_agree("no file", path);
        crate::common::by_cycle(path);
    }
}

#[test]
#[ignore = "run by a_leak_would_be_found, under valgrind"]
fn leak_a_context() {
    std::mem::forget(SslContext::new().expect("a context"));
}

/// Runs one test of this binary under valgrind; `None` and a word on stderr if there is none.
fn under_valgrind(for_test: &str, test: &str) -> Option<Output> {
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--quiet", "--leak-check=full", "--num-callers=30"])
        .arg("--errors-for-leak-kinds=definite,indirect")
        .arg("--show-leak-kinds=definite,indirect")
        .arg(format!("--error-exitcode={FOUND_SOMETHING}"))
        .arg(std::env::current_exe().expect("this test"))
        .args(["--ignored", "--exact", &format!("leaks_valgrind::{test}"), "--test-threads=1"]);
    match valgrind.output() {
        Ok(output) => Some(output),
        Err(error) => {
            skip(
                for_test,
                &format!("valgrind cannot be run ({error}); `apt-get install valgrind`"),
            );
            None
        }
    }
}

#[test]
fn nothing_leaks() {
    let Some(output) = under_valgrind("nothing_leaks", "every_case_in_every_way") else {
        return;
    };
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{stdout}\n{stderr}", output.status);
    assert!(stdout.contains("1 passed"), "{stdout}");
}

#[test]
fn a_leak_would_be_found() {
    let Some(output) = under_valgrind("a_leak_would_be_found", "leak_a_context") else {
        return;
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(FOUND_SOMETHING), "{stderr}");
    assert!(stderr.contains("definitely lost"), "{stderr}");
}
