//! Functions' names as their programmers wrote them.

use std::fmt::{self, Write};

use cpp_demangle::{BorrowedSymbol, DemangleOptions};

/// What is told of a name. A mangled one can stand for one that is longer by orders of magnitude.
const MOST_BYTES: usize = 2048;

/// A function's name as a linker knows it, told as in its source if it is one of Rust's or C++'s.
/// What is longer than anybody reads is cut off.
pub(super) fn demangled(name: &str) -> String {
    let mut told = Cut(String::new());
    // Either ends with an error where the text is cut off.
    if let Ok(name) = rustc_demangle::try_demangle(name) {
        let _ = write!(told, "{name:#}");
    } else if let Ok(name) = BorrowedSymbol::new(name.as_bytes()) {
        let _ = name.structured_demangle(&mut told, &DemangleOptions::new());
    }
    if told.0.is_empty() {
        let _ = told.write_str(name);
    }
    told.0
}

/// A text that takes no more than its beginning.
struct Cut(String);

impl Write for Cut {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let left = MOST_BYTES - self.0.len();
        let mut end = left.min(more.len());
        while !more.is_char_boundary(end) {
            end -= 1;
        }
        let fitting = &more[..end];
        self.0.push_str(fitting);
        match fitting.len() == more.len() {
            true => Ok(()),
            false => Err(fmt::Error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_three_languages() {
        for (name, told) in [
            ("malloc", "malloc"),
            (
                "_ZN3std2io5stdio6_print17h0123456789abcdefE",
                "std::io::stdio::_print",
            ),
            ("_RNvCs1234_7mycrate3foo", "mycrate::foo"),
            ("_ZN4Pool5allocEm", "Pool::alloc(unsigned long)"),
            ("_Znwm", "operator new(unsigned long)"),
            ("_Z", "_Z"),
        ] {
            assert_eq!(demangled(name), told);
        }
    }

    /// Each `S_` stands for all before it: the text doubles with every few characters.
    #[test]
    fn a_name_that_stands_for_gigabytes_is_cut_off() {
        let mut name = "_Z1fI1aE".to_owned();
        let mut types = "St4pairIccE".to_owned();
        for _ in 0..40 {
            types = format!("St4pairI{types}S_E");
        }
        name.push_str(&types);
        assert!(demangled(&name).len() <= MOST_BYTES);
        let long = "x".repeat(5000);
        assert_eq!(demangled(&long).len(), MOST_BYTES);
    }
}
