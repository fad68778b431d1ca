//! When even the keeper is killed, the next run removes what is left, and nothing else.

use crate::oom::harness::{Running, permitted, send, until};
use std::fs;
use std::path::PathBuf;

#[test]
fn an_empty_cgroup_of_a_dead_maker_is_removed_by_the_next_run() {
    if !permitted() {
        return;
    }
    let mut dead = Running::start(&["--budget", "256MiB", "--repeats", "1"]);
    let (group, child) = dead.at_work(32 << 20);
    let place = group.parent().unwrap().to_owned();
    let keepers: Vec<i32> = dead.started().into_iter().filter(|pid| *pid != child).collect();
    assert_eq!(keepers.len(), 1, "one keeper");
    send(keepers[0], libc::SIGKILL);
    dead.signal(libc::SIGKILL);
    dead.output();
    until("the child has died with its parent", || dead.started().is_empty().then_some(()));
    // Another test's run may have removed it by now, since it looks for such as well.

    // Somebody else's, and one whose maker, this test, lives.
    let alive = Made::at(place.join(this_name()));
    let foreign = Made::at(place.join(format!("somebody-elses-{}", std::process::id())));
    let mut next = Running::start(&["--budget", "16MiB", "--locations", "1", "--repeats", "1"]);
    assert!(next.output().status.success());
    assert!(!group.exists(), "{}", group.display());
    assert!(alive.0.exists() && foreign.0.exists());
}

/// A name as this test would give it if it were the program.
fn this_name() -> String {
    use std::os::unix::fs::MetadataExt;
    let namespace = fs::metadata("/proc/self/ns/pid").unwrap().ino();
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let started = fields.split_whitespace().nth(19).unwrap();
    format!("brkhole-oom-{namespace}-{}-{started}-1", std::process::id())
}

/// A cgroup that goes with this value.
struct Made(PathBuf);

impl Made {
    fn at(path: PathBuf) -> Self {
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
