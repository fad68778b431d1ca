//! What a child does as nginx does: takes many blocks from glibc's malloc itself, has it give memory
//! back by malloc_trim(3), becomes a daemon.
//!
//! # Safety
//!
//! `unsafe` is needed to take blocks from malloc and to write into them, and to call malloc_trim(3) and
//! fork(2).
#![allow(unsafe_code)]

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getppid};
use std::ffi::c_void;
use std::{io, process, ptr};

/// Blocks of malloc that each hold the address of the block before, so that no list of them takes
/// memory beside them.
pub(crate) struct MallocBlocks {
    last: *mut c_void,
}

impl MallocBlocks {
    /// Takes the blocks and writes every byte of them; `None` when malloc has no more.
    pub(crate) fn take(blocks: u64, block_bytes: usize) -> Option<Self> {
        let mut chain = Self { last: ptr::null_mut() };
        for _ in 0..blocks {
            // SAFETY: any size may be asked for.
            let block = unsafe { libc::malloc(block_bytes) };
            if block.is_null() {
                return None;
            }
            // SAFETY: malloc gave `block_bytes` bytes there, and nobody else has them.
            unsafe { block.cast::<u8>().write_bytes(0xA5, block_bytes) };
            // SAFETY: at least 16 bytes (the flag's range), aligned to 16 by malloc.
            unsafe { block.cast::<*mut c_void>().write(chain.last) };
            chain.last = block;
        }
        Some(chain)
    }
}

impl Drop for MallocBlocks {
    fn drop(&mut self) {
        while !self.last.is_null() {
            let freed = self.last;
            // SAFETY: `freed` is a block that `take` linked and that is not freed yet.
            self.last = unsafe { freed.cast::<*mut c_void>().read() };
            // SAFETY: as above; its link has been read, and nothing points to it any more.
            unsafe { libc::free(freed) };
        }
    }
}

/// Has malloc give back what it can, at the top and inside. glibc only; elsewhere nothing happens.
///
/// # References
/// malloc_trim(3); glibc `malloc/malloc.c`, `mtrim`: whole free pages are given back with madvise,
/// in every arena, since 2.8.
pub(crate) fn malloc_trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes malloc's own locks; may be called at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Goes on in a forked process, as an nginx master does when its first configuration stands.
///
/// It isn't the same process any more. fork(2) copies the page tables of memory that was written to,
/// and leaves out those of files: the new process has to find program and libraries again, page by
/// page, so that its resident memory begins with less than the old one had.
///
/// Where nginx's old process ends at once, this one waits, and ends as the new one did: somebody
/// started it and waits for that. What both have they share, as a master and its workers do.
///
/// # Errors
/// When there can be no other process.
///
/// # References
/// nginx `src/os/unix/ngx_daemon.c`; Linux `mm/memory.c`, `vma_needs_copy`
pub(crate) fn become_daemon() -> io::Result<()> {
    let original = Pid::this();
    // SAFETY: the chapters that call this have no second thread, so the new process finds no lock held.
    match unsafe { fork() }? {
        ForkResult::Child => {
            set_pdeathsig(Signal::SIGKILL)?;
            match getppid() == original {
                true => Ok(()),
                false => Err(io::Error::other("the process that was started is gone")),
            }
        }
        ForkResult::Parent { child } => process::exit(ending_of(child)?),
    }
}

/// Waits for the process; its status, as a shell has it.
fn ending_of(pid: Pid) -> nix::Result<i32> {
    loop {
        match waitpid(pid, None) {
            Ok(WaitStatus::Exited(_, code)) => return Ok(code),
            Ok(WaitStatus::Signaled(_, signal, _)) => return Ok(128 + signal as i32),
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(error) => return Err(error),
        }
    }
}
