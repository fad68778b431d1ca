//! The kernel's list of tracepoints: found where it is mounted, else looked at without mounting
//! it anywhere.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

#[derive(Debug)]
pub(super) struct Tracefs {
    root: PathBuf,
    /// A mount that hangs nowhere in the tree, and is gone when this is closed.
    _mount: Option<OwnedFd>,
}

impl Tracefs {
    /// Finds it, or opens it for this moment (as root) so that nobody else ever sees a mount.
    ///
    /// # Errors
    /// It isn't mounted and may not be.
    ///
    /// # References
    /// proc_mounts(5); fsopen(2), fsmount(2) (Linux 5.2)
    pub(super) fn open() -> io::Result<Self> {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        if let Some(root) = mounted(&mounts).filter(|root| root.join("events").is_dir()) {
            return Ok(Self { root, _mount: None });
        }
        let mount = detached_mount(c"tracefs")?;
        Ok(Self {
            root: format!("/proc/self/fd/{}", mount.as_raw_fd()).into(),
            _mount: Some(mount),
        })
    }

    /// Describes one tracepoint: its number and the offset of each field.
    pub(super) fn format(&self, group: &str, name: &str) -> io::Result<TracepointFormat> {
        let path = self.root.join("events").join(group).join(name).join("format");
        TracepointFormat::parse(&std::fs::read_to_string(path)?).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the format of tracepoint {group}:{name} can't be read"),
            )
        })
    }
}

fn mounted(mounts: &str) -> Option<PathBuf> {
    let mount = |wanted: &str| {
        mounts.lines().find_map(|line| {
            let mut fields = line.split(' ');
            let (_, place, kind) = (fields.next()?, fields.next()?, fields.next()?);
            (kind == wanted).then(|| Path::new(place).to_owned())
        })
    };
    mount("tracefs").or_else(|| Some(mount("debugfs")?.join("tracing")))
}

fn detached_mount(kind: &CStr) -> io::Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    let (flags, attributes) = (FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty());
    Ok(fsmount(&context, flags, attributes)?)
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TracepointFormat {
    pub(super) id: u16,
    /// Name, offset and size in bytes.
    fields: Vec<(String, usize, usize)>,
}

impl TracepointFormat {
    fn parse(text: &str) -> Option<Self> {
        let id = text.lines().find_map(|line| line.strip_prefix("ID: "))?;
        let fields = text.lines().filter_map(|line| {
            let mut parts = line.trim().split(';').map(str::trim);
            let name = parts.next()?.strip_prefix("field:")?.rsplit(' ').next()?;
            let offset = parts.next()?.strip_prefix("offset:")?.parse().ok()?;
            let size = parts.next()?.strip_prefix("size:")?.parse().ok()?;
            Some((name.to_owned(), offset, size))
        });
        Some(Self { id: id.trim().parse().ok()?, fields: fields.collect() })
    }

    /// Whether the first field after the call's number lies where every call's record is read: 8
    /// bytes at offset 16. (A call without arguments has none, and isn't watched.)
    pub(super) fn is_as_expected(&self) -> bool {
        let own: Vec<_> =
            self.fields.iter().filter(|(name, ..)| !name.starts_with("common_")).collect();
        matches!(own[..], [(number, 8, 4), (_, 16, 8), ..] if number.ends_with("syscall_nr"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXIT: &str = "name: sys_exit_brk\nID: 694\nformat:\n\
        \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\
        \tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n\
        \tfield:int __syscall_nr;\toffset:8;\tsize:4;\tsigned:1;\n\
        \tfield:long ret;\toffset:16;\tsize:8;\tsigned:1;\n\n\
        print fmt: \"0x%lx\", REC->ret\n";

    #[test]
    fn formats() {
        let format = TracepointFormat::parse(EXIT).unwrap();
        assert_eq!(format.id, 694);
        assert!(format.is_as_expected());
        let moved = EXIT.replace("offset:16", "offset:24");
        assert!(!TracepointFormat::parse(&moved).unwrap().is_as_expected());
        assert_eq!(TracepointFormat::parse("name: nothing\n"), None);
    }

    #[test]
    fn mount_places() {
        let both =
            "debug /sys/kernel/debug debugfs rw 0 0\ntrace /sys/kernel/tracing tracefs rw 0 0\n";
        assert_eq!(mounted(both), Some("/sys/kernel/tracing".into()));
        let debug = "debug /sys/kernel/debug debugfs rw 0 0\n";
        assert_eq!(mounted(debug), Some("/sys/kernel/debug/tracing".into()));
        assert_eq!(mounted("proc /proc proc rw 0 0\n"), None);
    }
}
