//! Whose malloc a process has: told by its libraries' names, and by words that only one has.

use std::fmt;

use super::loaded_image::LoadedImage;

/// An allocator that is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Allocator {
    /// glibc's own.
    Glibc {
        /// As the library states it, such as `2.36`; `None` where it doesn't (static programs).
        version: Option<String>,
        /// Linked into the program itself.
        is_static: bool,
    },
    /// musl's.
    Musl,
    /// jemalloc.
    Jemalloc,
    /// gperftools' or Google's tcmalloc.
    Tcmalloc,
    /// mimalloc.
    Mimalloc,
    /// Go's runtime.
    Go,
}

impl Allocator {
    /// Which one other than glibc's a shared library is, by its file's name.
    pub fn of_library(name: &[u8]) -> Option<Self> {
        let named = |prefix: &[u8]| {
            let rest = name.strip_prefix(prefix);
            rest.is_some_and(|rest| memchr::memmem::find(rest, b".so").is_some())
        };
        if named(b"libjemalloc") {
            Some(Self::Jemalloc)
        } else if named(b"libtcmalloc") {
            Some(Self::Tcmalloc)
        } else if named(b"libmimalloc") {
            Some(Self::Mimalloc)
        } else if named(b"ld-musl-") || named(b"libc.musl-") {
            Some(Self::Musl)
        } else {
            None
        }
    }

    /// glibc's version, where the library states it.
    pub(super) fn glibc_version(&self) -> Option<&str> {
        match self {
            Self::Glibc { version, .. } => version.as_deref(),
            _ => None,
        }
    }
}

impl fmt::Display for Allocator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Glibc { version, is_static } => {
                if *is_static {
                    f.write_str("static ")?;
                }
                f.write_str("glibc")?;
                version.iter().try_for_each(|version| write!(f, " {version}"))
            }
            Self::Musl => f.write_str("musl"),
            Self::Jemalloc => f.write_str("jemalloc"),
            Self::Tcmalloc => f.write_str("tcmalloc"),
            Self::Mimalloc => f.write_str("mimalloc"),
            Self::Go => f.write_str("Go"),
        }
    }
}

/// Whether a library is glibc's.
pub(super) fn is_glibc(name: &[u8]) -> bool {
    let numbered = name.starts_with(b"libc-2.") && name.ends_with(b".so");
    name == b"libc.so.6" || numbered
}

/// Words that stand in a program that has the allocator in itself; backwards here, so that they do
/// not stand in this one.
const WORDS: [(&[u8], Allocator); 5] = [
    (b":fnidliub oG \xff", Allocator::Go),
    (b" :>collamej<", Allocator::Jemalloc),
    (b"RETEMARAP_ELPMAS_COLLAMCT", Allocator::Tcmalloc),
    (b" :rorre :collamim", Allocator::Mimalloc),
    (b"( cbil lsum", Allocator::Musl),
];

/// Adds the other allocators that a piece of a file tells of, each once, in an order that doesn't
/// depend on the pieces.
pub(super) fn by_words(piece: &[u8], found: &mut Vec<Allocator>) {
    for (word, allocator) in WORDS {
        let word: Vec<u8> = word.iter().rev().copied().collect();
        if !found.contains(&allocator) && memchr::memmem::find(piece, &word).is_some() {
            found.push(allocator);
        }
    }
    found.sort_by_key(|one| WORDS.iter().position(|(_, allocator)| allocator == one));
}

/// Other allocators among the libraries of a process, each once.
pub(super) fn libraries(images: &[LoadedImage]) -> Vec<Allocator> {
    let mut found = Vec::new();
    for allocator in images.iter().filter_map(|image| Allocator::of_library(image.name())) {
        if !found.contains(&allocator) {
            found.push(allocator);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_libraries() {
        for name in ["libc.so.6", "libc-2.31.so", "libc-2.27.so"] {
            assert!(is_glibc(name.as_bytes()), "{name}");
        }
        for name in ["libc.so", "libcrypt.so.1", "libc-client.so", "libc.so.6.bak"] {
            assert!(!is_glibc(name.as_bytes()), "{name}");
        }
        for (name, allocator) in [
            ("libjemalloc.so.2", Some(Allocator::Jemalloc)),
            ("libtcmalloc_minimal.so.4.5.9", Some(Allocator::Tcmalloc)),
            ("libmimalloc.so.2.0", Some(Allocator::Mimalloc)),
            ("libmimalloc-secure.so.2", Some(Allocator::Mimalloc)),
            ("ld-musl-x86_64.so.1", Some(Allocator::Musl)),
            ("libjemalloc-notes.txt", None),
            ("libc.so.6", None),
        ] {
            assert_eq!(Allocator::of_library(name.as_bytes()), allocator, "{name}");
        }
    }
}
