//! Which file has a mapped file's symbols: itself, or one that a distribution ships apart.
//!
//! # References
//! gdb's manual, “Debugging Information in Separate Files”

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::image::Image;

/// Where distributions put them.
const USUAL_DIRECTORIES: [&str; 1] = ["/usr/lib/debug"];

/// The path of the file to read symbols from; `None` if there is no file at all.
///
/// A file that has been stripped still names those symbols that others link to. The rest may be in
/// a file of its own, found by build id or by the name that the stripped one gives, and taken only
/// if its build id is the same. `directories`: where to look; `None` for the usual places.
pub(super) fn symbols_of(image: &Image, directories: Option<&[PathBuf]>) -> Option<PathBuf> {
    let own = image.path()?;
    let Some(build_id) = image.build_id.as_deref().filter(|_| !image.has_symbols) else {
        return Some(own);
    };
    let usual = USUAL_DIRECTORIES.map(PathBuf::from);
    let directories = directories.unwrap_or(&usual);
    let found = candidates(image, &own, build_id, directories)
        .into_iter()
        .find(|path| has_symbols_of(path, build_id));
    Some(found.unwrap_or(own))
}

fn candidates(image: &Image, own: &Path, build_id: &[u8], directories: &[PathBuf]) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    if let [first, rest @ ..] = build_id {
        let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!(".build-id/{first:02x}/{rest}.debug");
        paths.extend(directories.iter().map(|directory| directory.join(&name)));
    }
    if let Some(link) = &image.debug_link
        && let Ok(mapped) = fs::read_link(own)
        && let Some(beside) = mapped.parent()
    {
        paths.push(beside.join(link));
        paths.push(beside.join(".debug").join(link));
        let inside = beside.strip_prefix("/").unwrap_or(beside);
        paths.extend(
            directories
                .iter()
                .map(|directory| directory.join(inside).join(link)),
        );
    }
    paths
}

fn has_symbols_of(path: &Path, build_id: &[u8]) -> bool {
    File::open(path)
        .and_then(|file| Image::open(file, 0, "".into()))
        .is_ok_and(|image| image.has_symbols && image.build_id.as_deref() == Some(build_id))
}
