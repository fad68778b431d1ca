//! What each way of watching costs, in a machine that counts instructions: `cargo xtask kernels --cost`.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use memory_trace::{Launch, Stream, Target, Via};

use super::harness::{Subject, attach, ways};
use crate::compiled;

fn reads() -> PathBuf {
    compiled("attach/reads.c", "attach-reads", &["-O1"])
}

/// Past the test runner, one way a line.
fn told(way: &str, said: &str) {
    suite::remarked(format_args!("cost of {way}: {}", said.trim()));
}

/// While the other one is watched, or nobody.
fn running(watched: bool, via: Option<Via>) -> String {
    let mut work = Subject::of(reads(), &[]);
    let other = Subject::new(&["calls"]);
    let pid = if watched { work.pid() } else { other.pid() };
    let watching = via.map(|via| attach(pid, via));
    work.go();
    let said = work.hear();
    drop(watching);
    work.go();
    work.wait();
    said
}

#[test]
#[ignore = "measures, which is of use where instructions are counted"]
fn of_each_way() {
    told("nothing", &running(true, None));
    for &via in ways() {
        let way = format!("{via:?}").to_lowercase();
        told(&way, &running(true, Some(via)));
        if via != Via::Ptrace {
            told(&format!("{way}-bystander"), &running(false, Some(via)));
        }
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    let output = Stream::Fd(Arc::new(OwnedFd::from(file.reopen().unwrap())));
    let target = Target::new(reads()).stdin(Stream::Null).stdout(output);
    Launch::start(&target, ()).unwrap().wait().unwrap();
    let said = std::fs::read_to_string(file.path()).unwrap();
    told("launch", said.lines().nth(1).unwrap());
}
