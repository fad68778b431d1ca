//! Which file has a mapped file's symbols: itself, or one that a distribution ships apart.
//!
//! # References
//! gdb's manual, “Debugging Information in Separate Files”

use std::fs;
use std::path::{Path, PathBuf};

use super::image::Image;
use crate::address_space::{open_regular, root_directory};

/// Where distributions put them.
const USUAL_DIRECTORIES: [&str; 1] = ["/usr/lib/debug"];

/// A file to read symbols from.
pub(super) struct Symbols {
    /// By which this program opens it.
    pub(super) path: PathBuf,
    /// What keeps the path valid, where it isn't the mapped file.
    _separate: Option<Image>,
}

/// The file to read symbols from; `None` if there is no file at all.
///
/// A file that has been stripped still names those symbols that others link to. The rest may be in
/// a file of its own, found by build id or by the name that the stripped one gives, and taken only
/// if its build id is the same. `directories`: where to look; `None` for the usual places.
pub(super) fn symbols_of(image: &Image, directories: Option<&[PathBuf]>) -> Option<Symbols> {
    let own = image.path()?;
    let usual = USUAL_DIRECTORIES.map(PathBuf::from);
    let directories = directories.unwrap_or(&usual);
    let build_id = image.build_id.as_deref().filter(|_| !image.has_symbols);
    let separate = build_id.and_then(|build_id| {
        let mut candidates = candidates(image, &own, build_id, directories).into_iter();
        candidates.find_map(|path| with_symbols_of(&path, build_id))
    });
    Some(Symbols {
        path: separate.as_ref().and_then(Image::path).unwrap_or(own),
        _separate: separate,
    })
}

fn candidates(image: &Image, own: &Path, build_id: &[u8], directories: &[PathBuf]) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    if let [first, rest @ ..] = build_id {
        let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!(".build-id/{first:02x}/{rest}.debug");
        // Here a distribution may have put links.
        let places = directories.iter().map(|directory| directory.join(&name));
        paths.extend(places.filter_map(|place| place.canonicalize().ok()));
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

/// The file at a path, which the mapped one may have chosen, if it has what is missing there.
fn with_symbols_of(path: &Path, build_id: &[u8]) -> Option<Image> {
    let file = open_regular(root_directory().ok()?, path).ok()?;
    let image = Image::open(file, 0, "".into()).ok()?;
    let is_its = image.has_symbols && image.build_id.as_deref() == Some(build_id);
    is_its.then_some(image)
}
