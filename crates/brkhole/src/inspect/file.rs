//! A file that a reader sees whole, the old one or the new one.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::Builder;

use crate::output;

/// What anybody may read: node_exporter runs as a user of its own.
const READ_BY_ALL: u32 = 0o644;

/// What the umask leaves, as for every new file.
const AS_USUAL: u32 = 0o666;

/// Puts `text` in the place of what was there. With `by_all` everybody may read it, whatever the
/// umask.
///
/// What isn't a file (`/dev/stdout`, a pipe) can't be replaced and is written to.
///
/// # Errors
///
/// When it can't be written; what was there stays then.
pub(super) fn replace(path: &Path, text: &str, by_all: bool) -> anyhow::Result<()> {
    match place(path) {
        Some(path) => whole(&path, text, by_all)
            .with_context(|| format!("can't write {} (or its directory)", path.display())),
        None => output::to_file(path, text),
    }
}

/// The file itself where `path` is a link to one; `None` if it isn't a file.
fn place(path: &Path) -> Option<PathBuf> {
    if path.starts_with("/dev") || path.starts_with("/proc") {
        return None;
    }
    match fs::canonicalize(path) {
        Ok(file) if file.is_file() => Some(file),
        Ok(_) => None,
        Err(_) => Some(path.to_owned()),
    }
}

fn whole(path: &Path, text: &str, by_all: bool) -> io::Result<()> {
    let directory = match path.parent() {
        Some(directory) if directory != Path::new("") => directory,
        _ => Path::new("."),
    };
    // The collector reads *.prom, so the name must end otherwise.
    let mut file = Builder::new()
        .prefix(".brkhole-")
        .permissions(Permissions::from_mode(AS_USUAL))
        .tempfile_in(directory)?;
    file.write_all(text.as_bytes())?;
    if by_all {
        file.as_file()
            .set_permissions(Permissions::from_mode(READ_BY_ALL))?;
    }
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_new_one_takes_the_place_of_the_old() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.prom");
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        for (name, text) in [(&path, "one\n"), (&path, "two\n"), (&link, "three\n")] {
            replace(name, text, true).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, READ_BY_ALL);
        }
        assert!(link.is_symlink());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_is_no_file_is_written_to() {
        replace(Path::new("/dev/null"), "text", false).unwrap();
        let nowhere = replace(Path::new("/no/such/directory/a"), "text", false).unwrap_err();
        assert!(format!("{nowhere:#}").contains("/no/such/directory/a"));
        let directory = tempfile::tempdir().unwrap();
        let refused = replace(directory.path(), "text", false);
        assert!(refused.is_err(), "a directory");
    }
}
