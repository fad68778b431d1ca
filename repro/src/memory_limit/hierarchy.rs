//! Where this process's memory cgroup is to be seen in the file system.
//!
//! # References
//!
//! proc_pid_mountinfo(5), proc_pid_cgroup(5), cgroup_namespaces(7).

use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

/// Which kind of hierarchy has the memory controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CgroupVersion {
    /// A hierarchy of the memory controller's own (or shared with few others).
    V1,
    /// The one hierarchy of all controllers.
    V2,
}

impl CgroupVersion {
    pub(super) fn limit_file(self) -> &'static str {
        match self {
            Self::V1 => "memory.limit_in_bytes",
            Self::V2 => "memory.max",
        }
    }
}

/// The number behind a name, in a file of lines `name number`.
pub(super) fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line?.trim().parse().ok()
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OwnCgroup {
    pub(super) version: CgroupVersion,
    /// The mount point: no higher cgroup can be seen.
    pub(super) top: PathBuf,
    /// The cgroup's directory, at or below `top`.
    pub(super) directory: PathBuf,
}

/// Why no cgroup can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RefusalReason {
    /// `/proc/self/cgroup` has no hierarchy that could hold the memory controller.
    NoController,
    /// There is one, but no mount shows this cgroup of it.
    NotMounted(CgroupVersion, PathBuf),
    /// Each place that was tried, and why it won't do.
    Tried(CgroupVersion, Vec<(PathBuf, String)>),
}

/// The directories that may be this process's memory cgroup, the likeliest first: a later mount
/// hides an earlier one, and a bind mount may show a part only.
///
/// The texts are those of `/proc/self/mountinfo` and `/proc/self/cgroup`.
pub(super) fn own(mountinfo: &[u8], cgroups: &[u8]) -> Result<Vec<OwnCgroup>, RefusalReason> {
    let (version, cgroup) = cgroup_of_memory(cgroups).ok_or(RefusalReason::NoController)?;
    let mounts = mountinfo.split(|byte| *byte == b'\n').rev();
    let seen = mounts.filter_map(|line| shown(line, version, &cgroup));
    let seen: Vec<OwnCgroup> = seen.collect();
    if seen.is_empty() {
        return Err(RefusalReason::NotMounted(version, cgroup));
    }
    Ok(seen)
}

/// The hierarchy with the memory controller, and this process's path in it. On hybrid machines
/// both kinds are there, and the memory controller is where it is named; v2 names none.
fn cgroup_of_memory(cgroups: &[u8]) -> Option<(CgroupVersion, PathBuf)> {
    let lines = || {
        cgroups.split(|byte| *byte == b'\n').filter_map(|line| {
            let mut fields = line.splitn(3, |byte| *byte == b':').skip(1);
            Some((fields.next()?, path(fields.next()?)))
        })
    };
    let v1 = lines().find(|(controllers, _)| names(controllers, b"memory"));
    if let Some((_, path)) = v1 {
        return Some((CgroupVersion::V1, path));
    }
    let v2 = lines().find(|(controllers, _)| controllers.is_empty());
    v2.map(|(_, path)| (CgroupVersion::V2, path))
}

/// Whether a list with commas has this name.
fn names(list: &[u8], name: &[u8]) -> bool {
    list.split(|byte| *byte == b',').any(|found| found == name)
}

/// What of `cgroup` lies below `root`. Both are as the cgroup namespace shows them, in which what
/// is outside begins with `/..`; that can't be found from here.
fn below(cgroup: &Path, root: &Path) -> Option<PathBuf> {
    let outside = |path: &Path| path.components().any(|part| part == Component::ParentDir);
    if outside(cgroup) || outside(root) {
        return None;
    }
    Some(cgroup.strip_prefix(root).ok()?.to_owned())
}

/// This process's cgroup, if the mount that a line of mountinfo tells of shows it.
fn shown(line: &[u8], version: CgroupVersion, cgroup: &Path) -> Option<OwnCgroup> {
    let mut fields = line.split(|byte| *byte == b' ');
    let root = unescaped(fields.nth(3)?);
    let top = unescaped(fields.next()?);
    // Optional fields end with a hyphen.
    fields.by_ref().find(|field| *field == b"-")?;
    let kind = fields.next()?;
    let super_options = fields.nth(1)?;
    let is_it = match version {
        CgroupVersion::V1 => kind == b"cgroup" && names(super_options, b"memory"),
        CgroupVersion::V2 => kind == b"cgroup2",
    };
    let directory = top.join(below(cgroup, &root)?);
    is_it.then_some(OwnCgroup { version, top, directory })
}

fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(bytes.to_vec()))
}

