//! A program that stands before its first instruction, traced by this thread.
//!
//! # Safety
//! ptrace requests that take a pointer say what it points to; all are for a child that stands still.

use std::ffi::c_void;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Compiles `break.c` into a program of its own for each set of flags.
pub fn compiled(name: &str, flags: &[&str]) -> PathBuf {
    let flags = [&["-O1"], flags].concat();
    crate::compiled("remote/break.c", &format!("remote-{name}"), &flags)
}

/// The program with arguments and a variable, its output to be read.
pub fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .args(["one", "two words"])
        .env_clear()
        .env("GIVEN", "yes")
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
}

/// A child in its stop behind exec.
pub struct Tracee(pub Child);

impl Tracee {
    pub fn start(mut command: Command) -> Self {
        let trace_me = || {
            // SAFETY: TRACEME takes no arguments.
            check(unsafe { libc::ptrace(libc::PTRACE_TRACEME) })
        };
        // SAFETY: ptrace(2) is a plain system call, fit for a forked child.
        unsafe { command.pre_exec(trace_me) };
        let tracee = Self(command.spawn().unwrap());
        assert_eq!(tracee.wait(), libc::SIGTRAP << 8 | 0x7f);
        let options = libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_EXITKILL;
        // SAFETY: SETOPTIONS takes no pointer.
        let result =
            unsafe { libc::ptrace(libc::PTRACE_SETOPTIONS, tracee.pid(), 0, options as usize) };
        check(result).unwrap();
        tracee
    }

    pub fn pid(&self) -> i32 {
        self.0.id() as i32
    }

    /// Waits for the next report.
    pub fn wait(&self) -> i32 {
        let mut status = 0;
        // SAFETY: writes one int.
        let pid = unsafe { libc::waitpid(self.pid(), &mut status, libc::__WALL) };
        assert_eq!(pid, self.pid());
        status
    }

    /// Lets it run on.
    pub fn go_on(&self) {
        // SAFETY: takes no pointer.
        check(unsafe { libc::ptrace(libc::PTRACE_CONT, self.pid(), 0, 0) }).unwrap();
    }

    pub fn send(&self, signal: i32) {
        // SAFETY: takes integers; the child has not been waited for.
        check(unsafe { libc::kill(self.pid(), signal) }.into()).unwrap();
    }

    /// General registers, floating point and vector registers, and the signal mask, as bytes.
    pub fn state(&self) -> [Vec<u8>; 3] {
        const NT_PRSTATUS: usize = 1;
        const NT_X86_XSTATE: usize = 0x202;
        let mut mask = vec![0; 8];
        // SAFETY: GETSIGMASK writes 8 bytes.
        let result = unsafe {
            libc::ptrace(0x420a as _, self.pid(), mask.len(), mask.as_mut_ptr().cast::<c_void>())
        };
        check(result).unwrap();
        let mut vectors = self.registers(NT_X86_XSTATE);
        // XSTATE_BV, of what is not as after a reset the processor believes that it may have been
        // used: it may come to believe so of registers that hold zeros as before.
        vectors[512..520].fill(0);
        [self.registers(NT_PRSTATUS), vectors, mask]
    }

    fn registers(&self, set: usize) -> Vec<u8> {
        let mut bytes = vec![0; 16 << 10];
        let mut window = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
        // SAFETY: GETREGSET writes at most `iov_len` bytes to `iov_base`.
        let result =
            unsafe { libc::ptrace(libc::PTRACE_GETREGSET, self.pid(), set, &raw mut window) };
        check(result).unwrap();
        bytes.truncate(window.iov_len);
        bytes
    }

    /// The lines of its `maps`, without names: those of other mappings change with the break.
    pub fn maps(&self) -> Vec<String> {
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", self.pid())).unwrap();
        let fields = |line: &str| line.split_whitespace().take(5).collect::<Vec<_>>().join(" ");
        maps.lines().map(fields).collect()
    }
}

fn check(result: libc::c_long) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
