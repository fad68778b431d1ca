//! How far files were read, as their descriptors tell before they are closed.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read;

use super::syscall_reader::SyscallEntry;
use memory_event::{Call, Syscall, What};
use rustc_hash::FxBuildHasher;
use rustix::fs::{AtFlags, CWD, FileType, StatxFlags, statx};

/// So many descriptors of one process are looked after.
const MOST: usize = 1024;

/// Descriptors of each process through which files are being read. It costs a look at one short
/// file of `/proc` for each opening of a file that isn't mapped.
#[derive(Debug, Default)]
pub(crate) struct Positions {
    open: HashMap<i32, HashSet<i32, FxBuildHasher>, FxBuildHasher>,
}

impl Positions {
    /// Takes note of a call that came back.
    pub(crate) fn after(&mut self, pid: i32, call: &Call) {
        if let Some((fd, path)) = call.opened_for_reading() {
            if is_on_disk(path) {
                let open = self.open.entry(pid).or_default();
                if open.len() < MOST {
                    open.insert(fd);
                }
            }
        } else if call.syscall == Syscall::Close {
            self.leave(pid, call.args[0] as i32);
        } else if let Some(fd) = call.mapped_file() {
            // As libraries are: how far the descriptor goes tells nothing.
            self.leave(pid, fd);
        }
    }

    fn leave(&mut self, pid: i32, fd: i32) {
        let open = self.open.get_mut(&pid);
        if open.is_some_and(|open| open.remove(&fd) && open.is_empty()) {
            self.open.remove(&pid);
        }
    }

    /// Whether one that is looked after may be closed next.
    pub(crate) fn any(&self, pid: i32) -> bool {
        self.open.contains_key(&pid)
    }

    /// What was read through the descriptor that a thread is about to close, if this call closes
    /// one.
    pub(crate) fn before(&self, pid: i32, tid: i32, asked: &SyscallEntry) -> Option<What> {
        let closes = Syscall::from_number(asked.number) == Some(Syscall::Close);
        let fd = asked.args[0] as i32;
        let open = self.open.get(&pid).filter(|_| closes)?;
        open.contains(&fd).then(|| read(tid, fd)).flatten()
    }

    /// What was read through those that a process still has at its end, and forgets them.
    pub(crate) fn ending(&mut self, pid: i32, tid: i32) -> Vec<What> {
        let open = self.open.remove(&pid).unwrap_or_default();
        open.into_iter().filter_map(|fd| read(tid, fd)).collect()
    }

    /// The process has another program.
    pub(crate) fn forget(&mut self, pid: i32) {
        self.open.remove(&pid);
    }
}

/// Where the kernel says that the descriptor stands. At the beginning of a file nothing is known:
/// it may have been read by `pread` or as a mapping.
///
/// # References
/// proc_pid_fdinfo(5)
fn read(tid: i32, fd: i32) -> Option<What> {
    // The first line is all that is wanted: one read, without asking for the size before.
    let mut info = [0; 64];
    let mut file = File::open(format!("/proc/{tid}/fdinfo/{fd}")).ok()?;
    let length = file.read(&mut info).ok()?;
    let (line, _) = str::from_utf8(&info[..length]).ok()?.split_once('\n')?;
    let position = line.strip_prefix("pos:")?.trim();
    let bytes: u64 = position.parse().ok().filter(|bytes| *bytes > 0)?;
    Some(What::Read { fd, bytes: plausible(tid, fd, bytes)? })
}

/// A position is no number of bytes in a directory, where a file system may have hashes for places, nor
/// where somebody only went there.
///
/// The file may be on a server that doesn't answer, or be the target's own (FUSE): the kernel is asked
/// for what it knows, not to find out.
///
/// # References
/// Linux `fs/ext4/dir.c`, `hash2pos`; statx(2), `AT_STATX_DONT_SYNC`
fn plausible(tid: i32, fd: i32, position: u64) -> Option<u64> {
    const DOUBTFUL_BYTES: u64 = 1 << 30;
    if position < DOUBTFUL_BYTES {
        return Some(position);
    }
    let (path, flags) = (format!("/proc/{tid}/fd/{fd}"), AtFlags::STATX_DONT_SYNC);
    let file = statx(CWD, path, flags, StatxFlags::TYPE | StatxFlags::SIZE).ok()?;
    let is_directory = FileType::from_raw_mode(file.stx_mode.into()) == FileType::Directory;
    (!is_directory).then(|| position.min(file.stx_size))
}

/// A file, as far as its name tells; no pipe, nothing that the kernel makes up.
fn is_on_disk(path: &[u8]) -> bool {
    let made_up: [&[u8]; 2] = [b"/proc/", b"/sys/"];
    path.starts_with(b"/") && !made_up.iter().any(|place| path.starts_with(place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    fn call(syscall: Syscall, first: u64, path: Option<&str>) -> Call {
        Call::new(syscall, [first, 0, 0, 0, 0, 0], Ok(first)).with_path(path.map(Into::into))
    }

    /// As ext4 has them in directories, and as anybody may go to.
    #[test]
    fn a_place_far_away_is_not_what_was_read() {
        let own = std::process::id() as i32;
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, &[7; 5000]).unwrap();
        let (fd, far) = (file.as_raw_fd(), 1 << 40);
        assert_eq!(plausible(own, fd, far), Some(5000));
        assert_eq!(plausible(own, fd, 4000), Some(4000));
        let directory = File::open("/").unwrap();
        assert_eq!(plausible(own, directory.as_raw_fd(), i64::MAX as u64), None);
    }

    #[test]
    fn a_descriptor_tells_how_far_it_was_read() {
        let own = std::process::id() as i32;
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, &[7; 5000]).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        let fd = file.as_raw_fd();
        let mut positions = Positions::default();
        assert!(!positions.any(own));
        positions.after(own, &call(Syscall::Open, fd as u64, Some("/tmp/x")));
        let asked =
            |fd: i32| SyscallEntry { number: libc::SYS_close, args: [fd as u64, 0, 0, 0, 0, 0] };
        assert_eq!(positions.before(own, own, &asked(fd)), None, "nothing is known yet");
        file.read_exact(&mut [0; 3000]).unwrap();
        let wanted = Some(What::Read { fd, bytes: 3000 });
        assert_eq!(positions.before(own, own, &asked(fd)), wanted);
        assert_eq!(positions.before(own, own, &asked(fd + 1)), None, "another one");
        positions.after(own, &call(Syscall::Close, fd as u64, None));
        assert!(!positions.any(own));
        positions.after(own, &call(Syscall::Open, fd as u64, Some("/tmp/x")));
        assert_eq!(positions.ending(own, own), wanted.into_iter().collect::<Vec<_>>());
        assert!(!positions.any(own));
    }

    #[test]
    fn what_is_mapped_or_no_file_is_not_looked_after() {
        let mut positions = Positions::default();
        positions.after(1, &call(Syscall::Open, 3, Some("/lib/libc.so.6")));
        assert!(positions.any(1));
        let mut mapping = call(Syscall::Mmap, 0, None);
        mapping.args[4] = 3;
        positions.after(1, &mapping);
        assert!(!positions.any(1));
        for path in ["pipe:[7]", "/proc/self/maps", "/sys/power/state", "/dev/zero"] {
            positions.after(1, &call(Syscall::Open, 3, Some(path)));
            assert!(!positions.any(1), "{path}");
        }
    }
}
