//! Programs in the kernel, and what they are attached to.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use crate::asm::Code;
use crate::map::Map;
use crate::sys;
use crate::sys::program::{
    KPROBE_MULTI, ProgramKind, link_kprobe_multi, prog_load, raw_tracepoint_open,
};

/// How long the verifier's explanation can be.
const LOG_BYTES: usize = 16 << 20;

/// Where a program is called from. Ids are those of [`Btf`](crate::Btf).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttachPoint {
    /// A tracepoint; its arguments are the program's context (`tp_btf/NAME`).
    Tracepoint {
        /// Of the tracepoint's type.
        btf_id: u32,
    },
    /// A function's beginning; its arguments are the context (`fentry/NAME`).
    Fentry {
        /// Of the function.
        btf_id: u32,
    },
    /// The return of a function; its arguments, then its result are the context (`fexit/NAME`).
    Fexit {
        /// Of the function.
        btf_id: u32,
    },
    /// The returns of any number of functions; the registers at the return are the context
    /// (`kretprobe.multi`).
    KprobeMulti,
}

impl AttachPoint {
    fn kind(self) -> ProgramKind {
        // BPF_PROG_TYPE_TRACING and BPF_PROG_TYPE_KPROBE; BPF_TRACE_RAW_TP, BPF_TRACE_FENTRY and
        // BPF_TRACE_FEXIT.
        let (program, attach, btf_id) = match self {
            Self::Tracepoint { btf_id } => (26, 23, btf_id),
            Self::Fentry { btf_id } => (26, 24, btf_id),
            Self::Fexit { btf_id } => (26, 25, btf_id),
            Self::KprobeMulti => (2, KPROBE_MULTI, 0),
        };
        ProgramKind { program, attach, btf_id }
    }
}

/// A program that the verifier has accepted. It is unloaded when this and its link are dropped.
#[derive(Debug)]
pub struct Program {
    fd: OwnedFd,
}

/// Why a program wasn't loaded.
#[derive(Debug, thiserror::Error)]
#[error("{source}{}", .log.lines().last().map(|line| format!(": {line}")).unwrap_or_default())]
#[non_exhaustive]
pub struct LoadError {
    /// The kernel's answer.
    pub source: io::Error,
    /// What the verifier said: the way it took through the program, and at what it stopped.
    /// Empty where the refusal came from elsewhere.
    pub log: String,
}

impl Program {
    /// Loads it. `maps` are those that it names.
    ///
    /// # Errors
    /// A capability is missing, the kernel lacks that attach point, or the verifier found fault
    /// with the program, which [`LoadError::log`] then tells. `ENOENT`: no such map among `maps`.
    ///
    /// # References
    /// bpf(2), `BPF_PROG_LOAD`; `Documentation/bpf/verifier.rst`
    pub fn load(
        name: &str,
        code: &Code,
        point: AttachPoint,
        maps: &[&Map],
    ) -> Result<Self, LoadError> {
        let descriptor = |name: &str| {
            let map = maps.iter().find(|map| map.name() == name)?;
            Some(map.as_fd().as_raw_fd())
        };
        let instructions = code.relocated(descriptor).map_err(|name| LoadError {
            source: io::Error::from_raw_os_error(libc::ENOENT),
            log: format!("no map called {name} was given"),
        })?;
        let load = |mut log: Option<&mut [u8]>| {
            // EAGAIN: a signal came while it was verified.
            for _ in 0..5 {
                match prog_load(&instructions, name, point.kind(), log.as_deref_mut()) {
                    Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {}
                    loaded => return loaded,
                }
            }
            prog_load(&instructions, name, point.kind(), log)
        };
        match load(None) {
            Ok(fd) => Ok(Self { fd }),
            Err(source) => {
                let mut log = vec![0; LOG_BYTES];
                if let Ok(fd) = load(Some(&mut log)) {
                    return Ok(Self { fd });
                }
                let text = log.split(|byte| *byte == 0).next().unwrap_or_default();
                let log = String::from_utf8_lossy(text).trim_end().to_owned();
                Err(LoadError { source, log })
            }
        }
    }

    /// How often it was not run because it was running already on that processor: a program that
    /// is preempted there has others skipped. 0 before Linux 5.12.
    ///
    /// # Errors
    /// None that is known.
    ///
    /// # References
    /// `struct bpf_prog_info`, `recursion_misses`
    pub fn recursion_misses(&self) -> io::Result<u64> {
        let info: [u64; 28] = sys::info(self.fd.as_fd())?;
        // At byte 208.
        Ok(info[26])
    }
}

/// A program's being attached. Dropping it detaches the program; killing the process does, too.
#[derive(Debug)]
pub struct Link {
    fd: OwnedFd,
    is_multi: bool,
}

impl Link {
    /// Attaches a program to its tracepoint or to its function's return.
    ///
    /// # Errors
    /// The kernel can't hook this function, or `E2BIG`: 38 programs are there already.
    ///
    /// # References
    /// bpf(2), `BPF_RAW_TRACEPOINT_OPEN`
    pub fn attach(program: &Program) -> io::Result<Self> {
        let fd = raw_tracepoint_open(program.fd.as_fd())?;
        let is_multi = false;
        Ok(Self { fd, is_multi })
    }

    /// Attaches an [`AttachPoint::KprobeMulti`] program to the returns of these functions.
    ///
    /// # Errors
    /// `ESRCH`: the kernel has no such function. `EOPNOTSUPP`: nor such links
    /// (`CONFIG_FPROBE`).
    ///
    /// # References
    /// bpf(2), `BPF_LINK_CREATE`; `Documentation/trace/fprobe.rst`
    pub fn kprobe_multi(program: &Program, functions: &[String]) -> io::Result<Self> {
        let names: Result<Vec<_>, _> = functions.iter().map(|name| CString::new(&**name)).collect();
        let fd = link_kprobe_multi(program.fd.as_fd(), &names?)?;
        let is_multi = true;
        Ok(Self { fd, is_multi })
    }

    /// How many returns a [`kprobe_multi`](Self::kprobe_multi) link missed, for want of a place to
    /// keep the return address. 0 before Linux 6.7, which doesn't tell.
    ///
    /// # Errors
    /// None that is known.
    ///
    /// # References
    /// `struct bpf_link_info`, `kprobe_multi.missed`
    pub fn missed(&self) -> io::Result<u64> {
        if !self.is_multi {
            return Ok(0);
        }
        let info: [u64; 6] = sys::info(self.fd.as_fd())?;
        // At byte 32.
        Ok(info[4])
    }
}
