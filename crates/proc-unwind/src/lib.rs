//! Who asked for memory: the functions that led to a system call, and what had been asked of
//! malloc.
//!
//! [`Stacks::of`] looks at a thread that is stopped under ptrace, [`Stacks::copied`] at registers
//! and stack that were copied of one that runs on. framehop finds the way back from
//! function to function by the unwind tables that every program carries, so neither frame pointers
//! nor debug information are needed; the names are in the file's own symbols or, where
//! those were stripped, in the file that `/usr/lib/debug` has for the same build. A function that
//! the compiler made part of another is told as that other one. The files are those that the
//! process sees, wherever its mount namespace has them, and a file once opened stays open, so
//! that it doesn't matter if it is deleted.
//!
//! A frame is told as `function` if it is in the program itself, as `function (library.so)` if it
//! is in a library, as `file+0x1234` (an address as the file states it) where no symbol is known,
//! and as `0x7f…` in code that the program made itself.
//!
//! How many bytes were asked of malloc is known for glibc's malloc on x86-64, most of the time:
//! see [`Stack::requested_bytes`](memory_event::Stack::requested_bytes). Reading it costs some
//! microseconds and changes nothing in the target. It is absent when malloc was called for the first time (what is too big for it then is
//! malloc's own first request), where the heap of a new thread begins, and for static programs
//! without symbols.

#![cfg_attr(doctest, doc = include_str!("../README.md"))]
#![deny(unsafe_code)]

#[cfg(test)]
use suite as _;

mod chain;
mod elf;
mod image;
mod images;
mod memory;
mod names;
#[cfg(target_arch = "x86_64")]
mod recover;
#[cfg(target_arch = "x86_64")]
mod request;
mod separate;
mod space;
mod stacks;

pub use chain::{CallSite, Chain};
pub use elf::{Elf, Function, Segment, SymbolTable, Symbols, Table};
pub use stacks::{CodeFile, CopiedStack, MOST_FRAMES, Stacks};
