//! The trick before `main`, where lua-nginx-module played it.
//!
//! A C constructor is a function pointer in the section `.init_array`; the loader calls it when
//! the libraries are ready and before `main`. [`punch_before_main!`](crate::punch_before_main) puts
//! one into the binary that asks for it.
//!
//! # Safety
//! `unsafe` is needed for getenv(3), called while there is one thread.
#![allow(unsafe_code)]

use crate::trick::TrickOutcome;
use std::ffi::CStr;
use std::sync::OnceLock;

/// Holds what came of the trick, from before `main` to the end of the process.
#[derive(Debug)]
pub struct BeforeMain(OnceLock<TrickOutcome>);

impl BeforeMain {
    #[doc(hidden)]
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    #[doc(hidden)]
    pub fn set(&self, outcome: TrickOutcome) {
        // The loader runs a constructor once; were it run again, the first outcome stays true.
        let _ = self.0.set(outcome);
    }

    /// What came of it; `None` when the condition was false and nothing was tried.
    pub fn outcome(&self) -> Option<TrickOutcome> {
        self.0.get().copied()
    }
}

/// Whether the environment variable `name` is `value`, asked without touching the heap.
///
/// For conditions of [`punch_before_main!`](crate::punch_before_main): they run before Rust's
/// runtime is set up, where `std::env` isn't promised to work.
pub fn env_is(name: &CStr, value: &CStr) -> bool {
    // SAFETY: `name` ends in NUL. Nobody changes the environment before `main`.
    let found = unsafe { libc::getenv(name.as_ptr()) };
    if found.is_null() {
        return false;
    }
    // SAFETY: getenv answers with a string of the environment, which ends in NUL and stays.
    let found = unsafe { CStr::from_ptr(found) };
    found == value
}

/// Plays [the trick](crate::limit_data_segment) before `main`, in a binary that opts in.
///
/// ```
/// fn wanted() -> bool {
///     brk_hole::env_is(c"WITH_HOLE", c"1")
/// }
///
/// // SAFETY: this binary starts no thread before `main`.
/// brk_hole::punch_before_main!(unsafe static TRICK, if wanted);
///
/// fn main() {
///     assert_eq!(TRICK.outcome(), None);
/// }
/// ```
///
/// Without `if …` it is always played. The condition is a `fn() -> bool`; it must not allocate, or
/// the heap is set up before the page is there.
///
/// # Safety
/// `unsafe` is part of what is written: whoever writes it promises that no constructor that runs
/// earlier has started a thread. Use it in the binary itself; a linker may leave it out of a library.
#[macro_export]
macro_rules! punch_before_main {
    ($visibility:vis unsafe static $name:ident) => {
        $crate::punch_before_main!($visibility unsafe static $name, if || true);
    };
    ($visibility:vis unsafe static $name:ident, if $wanted:expr) => {
        $visibility static $name: $crate::BeforeMain =
            $crate::BeforeMain::new();
        const _: () = {
            extern "C" fn constructor() {
                let wanted: fn() -> bool = $wanted;
                if wanted() {
                    // SAFETY: promised by who invoked the macro: there is one thread.
                    $name.set(unsafe { $crate::limit_data_segment() });
                }
            }
            #[used]
            #[unsafe(link_section = ".init_array")]
            static CONSTRUCTOR: extern "C" fn() = constructor;
        };
    };
}
