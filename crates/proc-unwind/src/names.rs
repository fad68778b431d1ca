//! Names for code addresses: the functions' own, as their programmers wrote them.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use cpp_demangle::{BorrowedSymbol, DemangleOptions};

use super::separate;
use super::space::{CodeRange, Holds, Module};
use crate::elf::Symbols;

/// So many addresses are remembered by name.
const MOST_NAMES: usize = 16_384;
/// So much is kept of files' symbols. The next file's are read all the same: the others' go.
const MOST_TABLE_BYTES: usize = 256 << 20;

/// An address's name and what follows from it.
#[derive(Clone, Debug)]
pub(super) struct NamedFunction {
    /// As a frame tells it.
    pub(super) text: Arc<str>,
    /// Set if the function is one of malloc's.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "only requests are found by it")
    )]
    pub(super) allocator: Option<AllocatorKind>,
}

/// The functions of malloc's family whose request can be recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AllocatorKind {
    /// `malloc` or `calloc`, which pass on what they were asked for.
    Plain,
    /// `realloc`.
    Realloc,
}

pub(super) struct FunctionNames {
    debug_directories: Option<Vec<PathBuf>>,
    /// By image and address in the file.
    known: HashMap<(u64, u64), NamedFunction>,
    texts: HashSet<Arc<str>>,
    files: HashMap<u64, Symbols>,
    table_bytes: usize,
    unreadable: HashSet<Box<str>>,
}

impl FunctionNames {
    /// `debug_directories`: where separate debug information is; `None` for the usual places.
    pub(super) fn new(debug_directories: Option<Vec<PathBuf>>) -> Self {
        Self {
            debug_directories,
            known: HashMap::new(),
            texts: HashSet::new(),
            files: HashMap::new(),
            table_bytes: 0,
            unreadable: HashSet::new(),
        }
    }

    /// The name of the code at an address in a mapping.
    pub(super) fn of(&mut self, part: &CodeRange, address: u64) -> NamedFunction {
        let module = match &part.holds {
            Holds::UnwindImage(module) => module,
            Holds::Closed(name) => {
                return nameless(format!("{name}+{:#x}", part.offset(address)).into());
            }
            Holds::Anonymous => return nameless(format!("{address:#x}").into()),
        };
        let stated = address.wrapping_sub(module.bias);
        let key = (module.image.id, stated);
        if let Some(named) = self.known.get(&key) {
            return named.clone();
        }
        if self.known.len() >= MOST_NAMES {
            self.known.clear();
            self.texts.clear();
        }
        let named = self.find(module, stated);
        self.known.insert(key, named.clone());
        named
    }

    fn find(&mut self, module: &Module, stated: u64) -> NamedFunction {
        let library = &module.image.name;
        let Some(function) = self.function(module, stated) else {
            return nameless(self.shared(format!("{library}+{stated:#x}")));
        };
        let (name, allocator) = match allocator(&function) {
            Some((name, allocator)) => (name, Some(allocator)),
            None => (&*function, None),
        };
        let text = if module.main { name.to_owned() } else { format!("{name} ({library})") };
        NamedFunction { text: self.shared(text), allocator }
    }

    /// One copy of a text, as many addresses lie in one function.
    fn shared(&mut self, text: String) -> Arc<str> {
        if let Some(shared) = self.texts.get(text.as_str()) {
            return Arc::clone(shared);
        }
        let shared: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&shared));
        shared
    }

    fn function(&mut self, module: &Module, stated: u64) -> Option<String> {
        let image = &module.image;
        if !self.files.contains_key(&image.id) {
            let directories = self.debug_directories.as_deref();
            let symbols = separate::symbols_of(image, directories).unwrap_or_else(|_| {
                self.unreadable.insert(image.name.clone());
                Symbols::default()
            });
            if self.table_bytes > MOST_TABLE_BYTES {
                self.files.clear();
                self.table_bytes = 0;
            }
            self.table_bytes += symbols.table_bytes();
            self.files.insert(image.id, symbols);
        }
        Some(demangled(self.files.get(&image.id)?.at(stated)?))
    }

    /// Whose symbols could not be read, in a sentence.
    pub(super) fn note(&self) -> Option<String> {
        let mut names: Vec<_> = self.unreadable.iter().map(|name| &**name).collect();
        names.sort_unstable();
        (!names.is_empty())
            .then(|| format!("the symbols of these could not be read: {}", names.join(", ")))
    }
}

fn nameless(text: Arc<str>) -> NamedFunction {
    NamedFunction { text, allocator: None }
}

/// Which of malloc's family a function is, and the name that everybody knows it by: glibc has
/// several for each (`malloc`, `__libc_malloc`, `__GI___libc_malloc`).
fn allocator(function: &str) -> Option<(&str, AllocatorKind)> {
    let name = function.strip_prefix("__GI_").unwrap_or(function);
    let name = name.strip_prefix("__libc_").unwrap_or(name);
    let name = name.strip_prefix("__").unwrap_or(name);
    match name {
        "malloc" | "calloc" => Some((name, AllocatorKind::Plain)),
        "realloc" => Some((name, AllocatorKind::Realloc)),
        _ => None,
    }
}

/// What is told of a demangled name. A mangled one can stand for one that is longer by orders of magnitude.
const MOST_NAME_BYTES: usize = 2048;

/// A function's name as a linker knows it, told as in its source if it is one of Rust's or C++'s.
/// What is longer than anybody reads is cut off.
fn demangled(name: &str) -> String {
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
        let left = MOST_NAME_BYTES - self.0.len();
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
    fn the_names_of_malloc() {
        for name in ["malloc", "__libc_malloc", "__GI___libc_malloc"] {
            assert_eq!(allocator(name), Some(("malloc", AllocatorKind::Plain)), "{name}");
        }
        let realloc = Some(("realloc", AllocatorKind::Realloc));
        assert_eq!(allocator("__libc_realloc"), realloc);
        for name in ["_int_malloc", "xmalloc", "CRYPTO_malloc", "malloc_trim"] {
            assert_eq!(allocator(name), None, "{name}");
        }
    }

    #[test]
    fn names_of_three_languages() {
        for (name, told) in [
            ("malloc", "malloc"),
            ("_ZN3std2io5stdio6_print17h0123456789abcdefE", "std::io::stdio::_print"),
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
        assert!(demangled(&name).len() <= MOST_NAME_BYTES);
        let long = "x".repeat(5000);
        assert_eq!(demangled(&long).len(), MOST_NAME_BYTES);
    }
}
