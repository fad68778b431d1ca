//! Writes events as strace would.

use std::fmt::Write as _;
use std::io::{self, Write};

use memory_event::{Call, Ending, Event, Syscall, What};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::mman::{MRemapFlags, MapFlags, ProtFlags};
use nix::sys::signal::Signal;

/// Writes a log as `strace -f -ttt -y -k` does: what `strace_log::StraceLog` reads from
/// it are the same events, as far as a log can hold them. It can't hold [`What::Memory`],
/// [`What::Refused`], [`What::Read`], [`What::Limit`] and [`What::Line`], which are left out;
/// addresses of strings and structures; and of time the part below a microsecond.
#[derive(Debug)]
pub struct StraceWriter<W> {
    output: W,
}

/// Added to every time, as times of a log are of a date: 2017-03-07.
const DATE_SECONDS: u64 = 1_488_844_800;

impl<W: Write> StraceWriter<W> {
    /// A log that goes to `output`, which should be buffered.
    pub fn new(output: W) -> Self {
        Self { output }
    }

    /// Writes what one event tells: one line, or a few.
    ///
    /// # Errors
    /// Those of the output.
    pub fn write(&mut self, event: &Event) -> io::Result<()> {
        const EXECVE: &str = "execve(\"\", [], NULL";
        match &event.what {
            What::Started => self.line(event, event.tid, &format!("{EXECVE}) = 0")),
            What::Forked { child, thread } => {
                let flags = match thread {
                    true => "CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD",
                    false => "CLONE_CHILD_SETTID|SIGCHLD",
                };
                let text = format!("clone(child_stack=NULL, flags={flags}) = {child}");
                self.line(event, event.tid, &text)
            }
            What::Exec { by, former_tid } => {
                let begun = match by {
                    Syscall::Execveat => "execveat(3, \"\", [], NULL, AT_EMPTY_PATH",
                    _ => EXECVE,
                };
                if *former_tid == event.tid {
                    return self.line(event, event.tid, &format!("{begun}) = 0"));
                }
                let name = by.name();
                self.line(event, *former_tid, &format!("{begun} <unfinished ...>"))?;
                let superseded = format!("+++ superseded by execve in pid {former_tid} +++");
                self.line(event, event.tid, &superseded)?;
                self.line(event, event.tid, &format!("<... {name} resumed>) = 0"))
            }
            What::Call(call) => {
                self.line(event, event.tid, &text_of(call))?;
                let frames = call.stack.iter().flat_map(|stack| &stack.frames);
                for frame in frames {
                    writeln!(self.output, " > ({frame}+0x0) [0x0]")?;
                }
                Ok(())
            }
            What::Exited(Ending::Code(code)) => {
                self.line(event, event.tid, &format!("+++ exited with {code} +++"))
            }
            What::Exited(Ending::Signal { signal, core_dumped }) => {
                let core = if *core_dumped { " (core dumped)" } else { "" };
                let text = format!("+++ killed by {}{core} +++", signal_name(*signal));
                self.line(event, event.tid, &text)
            }
            _ => Ok(()),
        }
    }

    /// Gives the output back.
    pub fn into_inner(self) -> W {
        self.output
    }

    fn line(&mut self, event: &Event, tid: i32, text: &str) -> io::Result<()> {
        let seconds = DATE_SECONDS + event.at.as_secs();
        let micros = event.at.subsec_micros();
        match tid {
            // Whose number no log told.
            0 => writeln!(self.output, "{seconds}.{micros:06} {text}"),
            tid => writeln!(self.output, "{tid} {seconds}.{micros:06} {text}"),
        }
    }
}

/// What the bits of a register say in the names of one kind of flags.
macro_rules! bits {
    ($flags:ty, $bits:expr, $none:literal) => {{
        let flags = <$flags>::from_bits_retain($bits as i32).iter_names();
        joined($bits, flags.map(|(name, flag)| (name, flag.bits())), $none)
    }};
}

