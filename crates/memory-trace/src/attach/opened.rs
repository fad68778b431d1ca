//! Which file was opened, found out after the fact.
//!
//! The process runs on meanwhile. As long as the descriptor is open, the kernel knows; but the
//! process may have closed it and opened another file under the same number. So the link is
//! believed only if the name in the process's memory leads to the same file, or if that name can't
//! be read any more. If the descriptor is closed, the name is all there is: what stands in its
//! place by then may be something else, so it is believed only if there is such a file.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use memory_event::Syscall;

/// The path of the file that `pid` opened by this call, as the kernel names it where it still
/// can tell, otherwise as the process named it (made absolute). `None` if it can't be known.
///
/// `told` is the name that the call was given, where the record brought it; otherwise it is read in
/// the process's memory.
pub(super) fn path(
    pid: i32,
    syscall: Syscall,
    args: &[u64; 6],
    told: Option<Vec<u8>>,
    fd: u64,
) -> Option<Vec<u8>> {
    let (directory, name) = match syscall {
        Syscall::Open | Syscall::Creat => (libc::AT_FDCWD, args[0]),
        _ => (args[0] as i32, args[1]),
    };
    let link = format!("/proc/{pid}/fd/{fd}");
    let target = fs::read_link(&link).ok().map(|path| path.into_os_string().into_vec());
    // What the record brought was true, whatever stands there by now.
    let certain = told.clone().filter(|name| name.starts_with(b"/"));
    let Some(name) = told.or_else(|| string(pid, name)) else {
        return target;
    };
    let name = Path::new(OsStr::from_bytes(&name)).to_owned();
    if let Some(target) = target {
        let seen =
            if name.is_absolute() { inside(pid, &name) } else { base(pid, directory).join(&name) };
        let same = |a: fs::Metadata, b: fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
        if let (Ok(opened), Ok(named)) = (fs::metadata(&link), fs::metadata(&seen)) {
            if same(opened, named) {
                return Some(target);
            }
        } else if target.ends_with(b" (deleted)") {
            return Some(target);
        }
    }
    named(pid, directory, &name).or(certain)
}

/// The name made absolute, and free of links if this process sees the same files; `None` if the
/// process has no such file.
fn named(pid: i32, directory: i32, name: &Path) -> Option<Vec<u8>> {
    let whole = if name.is_absolute() {
        name.to_owned()
    } else {
        fs::read_link(base(pid, directory)).ok()?.join(name)
    };
    fs::metadata(inside(pid, &whole)).ok()?;
    let same_files = ["root", "ns/mnt"].into_iter().all(|link| {
        let link = |who: &str| fs::read_link(format!("/proc/{who}/{link}")).ok();
        link("self").is_some_and(|ours| Some(ours) == link(&pid.to_string()))
    });
    let resolved = same_files.then(|| fs::canonicalize(&whole).ok()).flatten();
    Some(resolved.unwrap_or(whole).into_os_string().into_vec())
}

/// The directory that a relative name starts from.
fn base(pid: i32, directory: i32) -> PathBuf {
    match directory {
        libc::AT_FDCWD => format!("/proc/{pid}/cwd").into(),
        fd => format!("/proc/{pid}/fd/{fd}").into(),
    }
}

/// An absolute name as that process sees it.
fn inside(pid: i32, name: &Path) -> PathBuf {
    let below = name.strip_prefix("/").unwrap_or(name);
    Path::new(&format!("/proc/{pid}/root")).join(below)
}

/// A string in a process's memory, without its NUL; `None` if it isn't there, is empty or longer
/// than any path.
fn string(pid: i32, address: u64) -> Option<Vec<u8>> {
    const PATH_MAX: usize = 4096;
    const SMALLEST_PAGE: u64 = 4096;
    const PIECE_BYTES: u64 = 256;
    let mut text = Vec::with_capacity(PIECE_BYTES as usize);
    while text.len() < PATH_MAX {
        let at = address.checked_add(text.len() as u64)?;
        // Never across a page's end: what follows may not be there.
        let length = (SMALLEST_PAGE - at % SMALLEST_PAGE).min(PIECE_BYTES);
        let before = text.len();
        let place = at..at + length;
        let read = proc_memory::read_memory(pid, std::slice::from_ref(&place), &mut text);
        read.ok().filter(|&read| read > 0)?;
        if let Some(end) = memchr::memchr(0, &text[before..]) {
            text.truncate(before + end);
            return Some(text).filter(|text| !text.is_empty());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_memory_and_behind_descriptors() {
        use std::os::fd::AsRawFd;
        let pid = std::process::id() as i32;
        let directory = tempfile::tempdir().unwrap();
        let place = fs::canonicalize(directory.path()).unwrap();
        let (real, link) = (place.join("real"), place.join("link"));
        fs::write(&real, "x").unwrap();
        std::os::unix::fs::symlink("real", &link).unwrap();
        let name = std::ffi::CString::new(link.as_os_str().as_bytes()).unwrap();
        let args = [libc::AT_FDCWD as u64, name.as_ptr() as u64, 0, 0, 0, 0];
        let found = |fd: u64| path(pid, Syscall::Openat, &args, None, fd);
        let wanted = Some(real.as_os_str().as_bytes().to_vec());
        let open = fs::File::open(&link).unwrap();
        assert_eq!(found(open.as_raw_fd() as u64), wanted, "by the descriptor");
        assert_eq!(found(1_000_000), wanted, "closed");
        let other = fs::File::open("/dev/null").unwrap();
        assert_eq!(found(other.as_raw_fd() as u64), wanted, "the number used again");
        fs::remove_file(&real).unwrap();
        assert_eq!(found(1_000_000), None, "no such file");
        let nowhere = [0, 8, 0, 0, 0, 0];
        assert_eq!(path(pid, Syscall::Openat, &nowhere, None, 1_000_000), None);
    }
}
