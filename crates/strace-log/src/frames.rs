//! The stack lines of `strace -k`.

use std::collections::HashMap;
use std::sync::Arc;

/// Reads the lines ` > /lib/libc.so.6(__mmap+0x1a) [0x11a]` and keeps each name once.
#[derive(Debug, Default)]
pub(super) struct Frames {
    names: HashMap<Box<[u8]>, Arc<str>>,
}

/// Lines that are kept with their names. Beyond it all is forgotten, so that memory stays bounded.
const MOST_NAMES: usize = 4096;

impl Frames {
    /// What stands behind the mark ` > ` that such a line begins with, however far it is indented.
    #[inline]
    pub(super) fn in_line(line: &[u8]) -> Option<&[u8]> {
        match line.first() {
            Some(b' ' | b'\t') => line.trim_ascii_start().strip_prefix(b"> "),
            _ => None,
        }
    }

    /// The name of a line's frame, from what stands behind the mark.
    pub(super) fn name(&mut self, line: &[u8]) -> Arc<str> {
        if let Some(name) = self.names.get(line) {
            return Arc::clone(name);
        }
        if self.names.len() >= MOST_NAMES {
            self.names.clear();
        }
        let name: Arc<str> = name_in(line).into();
        self.names.insert(line.into(), Arc::clone(&name));
        name
    }
}

/// The function; if there is none, `library.so+0x1234`; if there is no library either, the text.
///
/// # References
/// strace 6.1, `src/unwind.c`, `print_call_cb`
fn name_in(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let named = || {
        let (before, offset) = text.rsplit_once(" [")?;
        let (offset, _) = offset.split_once(']')?;
        let (file, function) = before.strip_suffix(')')?.split_once('(')?;
        let function = function.rsplit_once("+0x").map_or(function, |(name, _)| name);
        if !function.is_empty() {
            return Some(function.to_owned());
        }
        let library = file.rsplit('/').next().unwrap_or(file);
        Some(format!("{library}+{offset}"))
    };
    named().unwrap_or_else(|| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (line, name) in [
            ("/usr/lib/libc.so.6(__mmap+0x1a) [0x11a4fa]", "__mmap"),
            ("/usr/bin/x(void f<int>(int)+0x12) [0x1] x.cc:3", "void f<int>(int)"),
            ("/usr/bin/x() [0x1234]", "x+0x1234"),
            ("[vdso]() [0x12]", "[vdso]+0x12"),
            ("unexpected_backtracing_error [0x5]", "unexpected_backtracing_error [0x5]"),
        ] {
            assert_eq!(&*Frames::default().name(line.as_bytes()), name);
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut frames = Frames::default();
        for n in 0..3 * MOST_NAMES {
            frames.name(format!("/x(f{n}+0x1) [0x1]").as_bytes());
            assert!(frames.names.len() <= MOST_NAMES);
        }
    }
}