fn text_of(call: &Call) -> String {
    let [a, b, c, d, e, f] = call.args;
    let name = call.syscall.name();
    let path = || quoted(call.path.as_deref().unwrap_or_default());
    let opening = |flags| bits!(OFlag, flags, "O_RDONLY");
    let protection = |bits| bits!(ProtFlags, bits, "PROT_NONE");
    let arguments = match call.syscall {
        Syscall::Brk => format!("{a:#x}"),
        Syscall::Mmap => format!(
            "{a:#x}, {b}, {}, {}, {}, {f:#x}",
            protection(c),
            bits!(MapFlags, d, "0"),
            descriptor(e)
        ),
        Syscall::Munmap => format!("{a:#x}, {b}"),
        Syscall::Mremap => {
            let moving = bits!(MRemapFlags, d, "0");
            format!("{a:#x}, {b}, {c}, {moving}, {e:#x}")
        }
        Syscall::Mprotect => format!("{a:#x}, {b}, {}", protection(c)),
        Syscall::Madvise => match c {
            4 => format!("{a:#x}, {b}, MADV_DONTNEED"),
            8 => format!("{a:#x}, {b}, MADV_FREE"),
            _ => format!("{a:#x}, {b}, {c:#x} /* MADV_??? */"),
        },
        Syscall::Open => format!("{}, {}, {c:#o}", path(), opening(b)).replace("0o", "0"),
        Syscall::Openat => {
            let mode = format!("{d:#o}").replace("0o", "0");
            format!("{}, {}, {}, {mode}", descriptor(a), path(), opening(c))
        }
        Syscall::Openat2 => format!("{}, {}, {{flags=O_RDONLY}}, {d}", descriptor(a), path()),
        Syscall::Creat => format!("{}, {b:#x}", path()),
        Syscall::Close => descriptor(a),
        Syscall::Execve => "\"\", [], NULL".to_owned(),
        Syscall::Execveat => format!("{}, \"\", [], NULL, {e:#x}", descriptor(a)),
    };
    format!("{name}({arguments}) = {}", result(call))
}

fn result(call: &Call) -> String {
    match call.result {
        Err(number @ 512..=516) => {
            let name = RESTARTS[(number - 512) as usize];
            format!("? {name} (To be restarted)")
        }
        Err(number) => match Errno::from_raw(number) {
            Errno::UnknownErrno => format!("-1 (errno {number})"),
            known => format!("-1 {known:?} (…)"),
        },
        Ok(value) => match &call.path {
            Some(path) => match path.strip_suffix(b" (deleted)") {
                Some(path) => format!("{value}<{}>(deleted)", escaped(path)),
                None => format!("{value}<{}>", escaped(path)),
            },
            None => format!("{value:#x}"),
        },
    }
}

/// The kernel's own errors from 512 on, for a call that a signal interrupted.
const RESTARTS: [&str; 5] =
    ["ERESTARTSYS", "ERESTARTNOINTR", "ERESTARTNOHAND", "ENOIOCTLCMD", "ERESTART_RESTARTBLOCK"];

/// As strace names a signal: the kernel's first real-time signal is 32.
fn signal_name(number: i32) -> String {
    match Signal::try_from(number) {
        Ok(signal) => signal.as_str().to_owned(),
        Err(_) if number >= 32 => format!("SIGRT_{}", number - 32),
        Err(_) => number.to_string(),
    }
}

/// Names of bits, what is left over as a number.
fn joined(bits: u64, flags: impl Iterator<Item = (&'static str, i32)>, none: &str) -> String {
    let mut left = bits;
    let mut words = Vec::new();
    for (name, flag) in flags {
        left &= !u64::from(flag.cast_unsigned());
        words.push(name.to_owned());
    }
    if left != 0 {
        words.push(format!("{left:#x}"));
    }
    match words.is_empty() {
        true => none.to_owned(),
        false => words.join("|"),
    }
}

/// Descriptors are 32 bits wide; the highest are negative.
fn descriptor(value: u64) -> String {
    let value = value as u32 as i32;
    match value {
        libc::AT_FDCWD => "AT_FDCWD".to_owned(),
        value => value.to_string(),
    }
}

fn quoted(path: &[u8]) -> String {
    format!("\"{}\"", escaped(path))
}

fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(*byte)]),
            b'<' | b'>' | ..=0x1f | 0x7f.. => {
                // Writing to a string never fails.
                let _ = write!(text, "\\{byte:03o}");
            }
            _ => text.push(char::from(*byte)),
        }
    }
    text
}
