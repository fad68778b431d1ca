//! What kind of line it is: the quick look that every line gets.

use memory_event::Syscall;

/// A line without its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// A call, or a part of one, that nobody watches.
    Passed,
    /// A signal that arrived.
    Signal,
    /// A call that is watched, or its beginning.
    Call(Wanted),
    /// `<... NAME resumed>`, and what follows.
    Resumed(Wanted, &'a [u8]),
    /// `+++ … +++`: what stands between.
    End(&'a [u8]),
    /// strace's own words: `Process 12 attached`.
    Message(&'a [u8]),
    /// The head of the table that `strace -c` and `-C` write.
    Summary,
    /// The rest of a line that something else was written into.
    Rest,
    /// Nothing.
    Blank,
    /// Not strace's.
    Foreign,
}

/// A call that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// One that is told.
    Watched(Syscall),
    /// One that makes processes and threads.
    Birth,
    /// One that sets or tells a limit.
    Limit,
}

impl<'a> Line<'a> {
    #[inline]
    pub(super) fn of(text: &'a [u8]) -> Self {
        let Some(first) = text.first() else {
            return Self::Blank;
        };
        match first {
            b'a'..=b'z' | b'_' | b'?' => {
                let end = name_length(text);
                match text.get(end) {
                    Some(b'(') => wanted(&text[..end]).map_or(Self::Passed, Self::Call),
                    _ => Self::other(text),
                }
            }
            b'<' => Self::resumed(text),
            b'-' if text.starts_with(b"--- ") => Self::Signal,
            // What passed through a call, as `-e read` and `-e write` have it: ` | 00000  7f 45 …|`.
            b'|' if text[1..].starts_with(b" 0") && text.ends_with(b"|") => Self::Passed,
            b'+' => match text.strip_prefix(b"+++ ") {
                Some(end) => Self::End(end.strip_suffix(b" +++").unwrap_or(end)),
                None => Self::Foreign,
            },
            _ => Self::other(text),
        }
    }

    fn resumed(text: &'a [u8]) -> Self {
        let Some(after) = text.strip_prefix(b"<... ") else {
            return match text.starts_with(b"<unfinished ...>") {
                true => Self::Rest,
                false => Self::Foreign,
            };
        };
        let end = name_length(after);
        match after[end..].strip_prefix(b" resumed>") {
            Some(rest) => {
                wanted(&after[..end]).map_or(Self::Passed, |name| Self::Resumed(name, rest))
            }
            None => Self::Foreign,
        }
    }

    fn other(text: &'a [u8]) -> Self {
        if let Some(message) = text.strip_prefix(b"strace: ") {
            return Self::Message(message);
        }
        if text.starts_with(b"Process ") || text.starts_with(b"[ Process PID=") {
            return Self::Message(text);
        }
        if is_head_of_summary(text) {
            return Self::Summary;
        }
        if text.starts_with(b")") {
            return Self::Rest;
        }
        Self::Foreign
    }
}

/// The first line of the table of `-c` and `-C`, whose columns `-U` chooses.
///
/// # References
/// strace 6.1, `src/count.c`, `call_summary_pers`
fn is_head_of_summary(text: &[u8]) -> bool {
    const COLUMNS: [&[u8]; 9] = [
        b"%",
        b"time",
        b"seconds",
        b"shortest",
        b"longest",
        b"usecs/call",
        b"calls",
        b"errors",
        b"syscall",
    ];
    let words = text.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let mut words = words.peekable();
    text.starts_with(b"System call usage summary for")
        || words.peek().is_some() && words.all(|word| COLUMNS.contains(&word))
}

#[inline]
fn name_length(text: &[u8]) -> usize {
    text.iter().position(|byte| !OF_NAMES[usize::from(*byte)]).unwrap_or(text.len())
}

/// What names of calls are made of.
const OF_NAMES: [bool; 256] = {
    let mut of_names = [false; 256];
    let mut byte = 0;
    while byte < of_names.len() {
        of_names[byte] = matches!(byte as u8, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'?');
        byte += 1;
    }
    of_names
};

/// The same call under all the names that strace has had for it.
#[inline]
fn wanted(name: &[u8]) -> Option<Wanted> {
    // Nearly all lines are of calls that nobody watches: their first letter says so.
    if !matches!(
        name.first(),
        Some(b'b' | b'c' | b'e'..=b'g' | b'm' | b'o' | b'p' | b's' | b'u' | b'v')
    ) {
        return None;
    }
    let syscall = match name {
        b"brk" => Syscall::Brk,
        b"mmap" | b"mmap2" | b"old_mmap" => Syscall::Mmap,
        b"munmap" => Syscall::Munmap,
        b"mremap" => Syscall::Mremap,
        b"mprotect" => Syscall::Mprotect,
        b"madvise" => Syscall::Madvise,
        b"open" => Syscall::Open,
        b"openat" => Syscall::Openat,
        b"openat2" => Syscall::Openat2,
        b"creat" => Syscall::Creat,
        b"close" => Syscall::Close,
        b"execve" => Syscall::Execve,
        b"execveat" => Syscall::Execveat,
        b"clone" | b"clone2" | b"clone3" | b"fork" | b"vfork" => return Some(Wanted::Birth),
        b"prlimit64" | b"setrlimit" | b"getrlimit" | b"ugetrlimit" => return Some(Wanted::Limit),
        _ => return None,
    };
    Some(Wanted::Watched(syscall))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        let brk = Wanted::Watched(Syscall::Brk);
        for (text, expected) in [
            ("brk(NULL) = 0x1", Line::Call(brk)),
            ("read(3, \"\", 1) = 0", Line::Passed),
            ("????( <unfinished ...>", Line::Passed),
            ("<... brk resumed>) = 0", Line::Resumed(brk, b") = 0")),
            ("<... read resumed> \"x\", 1) = 1", Line::Passed),
            ("vfork( <unfinished ...>", Line::Call(Wanted::Birth)),
            ("--- SIGCHLD {si_signo=SIGCHLD} ---", Line::Signal),
            ("+++ exited with 0 +++", Line::End(b"exited with 0")),
            ("strace: Process 1 attached", Line::Message(b"Process 1 attached")),
            ("Process 1 attached", Line::Message(b"Process 1 attached")),
            ("", Line::Blank),
            (") = 3", Line::Rest),
            ("| 00010  03 00 3e 00 01 00 00 00                           ..>.....|", Line::Passed),
            ("| 3 apples |", Line::Foreign),
            ("hello (world)", Line::Foreign),
            ("% time     seconds  usecs/call", Line::Summary),
        ] {
            assert_eq!(Line::of(text.as_bytes()), expected, "{text}");
        }
    }
}
