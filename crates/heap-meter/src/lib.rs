//! Compares memory and system calls of the same work in several arms: with and without a hole at the
//! program break, with and without a library, before and after a change.
//!
//! [`experiment`] runs each arm's program in fresh processes, in turns. The parent weighs it at its
//! checkpoints, so that weighing never disturbs its heap; time and memory come from untraced runs,
//! system calls from traced ones. [`statistics`] gives medians and how sure their ratio is,
//! [`environment`] what it ran on. [`report`] writes it all for people and for programs; [`trace`]
//! does that for a single watched run.
//!
//! What it stands on can be used by itself: `memory-trace` watches programs, `proc-memory` weighs processes,
//! `heap-growth` says who grew, `heap-diagnosis` what that means.
//!
//! It knows nothing of what it weighs: no OpenSSL, no Lua, no nginx. Linux only.

#![cfg_attr(doctest, doc = include_str!("../README.md"))]
#![deny(unsafe_code)]

#[cfg(test)]
use suite as _;

pub mod environment;
pub mod experiment;
pub mod report;
pub mod statistics;
pub mod trace;
