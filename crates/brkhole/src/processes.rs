//! The processes that are visible, what `/proc` has of them, and how they are told.
//!
//! # References
//! cgroups(7), “/proc files”; systemd's `src/basic/cgroup-util.c` (`cg_path_decode_unit`)

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// Of several that match, so many are told.
const MOST_TOLD: usize = 10;

/// What a process calls itself: its arguments, unless it has put something else in their place.
pub(crate) fn command_line(pid: i32) -> Option<Vec<OsString>> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words = line.split(|byte| *byte == 0);
    let words = words.filter(|word| !word.is_empty()).map(|word| OsString::from_vec(word.to_vec()));
    let words: Vec<_> = words.collect();
    (!words.is_empty()).then_some(words)
}

/// What `/proc` has of a process in this file; nothing, once it has ended.
pub(crate) fn of_process(pid: i32, file: &str) -> Vec<u8> {
    fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default()
}

/// `PID 12`, `PIDs 12, 13`.
pub(crate) fn listed(pids: &[i32]) -> String {
    let plural = if pids.len() == 1 { "" } else { "s" };
    format!("PID{plural} {}", numbers(pids))
}

/// `process 12`, `2 processes (12, 13)`.
pub(crate) fn counted(pids: &[i32]) -> String {
    match pids {
        [pid] => format!("process {pid}"),
        pids => format!("{} processes ({})", pids.len(), numbers(pids)),
    }
}

fn numbers(pids: &[i32]) -> String {
    let told: Vec<_> = pids.iter().take(MOST_TOLD).map(i32::to_string).collect();
    let more = if pids.len() > MOST_TOLD { ", …" } else { "" };
    told.join(", ") + more
}

/// Whether a process whose `/proc/PID/cgroup` this is belongs to `wanted`, a unit's name or (with a
/// slash) a cgroup's path, or to something below it. The file tells that of every process and to
/// everybody, whichever hierarchies are mounted and wherever.
pub(crate) fn belongs_to_cgroup(text: &str, wanted: &str) -> bool {
    let mut cgroups = cgroups(text);
    if wanted.contains('/') {
        let wanted = wanted.strip_prefix("/sys/fs/cgroup").unwrap_or(wanted);
        let wanted = wanted.trim_matches('/');
        return cgroups.any(|(hierarchy, path)| {
            let path = path.trim_start_matches('/');
            let mut mounts = std::iter::once(hierarchy).chain(hierarchy.split(','));
            is_below(path, wanted)
                || mounts.any(|name| is_below(&format!("{}/{path}", mount(name)), wanted))
        });
    }
    cgroups
        .filter(|(hierarchy, _)| ["", "name=systemd"].contains(hierarchy))
        .any(|(_, path)| path.split('/').any(|part| is_unit(part, wanted)))
}

/// Each hierarchy of a `/proc/PID/cgroup` and the cgroup there.
fn cgroups(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'))
}

/// The directory of the one cgroup of version 2 by which all these processes belong to `wanted`, as
/// [`belongs_to_cgroup`] has it; or why there is none.
pub(crate) fn unified_cgroup(pids: &[i32], wanted: &str) -> Result<PathBuf, String> {
    let root = unified_root().ok_or("cgroups of version 2 aren't mounted at /sys/fs/cgroup")?;
    let mut found = BTreeSet::new();
    for &pid in pids {
        let text = of_process(pid, "cgroup");
        match unified_path(&String::from_utf8_lossy(&text), wanted) {
            Some(path) => found.insert(root.join(path)),
            // One that has ended is nowhere.
            None if text.is_empty() => false,
            None => return Err(format!("process {pid} isn't there by a cgroup of version 2")),
        };
    }
    match (found.pop_first(), found.len()) {
        (Some(directory), 0) => Ok(directory),
        (Some(directory), more) => Err(format!(
            "it stands for {} cgroups, of which {} is one: give one by its path",
            more + 1,
            directory.display()
        )),
        (None, _) => Err("all have ended".to_owned()),
    }
}

/// The same of one process, below where version 2 is mounted.
fn unified_path(text: &str, wanted: &str) -> Option<String> {
    let path = text.lines().find_map(|line| line.strip_prefix("0::"))?.trim_start_matches('/');
    let path = Some(path).filter(|path| is_within(path))?;
    if wanted.contains('/') {
        let wanted = wanted.strip_prefix("/sys/fs/cgroup").unwrap_or(wanted).trim_matches('/');
        let below = wanted.strip_prefix("unified").map(|below| below.trim_start_matches('/'));
        let mut names = [Some(wanted), below].into_iter().flatten();
        return names.find(|name| is_below(path, name)).map(str::to_owned);
    }
    let parts: Vec<_> = path.split('/').collect();
    let unit = parts.iter().position(|part| is_unit(part, wanted))?;
    Some(parts[..=unit].join("/"))
}

/// Where cgroups of version 2 are mounted.
fn unified_root() -> Option<&'static Path> {
    let roots = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].map(Path::new);
    roots.into_iter().find(|root| root.join("cgroup.controllers").exists())
}

