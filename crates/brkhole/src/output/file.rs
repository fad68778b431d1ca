//! A file of results, whichever command writes it.
//!
//! Root writes into directories that others may write to as well. A link of theirs there leads
//! where root alone may write, so a path is left to the kernel: it is opened as it stands, and who
//! may not be followed (`fs.protected_symlinks`, `protected_regular`, `protected_fifos`) isn't.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use tempfile::Builder;

/// Who may read a file that was not there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Whom the umask leaves.
    Usual,
    /// Everybody, whatever the umask: node_exporter runs as a user of its own.
    All,
}

/// What a file may be at most once the umask has been applied.
const USUAL: u32 = 0o666;
const READ_BY_ALL: u32 = 0o644;
/// Of one that is to be like an old one, until it is.
const OWN: u32 = 0o600;

/// Puts `text` in the place of what was there. A reader sees the whole of the old or of the new
/// where that is a plain file, whose mode and owner stay. A link, a file with several names, one
/// whose directory may not be written to, and what isn't a file (`/dev/stdout`, a pipe) are
/// written to as they are.
///
/// # Errors
/// When it can't be written, or the kernel protects it.
///
/// # References
/// `Documentation/admin-guide/sysctl/fs.rst` (`protected_*`)
pub(super) fn put(path: &Path, text: &str, readers: Readers) -> io::Result<()> {
    if is_free(path) {
        return renamed(path, text, USUAL, |new| match readers {
            Readers::Usual => Ok(()),
            Readers::All => new.set_permissions(Permissions::from_mode(READ_BY_ALL)),
        });
    }
    // With O_CREAT, which makes the kernel protect files and FIFOs, too.
    let mut file = open(OpenOptions::new().write(true), path)?;
    let old = file.metadata()?;
    if is_plain(path, &old) {
        let like_old = |new: &File| {
            fchown(new, Some(old.uid()), Some(old.gid()))?;
            new.set_permissions(Permissions::from_mode(old.mode() & 0o777))
        };
        match renamed(path, text, OWN, like_old) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            other => return other,
        }
    }
    if old.is_file() {
        file.set_len(0)?;
    }
    file.write_all(text.as_bytes())
}

/// Finds out whether [`put`] may write it; what it holds stays.
///
/// # Errors
/// Those of [`put`].
pub(super) fn check(path: &Path) -> io::Result<()> {
    if is_free(path) {
        return temporary(path, USUAL).map(drop);
    }
    // Whoever reads from it would take the closing for the end.
    if is_fifo(path) {
        return Ok(());
    }
    open(OpenOptions::new().append(true), path).map(drop)
}

/// What tells a file's place from another's.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Of a file that is there: its device and its number.
    Taken(u64, u64),
    /// Of one that isn't: its directory, without links, and its name.
    Free(PathBuf),
}

/// Where a file is or would be; `None` for what may be written to again and again (`/dev/null`, a
/// pipe), and where that can't be found out.
pub(super) fn place(path: &Path) -> Option<Place> {
    match fs::metadata(path) {
        Ok(file) => file.is_file().then(|| Place::Taken(file.dev(), file.ino())),
        Err(_) => {
            let directory = fs::canonicalize(directory(path)).ok()?;
            Some(Place::Free(directory.join(path.file_name()?)))
        }
    }
}

/// Whether nothing has the name, no link either.
fn is_free(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

fn is_fifo(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.file_type().is_fifo())
}

/// A FIFO that nobody reads from is an error (`ENXIO`) instead of a wait without end.
fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let options = options.create(true).mode(USUAL);
    if !is_fifo(path) {
        return options.custom_flags(libc::O_NOCTTY).open(path);
    }
    let flags = libc::O_NOCTTY | libc::O_NONBLOCK;
    let file =
        options.custom_flags(flags).open(path).map_err(|error| match error.raw_os_error() {
            Some(libc::ENXIO) => io::Error::other("nobody reads from this FIFO"),
            _ => error,
        })?;
    // What is written is to wait for the reader.
    fcntl(&file, FcntlArg::F_SETFL(OFlag::empty()))?;
    Ok(file)
}

/// Whether a name is that of an open file itself, which has no other.
fn is_plain(path: &Path, open: &Metadata) -> bool {
    let is_same = |named: Metadata| (named.dev(), named.ino()) == (open.dev(), open.ino());
    open.is_file() && open.nlink() == 1 && fs::symlink_metadata(path).is_ok_and(is_same)
}

/// Writes beside the name first, and gives it the name then, which follows no link.
fn renamed(
    path: &Path,
    text: &str,
    mode: u32,
    as_it_should_be: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = temporary(path, mode)?;
    as_it_should_be(file.as_file())?;
    file.write_all(text.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

fn temporary(path: &Path, mode: u32) -> io::Result<tempfile::NamedTempFile> {
    // The collector reads *.prom, so the name must end otherwise.
    let file = Builder::new()
        .prefix(".brkhole-")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(directory(path));
    // The error names the temporary file, which is nobody's business.
    file.map_err(|error| {
        let cause = error.get_ref().and_then(std::error::Error::source);
        let number = cause.and_then(|cause| cause.downcast_ref::<io::Error>()?.raw_os_error());
        number.map_or(error, io::Error::from_raw_os_error)
    })
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(directory) if directory != Path::new("") => directory,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests;
