//! Where a process belongs: its cgroups, for which systemd's units are named.
//!
//! `/proc/PID/cgroup` tells it of every process and to everybody, whichever hierarchies are mounted
//! and wherever.
//!
//! # References
//! cgroups(7), “/proc files”; systemd's `src/basic/cgroup-util.c` (`cg_path_decode_unit`)

/// Whether a process whose `/proc/PID/cgroup` this is belongs to `wanted`, a unit's name or (with a
/// slash) a cgroup's path, or to something below it.
pub(crate) fn belongs(text: &str, wanted: &str) -> bool {
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

    const UNIFIED: &str = "0::/system.slice/nginx.service\n";
    const HYBRID: &str = "12:memory:/docker/abc\n3:cpu,cpuacct:/system.slice/nginx.service\n\
        1:name=systemd:/system.slice/nginx.service/worker\n0::/\n";

    #[test]
    fn units() {
        for text in [UNIFIED, HYBRID] {
            for unit in ["nginx.service", "nginx", "system.slice"] {
                assert!(belongs(text, unit), "{unit}");
            }
            for unit in ["ngin", "system", "docker", "abc", "nginx.socket", ""] {
                assert!(!belongs(text, unit), "{unit}");
            }
        }
        assert!(belongs("0::/system.slice/_cpu.service\n", "cpu.service"));
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
            assert!(belongs(text, path), "{path}");
        }
        for path in ["/system.slice/nginx", "/nginx.service", "/sys/fs/cgroup/memory/ab"] {
            assert!(!belongs(UNIFIED, path) && !belongs(HYBRID, path), "{path}");
        }
    }
}
