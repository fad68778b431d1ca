//! What each way of watching costs, in a machine that counts instructions: `cargo xtask kernels --cost`.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use memory_trace::{AttachOptions, Launch, Stream, Target, Via};

use super::harness::{Subject, ways};
use crate::compiled;

fn reads() -> PathBuf {
    compiled("attach/reads.c", "attach-reads", &["-O1"])
}

/// Past the test runner, one way a line.
fn told(way: &str, said: &str) {
    suite::remarked(format_args!("cost of {way}: {}", said.trim()));
}

/// While it is watched, or the other one, or nobody; and how long it took to let go of it, in nanoseconds.
fn running(watched: bool, how: Option<AttachOptions>) -> (String, u128) {
    let mut work = Subject::of(reads(), &[]);
    let other = Subject::new(&["calls"]);
    let pid = if watched { work.pid() } else { other.pid() };
    let watching = how.map(|how| how.start(&[pid], ()).unwrap());
    work.go();
    let said = work.hear();
    let watched = watching.map(|watching| {
        watching.stop();
        watching.wait().unwrap()
    });
    let began = Instant::now();
    drop(watched);
    let detached = began.elapsed().as_nanos();
    work.go();
    work.wait();
    (said, detached)
}

#[test]
#[ignore = "measures, which is of use where instructions are counted"]
fn of_each_way() {
    for &via in ways() {
        let way = format!("{via:?}").to_lowercase();
        let how = || AttachOptions::new().via(via);
        let (said, detached) = running(true, Some(how()));
        told(&way, &said);
        if via == Via::Ptrace {
            continue;
        }
        told(&format!("{way}-detach"), &detached.to_string());
        told(&format!("{way}-bystander"), &running(false, Some(how())).0);
        for kibibytes in [4, 16] {
            let how = how().stack_bytes(kibibytes << 10).at_growth(|_, _| None);
            told(&format!("{way}-stacks-{kibibytes}"), &running(true, Some(how)).0);
        }
    }
    // Not at first: the machine has only begun, and is still at work.
    told("nothing", &running(true, None).0);
    let file = tempfile::NamedTempFile::new().unwrap();
    let output = Stream::Fd(Arc::new(OwnedFd::from(file.reopen().unwrap())));
    let target = Target::new(reads()).stdin(Stream::Null).stdout(output);
    Launch::start(&target, ()).unwrap().wait().unwrap();
    let said = std::fs::read_to_string(file.path()).unwrap();
    told("launch", said.lines().nth(1).unwrap());
}
