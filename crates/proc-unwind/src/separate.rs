//! Which file has a mapped file's symbols: itself, or one that a distribution ships apart.
//!
//! # References
//! gdb's manual, “Debugging Information in Separate Files”

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::image::UnwindImage;
use crate::elf::{Elf, SymbolTable, Symbols};
use proc_memory::{open_regular, root_directory};

/// Where distributions put them.
const USUAL_DIRECTORIES: [&str; 1] = ["/usr/lib/debug"];

/// The functions that a mapped file names, or that a file of its own names for it.
///
/// A file that has been stripped still names those symbols that others link to. The rest may be in
/// a file of its own, found by build id or by the name that the stripped one gives, and taken only
/// if its build id is the same. `directories`: where to look; `None` for the usual places.
///
/// # Errors
/// If its own can't be read.
pub(super) fn symbols_of(
    image: &UnwindImage,
    directories: Option<&[PathBuf]>,
) -> io::Result<Symbols> {
    if image.elf.has_symbols {
        return image.symbols(SymbolTable::Symtab);
    }
    let usual = USUAL_DIRECTORIES.map(PathBuf::from);
    let directories = directories.unwrap_or(&usual);
    let separate = image.elf.build_id.as_deref().and_then(|build_id| {
        let mut candidates = candidates(image, build_id, directories).into_iter();
        candidates.find_map(|path| symbols_at(&path, build_id))
    });
    match separate {
        Some(symbols) => Ok(symbols),
        None => image.symbols(SymbolTable::Dynsym),
    }
}

fn candidates(image: &UnwindImage, build_id: &[u8], directories: &[PathBuf]) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    if let [first, rest @ ..] = build_id {
        let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!(".build-id/{first:02x}/{rest}.debug");
        // Here a distribution may have put links.
        let places = directories.iter().map(|directory| directory.join(&name));
        paths.extend(places.filter_map(|place| place.canonicalize().ok()));
    }
    if let Some(link) = &image.elf.debug_link
        && let Some(own) = image.path()
        && let Ok(mapped) = fs::read_link(own)
        && let Some(beside) = mapped.parent()
    {
        paths.push(beside.join(link));
        paths.push(beside.join(".debug").join(link));
        let inside = beside.strip_prefix("/").unwrap_or(beside);
        paths.extend(directories.iter().map(|directory| directory.join(inside).join(link)));
    }
    paths
}

/// The functions named in the file at a path, which the mapped one may have chosen, if it has what
/// is missing there.
fn symbols_at(path: &Path, build_id: &[u8]) -> Option<Symbols> {
    let file = open_regular(root_directory().ok()?, path).ok()?;
    let elf = Elf::read(&file).ok()?;
    let is_its = elf.has_symbols && elf.build_id.as_deref() == Some(build_id);
    is_its.then(|| Symbols::read(&file, SymbolTable::Symtab).ok())?
}
