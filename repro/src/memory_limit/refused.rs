//! No cgroup could be made: where it was tried, why not, and what helps.

use super::hierarchy::{CgroupVersion, RefusalReason};
use std::fmt;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub(crate) struct CgroupRefused {
    why: RefusalReason,
    /// Whether this user is root already.
    root: bool,
}

impl fmt::Display for CgroupRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no memory cgroup can be made here")?;
        match &self.why {
            RefusalReason::NoController => f.write_str(
                ": /proc/self/cgroup names no hierarchy for memory (see the kernel's command line \
                 for cgroup_disable=memory)",
            )?,
            RefusalReason::NotMounted(_, cgroup) => write!(
                f,
                ": no cgroup file system that is mounted here shows this process's own cgroup, {}",
                cgroup.display()
            )?,
            RefusalReason::Tried(_, places) => {
                f.write_str(". Tried:")?;
                for (place, why) in places {
                    write!(f, "\n  {}: {why}", place.display())?;
                }
            }
        }
        let command = command_line();
        match self.version() {
            _ if self.root => f.write_str(
                "\nRoot may make one where the cgroup file system can be written and shows root's \
                 own cgroup: on the host, outside of containers and cgroup namespaces.",
            )?,
            Some(CgroupVersion::V2) => write!(
                f,
                "\nWhere systemd is, an ordinary user gets one with\n  systemd-run --user --scope -- \
                 {command}\nand root has one anyway:\n  sudo {command}"
            )?,
            _ => write!(f, "\nRoot may make one:\n  sudo {command}")?,
        }
        write!(
            f,
            "\nWithout a cgroup there is no OOM kill. What needs no permission is a resource limit, \
             under which allocations fail instead and nothing is killed:\n  {command} --limit rlimit"
        )
    }
}

impl CgroupRefused {
    pub(super) fn new(why: RefusalReason) -> Self {
        Self { why, root: nix::unistd::geteuid().is_root() }
    }

    fn version(&self) -> Option<CgroupVersion> {
        match &self.why {
            RefusalReason::NoController => None,
            RefusalReason::NotMounted(version, _) | RefusalReason::Tried(version, _) => {
                Some(*version)
            }
        }
    }
}

/// This command as it can be typed again, but for a limit that was named.
fn command_line() -> String {
    let mut arguments = std::env::args_os();
    let given = arguments.next();
    let program = std::env::current_exe().ok().map(PathBuf::into_os_string);
    let program = program.or(given);
    let mut words: Vec<String> =
        program.iter().map(|word| quoted(&word.to_string_lossy())).collect();
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--limit") => drop(arguments.next()),
            Some(limit) if limit.starts_with("--limit=") => {}
            _ => words.push(quoted(&argument.to_string_lossy())),
        }
    }
    words.join(" ")
}

/// For a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_each_place_and_the_way_out() {
        let refused = CgroupRefused {
            why: RefusalReason::Tried(
                CgroupVersion::V2,
                vec![("/sys/fs/cgroup/a".into(), "Permission denied".to_owned())],
            ),
            root: false,
        };
        let text = refused.to_string();
        for part in [
            "/sys/fs/cgroup/a: Permission denied",
            "systemd-run --user --scope -- ",
            "--limit rlimit",
        ] {
            assert!(text.contains(part), "{text}");
        }
        let v1 =
            CgroupRefused { why: RefusalReason::Tried(CgroupVersion::V1, Vec::new()), root: false };
        assert!(!v1.to_string().contains("systemd-run"));
        assert!(v1.to_string().contains("sudo "));
        let root = CgroupRefused { root: true, ..refused };
        assert!(!root.to_string().contains("sudo "));
        assert!(root.to_string().contains("on the host"));
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("--budget=64MiB"), "--budget=64MiB");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
