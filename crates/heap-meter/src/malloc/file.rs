//! The file of a loaded image, as the process sees it.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;

use super::image::Image;
use crate::process::Process;

/// Files are read as far as this.
const MOST_BYTES: u64 = 64 << 20;

/// Reads the file that is mapped, also if another one has its name by now. `None` if it can't be
/// had, or can't be told from another.
///
/// # References
/// `proc_pid_map_files(5)`, which needs CAP_CHECKPOINT_RESTORE; `proc_pid_root(5)`
pub(super) fn read(process: &Process, image: &Image) -> Option<Vec<u8>> {
    let pid = process.pid();
    let mapped = format!(
        "/proc/{pid}/map_files/{:x}-{:x}",
        image.mapping.start, image.mapping.end
    );
    let named = image.path.strip_prefix("/").ok();
    let named = named.map(|path| std::path::Path::new(&format!("/proc/{pid}/root")).join(path));
    let file = File::open(mapped).ok().filter(|file| is(file, image));
    let file = file.or_else(|| File::open(named?).ok().filter(|file| is(file, image)))?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
    // Its number was its own all the time.
    process.is_alive().then_some(bytes)
}

/// Whether a file is the one that is mapped. The device isn't compared: some file systems (btrfs,
/// overlayfs) give another one to `stat` than to `maps`.
fn is(file: &File, image: &Image) -> bool {
    file.metadata()
        .is_ok_and(|data| data.is_file() && data.ino() == image.inode)
}

/// The version that glibc states of itself, such as `2.36`.
pub(super) fn glibc_version(bytes: &[u8]) -> Option<String> {
    let banner = memchr::memmem::find(bytes, b"GNU C Library (")?;
    let line = bytes[banner..].split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line.get(..line.len().min(300))?).ok()?;
    let (_, after) = line.split_once(" version ")?;
    let version: String = after
        .chars()
        .take_while(|letter| letter.is_ascii_digit() || *letter == '.')
        .collect();
    let version = version.trim_end_matches('.');
    (!version.is_empty()).then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_banners() {
        let version = |text: &str| glibc_version(text.as_bytes());
        assert_eq!(
            version(
                "..GNU C Library (Debian GLIBC 2.36-9+deb12u14) stable release version 2.36.\nC"
            ),
            Some("2.36".to_owned())
        );
        assert_eq!(
            version("GNU C Library (GNU libc) development release version 2.43.9000.\n"),
            Some("2.43.9000".to_owned())
        );
        assert_eq!(version("GNU C Library ("), None);
        assert_eq!(version("GNU C Library (x) version \n1"), None);
    }
}
