//! Paths of a target's that lead elsewhere by now.

use std::os::unix::fs::MetadataExt;
use std::process::{Command, Output};

use serde_json::Value;

use crate::common::{compiled, skipped};
use suite::answering::Answering;

/// Looks into a process by way of `before`; two minutes are a thousand times what it takes.
fn inspected(before: &[&str], pid: i32) -> Output {
    let mut command = Command::new("timeout");
    command.arg("120").args(before);
    command.arg(env!("CARGO_BIN_EXE_brkhole"));
    let arguments = ["inspect", "--format", "json", &pid.to_string()];
    command.args(arguments).output().unwrap()
}

/// Opened, it would be waited at for a writer for ever.
#[test]
fn a_fifo_in_the_place_of_a_mapped_file_is_not_opened() {
    const AS_THE_UNIT: [&str; 2] = ["setpriv", "--bounding-set=-all,+sys_ptrace,+dac_read_search"];
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    // glibc's file is asked for its version, musl's (libc.so) for the allocators in it.
    for name in ["libc.so.6", "libc.so"] {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(compiled("behind_fifo"));
        let mut target = Answering::start(command.arg(directory.path().join(name)));
        assert_eq!(target.hear(), "ready");
        let mut ways: Vec<&[&str]> = vec![&[]];
        match is_root {
            true => ways.push(&AS_THE_UNIT),
            false => skipped("only root has capabilities to drop"),
        }
        for way in ways {
            let done = inspected(way, target.pid());
            assert_eq!(done.status.code(), Some(0), "{name} {way:?}: {done:?}");
            let report: Value = serde_json::from_slice(&done.stdout).unwrap();
            assert_eq!(report["processes"][0]["pid"], target.pid(), "{report}");
        }
    }
}
