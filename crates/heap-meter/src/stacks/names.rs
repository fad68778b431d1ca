//! Names for code addresses.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use blazesym::symbolize::source::{Elf, Source};
use blazesym::symbolize::{Input, Symbolized, Symbolizer};

use super::separate::{self, Symbols};
use super::space::{Holds, Module, Part};

/// So many addresses are remembered by name.
const MOST_NAMES: usize = 16_384;
/// The symboliser keeps the symbols of so many files.
const MOST_FILES: usize = 64;

/// An address's name and what follows from it.
#[derive(Clone, Debug)]
pub(super) struct Named {
    /// As a frame tells it.
    pub(super) text: Arc<str>,
    /// Set if the function is one of malloc's.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "only requests are found by it")
    )]
    pub(super) allocator: Option<Allocator>,
}

/// The functions of malloc's family whose request can be recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allocator {
    /// `malloc` or `calloc`, which pass on what they were asked for.
    Plain,
    /// `realloc`.
    Realloc,
}

/// Finds names and remembers them.
pub(super) struct Names {
    owner: u64,
    debug_directories: Option<Vec<PathBuf>>,
    /// By image and address in the file.
    known: HashMap<(u64, u64), Named>,
    texts: HashSet<Arc<str>>,
    unreadable: HashSet<Box<str>>,
}

thread_local! {
    /// The symboliser belongs to a thread, as its parts can't be moved to another one.
    static SYMBOLIZER: RefCell<Option<Tables>> = const { RefCell::new(None) };
}

struct Tables {
    owner: u64,
    /// Where each image's symbols are.
    files: HashMap<u64, Option<Symbols>>,
    symbolizer: Symbolizer,
}

impl Tables {
    fn of(owner: u64) -> Self {
        let symbolizer = Symbolizer::builder()
            .enable_code_info(false)
            .enable_inlined_fns(false);
        Self {
            owner,
            files: HashMap::new(),
            symbolizer: symbolizer.build(),
        }
    }
}

impl Names {
    /// `debug_directories`: where separate debug information is; `None` for the usual places.
    pub(super) fn new(debug_directories: Option<Vec<PathBuf>>) -> Self {
        static OWNERS: AtomicU64 = AtomicU64::new(0);
        Self {
            owner: OWNERS.fetch_add(1, Ordering::Relaxed),
            debug_directories,
            known: HashMap::new(),
            texts: HashSet::new(),
            unreadable: HashSet::new(),
        }
    }

    /// The name of the code at an address in a mapping.
    pub(super) fn of(&mut self, part: &Part, address: u64) -> Named {
        let module = match &part.holds {
            Holds::Image(module) => module,
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

    fn find(&mut self, module: &Module, stated: u64) -> Named {
        let library = &module.image.name;
        let Some(function) = self.function(module, stated) else {
            return nameless(self.shared(format!("{library}+{stated:#x}")));
        };
        let (name, allocator) = match allocator(&function) {
            Some((name, allocator)) => (name, Some(allocator)),
            None => (&*function, None),
        };
        let text = if module.main {
            name.to_owned()
        } else {
            format!("{name} ({library})")
        };
        Named {
            text: self.shared(text),
            allocator,
        }
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
        let owner = self.owner;
        let directories = self.debug_directories.as_deref();
        let found = SYMBOLIZER.with_borrow_mut(|slot| {
            let used_up =
                |tables: &Tables| tables.owner != owner || tables.files.len() >= MOST_FILES;
            if slot.as_ref().is_some_and(used_up) {
                *slot = None;
            }
            let tables = slot.get_or_insert_with(|| Tables::of(owner));
            let files = tables.files.entry(image.id);
            let symbols = files.or_insert_with(|| separate::symbols_of(image, directories));
            let mut elf = Elf::new(&symbols.as_ref()?.path);
            // A name is in the symbols already; debug information would take many times the
            // memory and the time to tell it again. Nor are files opened then that this one names.
            elf.debug_syms = false;
            let input = Input::VirtOffset(stated);
            Some(
                match tables
                    .symbolizer
                    .symbolize_single(&Source::from(elf), input)
                {
                    Ok(Symbolized::Sym(symbol)) => Ok(Some(cut(&symbol.name).to_owned())),
                    Ok(Symbolized::Unknown(_)) => Ok(None),
                    Err(error) => Err(error),
                },
            )
        });
        found?.unwrap_or_else(|_| {
            self.unreadable.insert(image.name.clone());
            None
        })
    }

    /// Whose symbols could not be read, in a sentence.
    pub(super) fn note(&self) -> Option<String> {
        let mut names: Vec<_> = self.unreadable.iter().map(|name| &**name).collect();
        names.sort_unstable();
        (!names.is_empty()).then(|| {
            format!(
                "the symbols of these could not be read: {}",
                names.join(", ")
            )
        })
    }
}

/// The beginning of a name. Those of C++ get as long as this; a file may state any.
fn cut(name: &str) -> &str {
    const MOST_BYTES: usize = 2048;
    match name.char_indices().find(|(at, _)| *at >= MOST_BYTES) {
        Some((end, _)) => &name[..end],
        None => name,
    }
}

fn nameless(text: Arc<str>) -> Named {
    Named {
        text,
        allocator: None,
    }
}

/// Which of malloc's family a function is, and the name that everybody knows it by: glibc has
/// several for each (`malloc`, `__libc_malloc`, `__GI___libc_malloc`).
fn allocator(function: &str) -> Option<(&str, Allocator)> {
    let name = function.strip_prefix("__GI_").unwrap_or(function);
    let name = name.strip_prefix("__libc_").unwrap_or(name);
    let name = name.strip_prefix("__").unwrap_or(name);
    match name {
        "malloc" | "calloc" => Some((name, Allocator::Plain)),
        "realloc" => Some((name, Allocator::Realloc)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_malloc() {
        for name in ["malloc", "__libc_malloc", "__GI___libc_malloc"] {
            assert_eq!(
                allocator(name),
                Some(("malloc", Allocator::Plain)),
                "{name}"
            );
        }
        let realloc = Some(("realloc", Allocator::Realloc));
        assert_eq!(allocator("__libc_realloc"), realloc);
        for name in ["_int_malloc", "xmalloc", "CRYPTO_malloc", "malloc_trim"] {
            assert_eq!(allocator(name), None, "{name}");
        }
    }
}
