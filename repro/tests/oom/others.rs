//! Other cgroups are as they were.

use crate::oom::harness::{Running, permitted, results};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What somebody may have set, and who is in it.
const SETTINGS: [&str; 9] = [
    "cgroup.subtree_control",
    "memory.limit_in_bytes",
    "memory.memsw.limit_in_bytes",
    "memory.swappiness",
    "memory.use_hierarchy",
    "memory.max",
    "memory.high",
    "memory.swap.max",
    "memory.oom.group",
];

fn settings(groups: &[PathBuf]) -> BTreeMap<PathBuf, String> {
    let files = groups.iter().flat_map(|group| SETTINGS.map(|name| group.join(name)));
    files.filter_map(|path| Some((path.clone(), fs::read_to_string(path).ok()?))).collect()
}

/// A cgroup and those above it.
fn up(group: &Path) -> Vec<PathBuf> {
    let all = group.ancestors();
    all.take_while(|path| path.starts_with("/sys/fs/cgroup")).map(Path::to_owned).collect()
}

#[test]
fn no_setting_of_a_cgroup_above_is_changed_and_nobody_is_moved() {
    if !permitted() {
        return;
    }
    let running = Running::start(&["--budget", "256MiB", "--repeats", "1"]);
    let (group, child) = running.at_work(16 << 20);
    let place = group.parent().unwrap();
    let above = up(place);
    let before = settings(&above);
    assert!(!before.is_empty());
    let in_it = fs::read_to_string(group.join("cgroup.procs")).unwrap();
    assert_eq!(in_it, format!("{child}\n"), "nobody but the child");
    let own = |pid: i32| fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    assert_eq!(own(running.pid()), own(std::process::id() as i32));
    let keeper = running.started().into_iter().find(|pid| *pid != child);
    assert_eq!(own(keeper.unwrap()), own(std::process::id() as i32));
    drop(running);

    results(&["--budget", "16MiB", "--locations", "1", "--repeats", "1"]);
    assert_eq!(settings(&above), before);
}
