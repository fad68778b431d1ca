//! Whose every resident byte of a running process is, seen from outside.
//!
//! ```
//! use memory_account::{Account, Kind};
//! use proc_memory::Process;
//! use ptmalloc::Examiner;
//!
//! let process = Process::open(std::process::id() as i32)?;
//! let account = Account::of(&process, &Examiner::new().examine(&process))?;
//! let sum: u64 = account.rows.iter().map(|row| row.rss_bytes).sum();
//! assert_eq!(sum, account.rss_bytes());
//! assert!(account.rows.iter().any(|row| row.kind == Kind::File));
//! # Ok::<(), proc_memory::ProcessError>(())
//! ```
//!
//! # What a row means
//!
//! The kernel weighs each mapping, once. A mapping with one owner goes to its row as a whole; of one
//! with several, which is how the kernel merges neighbours, each owner has its own pages, and what
//! nobody claims has the rest. So rows add up to the kernel's figures, whatever happens meanwhile.
//! Where such a mapping is shared with other processes, its owners share what is private by their
//! resident bytes.
//!
//! An owner is named on evidence, which each row states: what the kernel calls a mapping, lists of
//! glibc's malloc, or headers in the memory itself, which have to fit together. A recogniser looks
//! only at anonymous memory that has no owner yet, at resident pages, and at headers alone. `smaps` is
//! read once; an account costs some times that: one and a half to three where headers lie far apart,
//! up to ten where they may begin on any page, as those of LuaJIT's large blocks.

#![cfg_attr(doctest, doc = include_str!("../README.md"))]
#![deny(unsafe_code)]

#[cfg(test)]
use suite as _;
#[cfg(test)]
use tempfile as _;

mod account;
mod elf_bss;
mod glibc;
mod go;
mod jemalloc;
mod jvm;
mod kernel;
mod luajit;
mod mimalloc;
mod pymalloc;
mod row;
mod ruby;
mod space;
mod stacks;
mod v8;
mod zend;

pub use account::Account;
pub use row::{Kind, Row};
