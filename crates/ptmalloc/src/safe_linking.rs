//! How a chunk in a fast bin keeps the link to the next one.
//!
//! Since 2.32 links are mangled with the number of the page that they are on. One link alone doesn't
//! always tell which it is: with a heap at low addresses both readings lead to where a chunk can be.
//! All links of all bins do. The end of a list counts most: read as mangled it is a word that hardly
//! ever stands anywhere by chance, so that reading comes first; plain it is zero, which stands
//! everywhere.
//!
//! # References
//! glibc `malloc/malloc.c`, `PROTECT_PTR`

/// How a chunk in a fast bin keeps the link to the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum LinkProtection {
    /// As it is: until 2.31.
    Plain,
    /// Mangled with its own place: since 2.32.
    #[default]
    Mangled,
}

impl LinkProtection {
    /// Those that glibc has in this version; both, the one to be tried first before the other, where
    /// the version isn't known or is none of a release.
    pub(super) fn of(version: Option<&str>) -> &'static [Self] {
        const FIRST_MANGLED: u32 = 32;
        let minor = version.and_then(|version| version.strip_prefix("2."));
        match minor.and_then(|minor| minor.parse::<u32>().ok()) {
            Some(minor) if minor < FIRST_MANGLED => &[Self::Plain],
            Some(_) => &[Self::Mangled],
            None => &[Self::Mangled, Self::Plain],
        }
    }

    /// How the link at `place` to a chunk at `address` is stored, and back.
    pub(super) fn across(self, place: u64, address: u64) -> u64 {
        match self {
            Self::Plain => address,
            Self::Mangled => place >> 12 ^ address,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_has_one_way_and_none_has_both() {
        assert_eq!(LinkProtection::of(Some("2.31")), [LinkProtection::Plain]);
        assert_eq!(LinkProtection::of(Some("2.32")), [LinkProtection::Mangled]);
        assert_eq!(LinkProtection::of(Some("2.41")), [LinkProtection::Mangled]);
        let both = [LinkProtection::Mangled, LinkProtection::Plain];
        assert_eq!(LinkProtection::of(None), both);
        assert_eq!(LinkProtection::of(Some("2.31.9000")), both);
        assert_eq!(LinkProtection::of(Some("x")), both);
    }
}
