//! What is asked of a watching.

use std::sync::Arc;

use bpf_memory_trace::StackCopy;
use serde::Serialize;

use crate::launch::Stopped;
use memory_event::{Call, Stack};

/// How to watch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Via {
    /// By BPF programs at the calls' own functions, otherwise by tracepoints, otherwise by ptrace:
    /// the first that is permitted and proves right; a note says why not a better one.
    #[default]
    Auto,
    /// By BPF programs or not at all: at the calls' own functions, or, where the kernel refuses
    /// that, at the tracepoint `sys_exit`, for which every system call of the machine pays.
    Bpf,
    /// By tracepoints or not at all.
    Tracepoints,
    /// By ptrace or not at all.
    Ptrace,
}

/// How it is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ViaUsed {
    /// By BPF programs.
    Bpf,
    /// By tracepoints.
    Tracepoints,
    /// By ptrace.
    Ptrace,
}

/// Who made a call by which memory may have grown.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Caller<'a> {
    /// By ptrace: it stands still, traced by the thread that calls the hook.
    Stopped(Stopped),
    /// By the other ways: it runs on, and this was copied as the call returned.
    Copied {
        /// Its process.
        pid: i32,
        /// Registers, and up to 16 KiB of stack.
        stack: &'a StackCopy,
    },
}

pub(super) type GrowthHook =
    Box<dyn FnMut(Caller<'_>, &Call) -> Option<Arc<Stack>> + Send + 'static>;

/// What [`AttachOptions`](crate::AttachOptions) are made of.
#[derive(Default)]
pub(super) struct Settings {
    pub(super) via: Via,
    pub(super) ring_bytes: Option<usize>,
    pub(super) growth: Option<GrowthHook>,
    pub(super) stack_bytes: Option<u16>,
    /// What is told begins with the process's exec.
    pub(super) from_exec: bool,
}