/// Whether a cgroup lies below what is mounted here. One outside of this process's cgroup namespace has
/// `..` in its path, which would lead out of the mount, to whatever somebody has put there.
///
/// # References
/// cgroup_namespaces(7)
fn is_within(path: &str) -> bool {
    !path.split('/').any(|part| part == "..")
}

/// Whether a process stands still by the freezer of its cgroup, of either version; `false` also
/// where its cgroup can't be seen from here.
///
/// # References
/// Linux `Documentation/admin-guide/cgroup-v2.rst`, `cgroup.events`, and
/// `cgroup-v1/freezer-subsystem.rst`
pub(crate) fn is_frozen(pid: i32) -> bool {
    let text = of_process(pid, "cgroup");
    let text = String::from_utf8_lossy(&text);
    cgroups(&text).any(|(hierarchy, path)| {
        let old_root = || Some(Path::new("/sys/fs/cgroup").join(mount(hierarchy)));
        let (root, file, frozen) = match hierarchy {
            "" => (unified_root().map(Path::to_path_buf), "cgroup.events", "frozen 1"),
            old if old.split(',').any(|name| name == "freezer") => {
                (old_root(), "freezer.state", "FROZEN")
            }
            _ => return false,
        };
        let root = root.filter(|_| is_within(path));
        let file = root.map(|root| root.join(path.trim_start_matches('/')).join(file));
        let state = file.and_then(|file| fs::read_to_string(file).ok());
        state.is_some_and(|state| state.lines().any(|line| line == frozen))
    })
}

/// Below `/sys/fs/cgroup`, where version 2 doesn't lie there itself.
fn mount(hierarchy: &str) -> &str {
    match hierarchy {
        "" => "unified",
        other => other.strip_prefix("name=").unwrap_or(other),
    }
}

fn is_below(path: &str, wanted: &str) -> bool {
    let rest = path.strip_prefix(wanted);
    wanted.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// As with systemctl, a service may be named without its suffix.
fn is_unit(part: &str, wanted: &str) -> bool {
    // What could be taken for a file of the kernel's begins with another underscore.
    let part = part.strip_prefix('_').unwrap_or(part);
    !wanted.is_empty() && part == wanted || part.strip_suffix(".service") == Some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(counted(&[12]), "process 12");
        assert_eq!(counted(&[12, 13]), "2 processes (12, 13)");
        assert_eq!(listed(&[12]), "PID 12");
        assert_eq!(listed(&[12, 13]), "PIDs 12, 13");
        assert!(listed(&[1; MOST_TOLD + 1]).ends_with("1, …"));
    }

    const UNIFIED: &str = "0::/system.slice/nginx.service\n";
    const HYBRID: &str = "12:memory:/docker/abc\n3:cpu,cpuacct:/system.slice/nginx.service\n\
        1:name=systemd:/system.slice/nginx.service/worker\n0::/\n";

    #[test]
    fn units() {
        for text in [UNIFIED, HYBRID] {
            for unit in ["nginx.service", "nginx", "system.slice"] {
                assert!(belongs_to_cgroup(text, unit), "{unit}");
            }
            for unit in ["ngin", "system", "docker", "abc", "nginx.socket", ""] {
                assert!(!belongs_to_cgroup(text, unit), "{unit}");
            }
        }
        assert!(belongs_to_cgroup("0::/system.slice/_cpu.service\n", "cpu.service"));
        let below = "0::/system.slice/nginx.service/worker\n";
        let unit = Some("system.slice/nginx.service".to_owned());
        for wanted in [
            "nginx",
            "/system.slice/nginx.service",
            "/sys/fs/cgroup/unified/system.slice/nginx.service/",
        ] {
            assert_eq!(unified_path(below, wanted), unit);
        }
        assert_eq!(unified_path(HYBRID, "nginx"), None, "there, it is of version 1");
        assert_eq!(unified_path(below, "/sys/fs/cgroup/memory/nginx.service"), None);
        assert_eq!(unified_path(below, "/"), Some(String::new()));
        let outside = "0::/../../tmp/nginx.service\n";
        assert_eq!(unified_path(outside, "nginx"), None, "outside of this cgroup namespace");
    }

    #[test]
    fn cgroups() {
        for (text, path) in [
            (UNIFIED, "/sys/fs/cgroup/system.slice/nginx.service"),
            (UNIFIED, "/sys/fs/cgroup/unified/system.slice"),
            (UNIFIED, "/system.slice/nginx.service/"),
            (UNIFIED, "system.slice/nginx.service"),
            (UNIFIED, "/"),
            (HYBRID, "/sys/fs/cgroup/memory/docker"),
            (HYBRID, "/sys/fs/cgroup/cpuacct/system.slice/nginx.service"),
            (HYBRID, "/sys/fs/cgroup/cpu,cpuacct/system.slice"),
            (HYBRID, "/sys/fs/cgroup/systemd/system.slice/nginx.service/worker"),
        ] {
            assert!(belongs_to_cgroup(text, path), "{path}");
        }
        for path in ["/system.slice/nginx", "/nginx.service", "/sys/fs/cgroup/memory/ab"] {
            assert!(
                !belongs_to_cgroup(UNIFIED, path) && !belongs_to_cgroup(HYBRID, path),
                "{path}"
            );
        }
    }
}