/// The kernel writes blanks, tabs, newlines and backslashes of a path as `\` and three octal digits.
fn unescaped(field: &[u8]) -> PathBuf {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        let code = after.first_chunk::<3>().filter(|_| byte == b'\\');
        let code = code.and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(code) => {
                plain.push(code);
                rest = &after[3..];
            }
            None => {
                plain.push(byte);
                rest = after;
            }
        }
    }
    PathBuf::from(OsString::from_vec(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(version: CgroupVersion, top: &str, directory: &str) -> OwnCgroup {
        OwnCgroup { version, top: top.into(), directory: directory.into() }
    }

    /// A machine whose controllers are v1, with an empty v2 hierarchy beside them.
    #[test]
    fn a_hybrid_machine_has_memory_in_v1() {
        let mounts = b"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
            35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
            36 31 0:33 / /sys/fs/cgroup/devices rw,relatime - cgroup cgroup rw,devices\n\
            40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd\n\
            41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
        let cgroups = b"9:name=systemd:/\n5:devices:/\n4:memory:/jobs/56558bc4\n0::/\n";
        assert_eq!(
            own(mounts, cgroups),
            Ok(vec![seen(
                CgroupVersion::V1,
                "/sys/fs/cgroup/memory",
                "/sys/fs/cgroup/memory/jobs/56558bc4"
            )])
        );
    }

    #[test]
    fn systemd_with_v2_and_a_users_session() {
        let mounts =
            b"24 30 0:22 / /proc rw,nosuid,nodev,noexec,relatime shared:14 - proc proc rw\n\
            35 25 0:30 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 \
            rw,nsdelegate,memory_recursiveprot\n";
        let cgroups = b"0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-r5d.scope\n";
        assert_eq!(
            own(mounts, cgroups),
            Ok(vec![seen(
                CgroupVersion::V2,
                "/sys/fs/cgroup",
                "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/run-r5d.scope"
            )])
        );
    }

    /// Docker with v2: the container has a cgroup namespace of its own.
    #[test]
    fn a_cgroup_namespace_shows_its_own_root() {
        let mounts = b"1478 1475 0:29 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 \
            cgroup rw,nsdelegate,memory_recursiveprot\n";
        assert_eq!(
            own(mounts, b"0::/\n"),
            Ok(vec![seen(CgroupVersion::V2, "/sys/fs/cgroup", "/sys/fs/cgroup/")])
        );
    }

    /// Docker with v1: the container's own cgroup is bound onto the mount point.
    #[test]
    fn a_bind_mount_shows_what_lies_below_its_root() {
        let mounts = b"906 905 0:34 /docker/1f2e /sys/fs/cgroup/memory ro,nosuid,nodev,noexec,\
            relatime master:20 - cgroup cgroup rw,memory\n";
        let cgroups = b"11:memory:/docker/1f2e\n10:cpu,cpuacct:/docker/1f2e\n0::/system.slice/x\n";
        assert_eq!(
            own(mounts, cgroups),
            Ok(vec![seen(CgroupVersion::V1, "/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory/")])
        );
        let elsewhere = b"11:memory:/docker/other\n";
        assert_eq!(
            own(mounts, elsewhere),
            Err(RefusalReason::NotMounted(CgroupVersion::V1, "/docker/other".into()))
        );
    }

    #[test]
    fn controllers_that_share_a_hierarchy_are_told_apart() {
        let mounts = b"33 31 0:30 / /sys/fs/cgroup/my\\040memory,hugetlb rw - cgroup cgroup \
            rw,hugetlb,memory\n";
        let cgroups = b"3:hugetlb,memory:/a b\n";
        let found = own(mounts, cgroups).unwrap();
        assert_eq!(found[0].directory, Path::new("/sys/fs/cgroup/my memory,hugetlb/a b"));
    }

    #[test]
    fn the_last_mount_comes_first_and_what_is_outside_is_left_out() {
        let mounts = b"1 0 0:1 / /first rw - cgroup2 c rw\n\
            2 0 0:1 /.. /outside rw - cgroup2 c rw\n\
            3 0 0:1 / /last rw - cgroup2 c rw\n";
        let tops: Vec<PathBuf> =
            own(mounts, b"0::/a\n").unwrap().into_iter().map(|own| own.top).collect();
        assert_eq!(tops, [Path::new("/last"), Path::new("/first")]);
    }

    #[test]
    fn what_is_missing_is_told_apart() {
        assert_eq!(own(b"", b"2:cpu:/\n"), Err(RefusalReason::NoController));
        assert_eq!(
            own(b"", b"0::/x\n"),
            Err(RefusalReason::NotMounted(CgroupVersion::V2, "/x".into()))
        );
    }
}
