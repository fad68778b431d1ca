//! Growth by function, over all stacks: whose code it was in which memory was asked for.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use heap_growth::StackGrowth;
use ptmalloc::Allocator;
use serde::Serialize;

/// Growth that was asked for in a function, or in what it called.
///
/// Functions of allocators aren't told, and of a library only those that others call: what a
/// library does within counts for the function by which it was entered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ByFunction {
    /// Its name, as stacks have it: with its library in parentheses, unless it is the program's own.
    pub function: String,
    /// What was asked for in it and in all that it called.
    pub inclusive_bytes: u64,
    /// Of that, what no other function that is told was called for.
    pub exclusive_bytes: u64,
}

/// All of them, those in which most was asked for first; among equals callers come before callees.
pub(super) fn by_function(stacks: &[StackGrowth]) -> Vec<ByFunction> {
    let mut functions: Vec<ByFunction> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for stack in stacks {
        let told = told(&stack.frames);
        // Outermost first, and once a stack: a function that calls itself asked once.
        let mut of_stack: Vec<usize> = Vec::new();
        for frame in told.iter().rev() {
            let index = match known.entry(frame) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => {
                    functions.push(ByFunction {
                        function: (*frame).to_owned(),
                        inclusive_bytes: 0,
                        exclusive_bytes: 0,
                    });
                    *new.insert(functions.len() - 1)
                }
            };
            if !of_stack.contains(&index) {
                of_stack.push(index);
                functions[index].inclusive_bytes += stack.bytes;
            }
        }
        if let Some(innermost) = told.first().and_then(|frame| known.get(frame)) {
            functions[*innermost].exclusive_bytes += stack.bytes;
        }
    }
    functions.sort_by_key(|function| std::cmp::Reverse(function.inclusive_bytes));
    functions
}

/// The frames that are told of a stack, innermost first: without those of the allocator, without
/// what a library does within, and without where the thread began.
fn told(frames: &[Arc<str>]) -> Vec<&str> {
    let frames = callers(frames);
    let mut told = Vec::new();
    for (number, frame) in frames.iter().enumerate() {
        let library = library(frame);
        let caller = frames.get(number + 1).and_then(|caller| self::library(caller));
        if (library.is_none() || library != caller) && !is_beginning(frame) {
            told.push(&**frame);
        }
    }
    told
}

/// The stack from the function on that called the allocator; all of it if that isn't there.
pub(crate) fn callers(frames: &[Arc<str>]) -> &[Arc<str>] {
    let first = frames.iter().position(|frame| !is_allocators(frame));
    &frames[first.unwrap_or(0)..]
}

/// Whether a frame is of the program's own code, as far as its name tells: it has a name and no
/// library, and isn't where every program begins.
pub(crate) fn is_programs(frame: &str) -> bool {
    matches!(parts(frame), (Some(_), None)) && !is_beginning(frame)
}

fn library(frame: &str) -> Option<&str> {
    parts(frame).1
}

/// A frame's function and its library, as far as they are known: `f (libc.so.6)`, `f` in the program
/// itself, `libc.so.6+0x1234` or `0x7f…` without a name.
fn parts(frame: &str) -> (Option<&str>, Option<&str>) {
    if let Some((name, library)) = frame.strip_suffix(')').and_then(|it| it.rsplit_once(" (")) {
        return (Some(name), Some(library));
    }
    match frame.rsplit_once("+0x") {
        Some((file, _)) => (None, Some(file)),
        None => (Some(frame).filter(|it| !it.starts_with("0x") && !is_remark(it)), None),
    }
}

/// Functions that ask for memory on behalf of others, in glibc and in what programs put before it.
const ALLOCATORS: &str = "malloc calloc realloc reallocarray memalign posix_memalign aligned_alloc \
    valloc pvalloc brk sbrk default_morecore mmap mmap64 mremap strdup strndup new_heap grow_heap \
    CRYPTO_malloc CRYPTO_zalloc CRYPTO_calloc CRYPTO_realloc CRYPTO_clear_realloc CRYPTO_strdup \
    CRYPTO_memdup g_malloc g_malloc0 g_malloc_n g_realloc g_slice_alloc ngx_alloc ngx_calloc \
    ngx_memalign zmalloc zmalloc_usable zcalloc zrealloc zrealloc_usable xmalloc xcalloc \
    xrealloc xstrdup PyMem_Malloc PyMem_Realloc PyMem_RawMalloc PyMem_RawRealloc PyObject_Malloc \
    PyObject_Calloc PyObject_Realloc";

/// Where processes and threads begin, before any code of a program's author.
const BEGINNINGS: [&str; 5] =
    ["_start", "__libc_start_main", "__libc_start_call_main", "start_thread", "clone3"];

/// A function's name without its symbol's version: `f@GLIBC_2.2.5`.
fn bare(name: &str) -> &str {
    name.split('@').next().unwrap_or(name)
}

