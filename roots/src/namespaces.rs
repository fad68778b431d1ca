//! A program in a root, in namespaces of its own.
//!
//! Mounts are made in a mount namespace, and processes in a pid namespace, that only the program
//! and its children have: the kernel takes both away with the last of them. `setpriv` has the
//! kernel end the first process with this one, however that ends.
//!
//! # References
//!
//! unshare(1) `--kill-child`, setpriv(1) `--pdeathsig`, mount_namespaces(7), pid_namespaces(7).

use anyhow::Context;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where Debian has its programs, here as in every root. What the user's PATH adds isn't inside.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Mounts, and runs the program. The shell stays, so that the program isn't process 1: that one
/// ignores signals.
const ENTER: &str = r#"
set -eu
root=$1
shift
if [ "$1" = layer ]; then
    mount -t tmpfs none "$root/mnt"
    mkdir "$root/mnt/upper" "$root/mnt/work" "$root/mnt/root"
    layers=lowerdir=$root,upperdir=$root/mnt/upper,workdir=$root/mnt/work
    mount -t overlay -o "$layers" none "$root/mnt/root"
    root=$root/mnt/root
fi
shift
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
while [ "$1" != -- ]; do
    mount --bind "$2" "$root$3"
    [ "$1" = writable ] || mount -o remount,bind,ro "$root$3"
    shift 3
done
shift
chroot "$root" "$@" || exit $?
"#;

/// A directory of this machine that a program in a root sees, too.
#[derive(Debug, Clone)]
pub struct BindMount {
    /// Its name here.
    pub here: PathBuf,
    /// Its absolute name inside.
    pub inside: &'static str,
    /// Whether it can be written inside.
    pub is_writable: bool,
}

impl BindMount {
    /// One that can only be read inside.
    pub fn read_only(here: impl Into<PathBuf>, inside: &'static str) -> Self {
        Self { here: here.into(), inside, is_writable: false }
    }

    /// One that can be written inside, too.
    pub fn writable(here: impl Into<PathBuf>, inside: &'static str) -> Self {
        Self { is_writable: true, ..Self::read_only(here, inside) }
    }
}

/// A program to be run with the root's directory as `/`, or a layer in memory above it. See [`Root::command`](crate::Root::command).
pub fn command(
    root: &Path,
    is_in_layer: bool,
    program: &str,
    mounts: &[BindMount],
) -> anyhow::Result<Command> {
    let mut command = apart();
    command.args(["sh", "-c", ENTER, "sh"]).arg(root);
    command.arg(if is_in_layer { "layer" } else { "itself" });
    for mount in mounts {
        let place = root.join(mount.inside.trim_start_matches('/'));
        fs::create_dir_all(&place).with_context(|| format!("can't make {}", place.display()))?;
        let access = if mount.is_writable { "writable" } else { "read-only" };
        command.arg(access).arg(&mount.here).arg(mount.inside);
    }
    command.args(["--", program]);
    Ok(command)
}

/// A program in namespaces of its own, still with this machine's files; its words have to be added.
pub fn apart() -> Command {
    let mut command = on_this_machine("setpriv");
    command
        .args(["--pdeathsig", "KILL", "--"])
        .args(["unshare", "--mount", "--pid", "--fork", "--kill-child"])
        .args(["--mount-proc", "--"]);
    command
}

/// A program of this machine, with the environment that programs in a root have. Cargo's own, with its
/// `LD_LIBRARY_PATH`, isn't among it.
pub fn on_this_machine(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", PATH).env("HOME", "/root").env("LC_ALL", "C.UTF-8");
    for name in ["http_proxy", "https_proxy", "no_proxy"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}
