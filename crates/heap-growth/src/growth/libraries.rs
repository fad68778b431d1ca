//! Which shared libraries a program has.

use std::sync::Arc;

/// So many of one program are remembered.
const MOST: usize = 1024;

/// Paths of shared libraries that one program opened, or had mapped when it was first seen; shared
/// with the processes that it forks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Libraries(Arc<Vec<Arc<[u8]>>>);

impl Libraries {
    /// The program opened a file, or has it mapped.
    pub(super) fn opened(&mut self, path: &[u8]) {
        let is_new = |known: &[Arc<[u8]>]| known.iter().all(|known| **known != *path);
        if is_a_library(path) && self.0.len() < MOST && is_new(&self.0) {
            Arc::make_mut(&mut self.0).push(path.into());
        }
    }

    /// Their paths, in the order in which they came.
    pub fn paths(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|path| &**path)
    }
}

/// `libssl.so.3`, `_ssl.cpython-311-x86_64-linux-gnu.so`.
fn is_a_library(path: &[u8]) -> bool {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    let at = memchr::memmem::rfind(name, b".so");
    at.is_some_and(|at| matches!(&name[at + 3..], [] | [b'.', b'0'..=b'9', ..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_by_their_names() {
        for (path, wanted) in [
            ("/usr/lib/x86_64-linux-gnu/libssl.so.3", true),
            ("/lib/libc.so", true),
            ("libfoo-1.2.so.1.0.0", true),
            ("/etc/ld.so.cache", false),
            ("/usr/share/sounds.sol", false),
            ("/opt/x.so/readme", false),
            ("", false),
        ] {
            assert_eq!(is_a_library(path.as_bytes()), wanted, "{path}");
        }
        let mut libraries = Libraries::default();
        let before = libraries.clone();
        for path in ["libssl.so.3", "libc.so.6", "libssl.so.3", "libssl.a"] {
            libraries.opened(path.as_bytes());
        }
        let paths: Vec<_> = libraries.paths().collect();
        assert_eq!(paths, [b"libssl.so.3".as_slice(), b"libc.so.6"]);
        assert_eq!(before.paths().count(), 0);
    }
}
