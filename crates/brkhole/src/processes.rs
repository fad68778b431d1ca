//! The processes that are visible, what `/proc` has of them, and how they are told.
//!
//! # References
//! cgroups(7), “/proc files”; systemd's `src/basic/cgroup-util.c` (`cg_path_decode_unit`)

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;

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
    let mut cgroups = text.lines().filter_map(|line| {
        let (_, line) = line.split_once(':')?;
        line.split_once(':')
    });
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