fn is_allocators(frame: &str) -> bool {
    let (name, library) = parts(frame);
    // Nothing else is in these libraries.
    if let Some(Allocator::Jemalloc | Allocator::Tcmalloc | Allocator::Mimalloc) =
        library.and_then(|it| Allocator::of_library(it.as_bytes()))
    {
        return true;
    }
    let Some(name) = name else {
        // glibc's static functions have no name where its symbols aren't installed.
        return library.is_some_and(|it| it.starts_with("libc.so") || it.starts_with("libc-2."));
    };
    let name = bare(name)
        .trim_start_matches("__libc_")
        .trim_start_matches("_int_")
        .trim_start_matches('_');
    ALLOCATORS.split(' ').any(|known| known == name)
        || name.starts_with("sysmalloc")
        || name.starts_with("operator new")
}

/// Whether it is no frame, but says why there are no more: `[stack not copied]`.
fn is_remark(frame: &str) -> bool {
    frame.starts_with('[') && frame.ends_with(']')
}

fn is_beginning(frame: &str) -> bool {
    is_remark(frame) || parts(frame).0.is_some_and(|name| BEGINNINGS.contains(&bare(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(frames: &[&str], bytes: u64) -> StackGrowth {
        let mut stack = StackGrowth::default();
        stack.frames = frames.iter().map(|frame| (*frame).into()).collect();
        stack.bytes = bytes;
        stack
    }

    fn told_of(stacks: &[StackGrowth]) -> Vec<(String, u64, u64)> {
        by_function(stacks)
            .into_iter()
            .map(|it| (it.function, it.inclusive_bytes, it.exclusive_bytes))
            .collect()
    }

    #[test]
    fn who_called_the_library_is_told_and_not_its_inside() {
        let stacks = [
            stack(
                &[
                    "brk (libc.so.6)",
                    "__default_morecore@GLIBC_2.2.5 (libc.so.6)",
                    "sbrk (libc.so.6)",
                    "libc.so.6+0x9a0b4",
                    "malloc (libc.so.6)",
                    "CRYPTO_zalloc (libcrypto.so.3)",
                    "ASN1_item_new (libcrypto.so.3)",
                    "X509_STORE_load_file (libcrypto.so.3)",
                    "SSL_CTX_load_verify_locations (libssl.so.3)",
                    "load",
                    "main",
                    "__libc_start_main@GLIBC_2.34 (libc.so.6)",
                    "_start",
                ],
                70,
            ),
            stack(&["malloc (libc.so.6)", "load", "load", "main"], 20),
            stack(&["operator new(unsigned long) (libstdc++.so.6)", "main"], 10),
            stack(
                &[
                    "mmap (libc.so.6)",
                    "libjemalloc.so.2+0x94b59",
                    "malloc (libjemalloc.so.2)",
                    "zmalloc_usable",
                    "read",
                    "main",
                ],
                3,
            ),
        ];
        let expected = [
            ("main", 103, 10),
            ("load", 90, 20),
            ("SSL_CTX_load_verify_locations (libssl.so.3)", 70, 0),
            ("X509_STORE_load_file (libcrypto.so.3)", 70, 70),
            ("read", 3, 3),
        ];
        assert_eq!(told_of(&stacks), expected.map(|(name, all, own)| (name.to_owned(), all, own)));
    }

    #[test]
    fn what_each_function_asked_for_itself_adds_up() {
        let stacks = [
            stack(&["0x7f00", "f", "main"], 5),
            stack(&["malloc (libc.so.6)"], 7),
            stack(&["_int_malloc", "malloc", "f", "main"], 1),
            stack(&["main", "f", "main"], 11),
            stack(&["tool+0x12", "tool+0x40", "main"], 13),
            stack(&["malloc (libc.so.6)", "f", "[stack not copied]"], 17),
        ];
        let functions = by_function(&stacks);
        let own: u64 = functions.iter().map(|function| function.exclusive_bytes).sum();
        assert_eq!(own, 54);
        assert!(functions.iter().all(|function| !function.function.starts_with('[')));
        assert!(
            functions
                .iter()
                .all(|f| f.inclusive_bytes <= 54 && f.exclusive_bytes <= f.inclusive_bytes)
        );
    }

    #[test]
    fn the_programs_own_code_is_known_by_its_frames() {
        assert!(is_programs("ngx_http_block") && is_programs("<T as U>::m"));
        assert!(
            !is_programs("f (libx.so)")
                && !is_programs("[stack not copied]")
                && !is_programs("libx.so+0x12")
                && !is_programs("_start")
                && !is_programs("0x7f")
        );
        let all_allocators = ["malloc (libc.so.6)".into()];
        assert_eq!(callers(&all_allocators).len(), 1);
    }
}
