//! Processes that share their memory with each other since a fork, as the workers of a server do.

use std::process::Command;

use super::target::undisturbed;
use crate::common::{compiled, output, processes};
use proc_memory::{Process, Status};
use suite::answering::Answering;

/// What all of them hold together.
fn proportional_bytes(pids: &[&str]) -> u64 {
    let of = |pid: &&str| {
        let process = Process::open(pid.parse().unwrap()).unwrap();
        Status::parse(process.whole("smaps_rollup").unwrap()).bytes("Pss").unwrap()
    };
    pids.iter().map(of).sum()
}

#[test]
fn looking_at_them_leaves_them_what_they_share() {
    let mut command = Command::new(compiled("prefork"));
    let mut program = Answering::start(undisturbed(&mut command));
    let said = program.hear();
    let pids: Vec<&str> = said.split(' ').collect();
    assert_eq!(pids.len(), 4);
    let before = proportional_bytes(&pids);
    // Its 60,000 blocks of 500 bytes, once and not four times.
    assert!((30_000_000..60_000_000).contains(&before), "{before}: they share");
    let all = processes(&[&["inspect"], &pids[..]].concat());
    let free = |one: &serde_json::Value| one["malloc"]["free_bytes"].as_u64();
    assert!(all.as_array().unwrap().iter().all(|one| free(one) > Some(20 << 20)), "{all}");
    for pid in &pids {
        // Of what it could give back, the machine would get next to nothing.
        let said = "once each has given them back";
        let one = processes(&["inspect", pid]);
        let found = one[0]["findings"].as_array().unwrap().iter();
        let message = found.filter_map(|finding| finding["message"].as_str()).next().unwrap();
        assert!(message.contains(said), "{message}");
        let dry = output(&["trim", "--dry-run", pid]);
        let told = String::from_utf8_lossy(&dry.stdout).replace("\n  ", " ");
        assert!(dry.status.success() && told.contains(said), "{told}");
    }
    let after = proportional_bytes(&pids);
    assert!(after < before + (2 << 20), "{before} {after}");
}
