//! The memory calls of watched processes, told by BPF programs in the kernel.
//!
//! A process that is watched so isn't stopped, and nobody else pays: a program runs where a memory
//! call returns, looks whether the process is among those watched, and puts arguments and result
//! into a ring. [`Tracer`] loads the programs, attaches them by one of three [`Hook`]s and reads the
//! ring.
//!
//! Neither clang nor libelf is needed, to build it or to run it. Programs are put together by an
//! [`Assembler`] when they are wanted, for the kernel that is there: offsets come from its [`Btf`].
//! [`Code`] is loaded as a [`Program`], with the [`Map`]s that it names, and attached by a [`Link`].
//! These can be used for other programs as well.
//!
//! ```
//! use bpf_memory_trace::{Hook, Options, Tracer};
//!
//! match Tracer::new(Hook::SysExit, Options::default()) {
//!     Ok(mut tracer) => {
//!         let mut child = std::process::Command::new("true").spawn()?;
//!         tracer.watch(child.id())?;
//!         child.wait()?;
//!         let missed = tracer.finish(|record| println!("{record:?}"))?;
//!         println!("not told: {missed:?}");
//!     }
//!     Err(refusal) => println!("not here: {refusal}"),
//! }
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # What others have
//!
//! aya and libbpf-rs load ELF objects, which clang or a nightly rustc with bpf-linker makes, and
//! libbpf needs libelf; rbpf's assembler has neither labels nor maps; bpf-api is not kept up.
//!
//! # References
//! bpf(2), bpf-helpers(7); `Documentation/bpf/` in the kernel's source

#![cfg_attr(doctest, doc = include_str!("../README.md"))]
#![deny(unsafe_code)]

#[cfg(test)]
use suite as _;

mod asm;
mod btf;
mod layout;
mod map;
mod pid_flags;
mod program;
mod programs;
mod record;
mod refusal;
mod reliable;
mod ring;
mod sys;
mod tracer;
mod uring;

pub use asm::{AssembleError, Assembler, Code, Condition, Helper, Label, Register, Width};
pub use btf::Btf;
pub use map::{Map, MapKind};
pub use program::{AttachPoint, Link, LoadError, Program};
pub use programs::Scope;
pub use record::{Record, Seen, StackCopy};
pub use refusal::Refusal;
pub use ring::RingReader;
pub use tracer::{Hook, Missed, Options, Tracer};
