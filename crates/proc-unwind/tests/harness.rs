//! What the tests share: compiled programs, and a small tracer that stops behind every call.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

/// A stop behind a system call that may have made memory grow.
#[derive(Clone, Copy, Debug)]
pub struct Stop {
    pub pid: i32,
    pub tid: i32,
    pub number: i64,
    pub result: i64,
    pub args: [u64; 3],
    /// What the thread has said last: bytes and function; 0 bytes for nothing.
    pub said: (u64, u64),
}

impl Stop {
    /// Whether memory grew; `last_break` is where the break was before.
    fn is_growth(&self, last_break: u64) -> bool {
        self.result >= 0
            && match self.number {
                libc::SYS_brk => last_break != 0 && self.result as u64 > last_break,
                libc::SYS_mmap | libc::SYS_mprotect => self.args[2] & 2 != 0,
                libc::SYS_mremap => self.args[2] > self.args[1],
                _ => false,
            }
    }
}

/// Compiles `tests/programs/NAME.c` with these arguments and gives the result's path, which
/// is the same for the same `variant`.
pub fn compiled(name: &str, variant: &str, arguments: &[&str]) -> PathBuf {
    let source = format!("programs/{name}.c");
    crate::compiled(&source, &format!("stacks-{name}-{variant}"), arguments)
}

/// Runs a command to its end and calls `see` behind each call that made memory grow.
#[expect(clippy::zombie_processes, reason = "the loop waits for every child there is")]
pub fn traced(command: &mut Command, mut see: impl FnMut(Stop)) {
    command.env_remove("GLIBC_TUNABLES").env_remove("MALLOC_ARENA_MAX");
    let ask_for_tracing = || {
        // SAFETY: TRACEME takes no pointer.
        match unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) } {
            -1 => Err(std::io::Error::last_os_error()),
            _ => Ok(()),
        }
    };
    // SAFETY: between fork and exec, the closure makes a system call and nothing else.
    unsafe { command.pre_exec(ask_for_tracing) };
    let child = command.spawn().expect("the program can be run");
    let first = child.id() as i32;
    let mut said = std::collections::HashMap::<i32, (u64, u64)>::new();
    let mut breaks = std::collections::HashMap::<i32, u64>::new();
    let mut prepared = false;
    let mut inside = std::collections::HashSet::new();
    while let Some((tid, status)) = wait() {
        if !libc::WIFSTOPPED(status) {
            if tid == first {
                assert!(
                    libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0,
                    "{command:?}: wait status {status:#x}"
                );
            }
            continue;
        }
        if !prepared {
            prepared = true;
            let options = libc::PTRACE_O_TRACESYSGOOD
                | libc::PTRACE_O_TRACECLONE
                | libc::PTRACE_O_TRACEFORK
                | libc::PTRACE_O_TRACEVFORK
                | libc::PTRACE_O_TRACEEXEC
                | libc::PTRACE_O_EXITKILL;
            request(libc::PTRACE_SETOPTIONS, tid, options as usize);
        }
        let signal = libc::WSTOPSIG(status);
        let mut deliver = 0;
        if signal == libc::SIGTRAP | 0x80 {
            if inside.remove(&tid) {
                let stop = look(tid, *said.get(&tid).unwrap_or(&(0, 0)));
                if stop.number == libc::SYS_lseek && stop.args[0] as i32 == -1 {
                    said.insert(tid, (stop.args[1], stop.args[2]));
                }
                let last_break = breaks.get(&stop.pid).copied().unwrap_or(0);
                if stop.number == libc::SYS_brk {
                    breaks.insert(stop.pid, stop.result as u64);
                }
                if stop.is_growth(last_break) {
                    see(stop);
                }
            } else {
                inside.insert(tid);
            }
        } else if status >> 16 == libc::PTRACE_EVENT_EXEC {
            // The call that it is in will still come back.
            breaks.remove(&tid);
        } else if signal != libc::SIGTRAP && signal != libc::SIGSTOP {
            deliver = signal;
        }
        request(libc::PTRACE_SYSCALL, tid, deliver as usize);
    }
}

fn wait() -> Option<(i32, i32)> {
    let mut status = 0;
    // SAFETY: writes one int to `status`.
    let tid = unsafe { libc::waitpid(-1, &mut status, libc::__WALL | libc::__WNOTHREAD) };
    (tid > 0).then_some((tid, status))
}

fn request(request: libc::c_uint, tid: i32, data: usize) {
    // SAFETY: neither of the two requests used here takes a pointer.
    unsafe { libc::ptrace(request, tid, 0_usize, data) };
}

/// The registers of a thread that this one has stopped.
pub fn registers(tid: i32) -> libc::user_regs_struct {
    let mut registers = std::mem::MaybeUninit::<libc::user_regs_struct>::zeroed();
    let into = registers.as_mut_ptr();
    // SAFETY: GETREGS writes one such structure.
    let result = unsafe { libc::ptrace(libc::PTRACE_GETREGS, tid, 0_usize, into) };
    assert_eq!(result, 0, "the thread is stopped");
    // SAFETY: made of integers, zeroed and then written by the kernel.
    unsafe { registers.assume_init() }
}

fn look(tid: i32, said: (u64, u64)) -> Stop {
    let r = registers(tid);
    let status = std::fs::read_to_string(format!("/proc/{tid}/status")).unwrap();
    let pid = status.lines().find_map(|line| line.strip_prefix("Tgid:"));
    Stop {
        pid: pid.unwrap().trim().parse().unwrap(),
        tid,
        number: r.orig_rax as i64,
        result: r.rax as i64,
        args: [r.rdi, r.rsi, r.rdx],
        said,
    }
}
