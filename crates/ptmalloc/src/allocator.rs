//! Whose malloc a process has.

use std::fmt;

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
                version
                    .iter()
                    .try_for_each(|version| write!(f, " {version}"))
            }
            Self::Musl => f.write_str("musl"),
            Self::Jemalloc => f.write_str("jemalloc"),
            Self::Tcmalloc => f.write_str("tcmalloc"),
            Self::Mimalloc => f.write_str("mimalloc"),
            Self::Go => f.write_str("Go"),
        }
    }
}
