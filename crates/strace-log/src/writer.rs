//! Writes events as strace would.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::constants::{
    ADVICE, MAPPING, MOVING, Names, OPENING, PROTECTION, error_name, signal_name,
};
use super::threads::NAMELESS;
use memory_event::{Call, Ending, Event, Syscall, What};

/// Writes a log as `strace -f -ttt -y -k` does: what [`StraceLog`](super::StraceLog) reads from
/// it are the same events, as far as a log can hold them. It can't hold [`What::Memory`],
/// [`What::Refused`], [`What::Read`], [`What::Limit`] and [`What::Line`], which are left out;
/// addresses of strings and structures; and of time the part below a microsecond.
#[derive(Debug)]
pub struct Writer<W> {
    output: W,
}

/// Added to every time, as times of a log are of a date: 2017-03-07.
const DATE_SECONDS: u64 = 1_488_844_800;

impl<W: Write> Writer<W> {
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
            What::Exited(Ending::Signal {
                signal,
                core_dumped,
            }) => {
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
            NAMELESS => writeln!(self.output, "{seconds}.{micros:06} {text}"),
            tid => writeln!(self.output, "{tid} {seconds}.{micros:06} {text}"),
        }
    }
}

fn text_of(call: &Call) -> String {
    let [a, b, c, d, e, f] = call.args;
    let name = call.syscall.name();
    let path = || quoted(call.path.as_deref().unwrap_or_default());
    let opening = |flags| bits(flags, OPENING, "O_RDONLY");
    let protection = |bits_| bits(bits_, PROTECTION, "PROT_NONE");
    let arguments = match call.syscall {
        Syscall::Brk => format!("{a:#x}"),
        Syscall::Mmap => format!(
            "{a:#x}, {b}, {}, {}, {}, {f:#x}",
            protection(c),
            bits(d, MAPPING, "0"),
            descriptor(e)
        ),
        Syscall::Munmap => format!("{a:#x}, {b}"),
        Syscall::Mremap => format!("{a:#x}, {b}, {c}, {}, {e:#x}", bits(d, MOVING, "0")),
        Syscall::Mprotect => format!("{a:#x}, {b}, {}", protection(c)),
        Syscall::Madvise => match ADVICE.iter().find(|(_, number)| *number == c) {
            Some((advice, _)) => format!("{a:#x}, {b}, {advice}"),
            None => format!("{a:#x}, {b}, {c:#x} /* MADV_??? */"),
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
            let name = error_name(number).unwrap_or_default();
            format!("? {name} (To be restarted)")
        }
        Err(number) => match error_name(number) {
            Some(name) => format!("-1 {name} (…)"),
            None => format!("-1 (errno {number})"),
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

/// Names of bits, what is left over as a number.
fn bits(value: u64, names: Names, none: &str) -> String {
    let mut left = value;
    let mut text = String::new();
    for (name, number) in names {
        if *number != 0 && left & number == *number {
            left &= !number;
            text.push_str(name);
            text.push('|');
        }
    }
    match (text.is_empty(), left) {
        (true, 0) => none.to_owned(),
        (false, 0) => {
            text.pop();
            text
        }
        _ => text + &format!("{left:#x}"),
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
