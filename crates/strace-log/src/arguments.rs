//! A call's text, cut at its commas; and how the call ended.

use super::constants::error_number;
use super::value::{address, leading};

/// The arguments of a call as they are written, and what follows the closing bracket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arguments<'a> {
    list: [&'a [u8]; 6],
    count: usize,
    pub(super) rest: &'a [u8],
}

impl<'a> Arguments<'a> {
    /// Cuts what follows the opening bracket. `None` if the closing one isn't there.
    ///
    /// It only counts brackets, so that no nesting, however deep, costs anything.
    pub(super) fn cut(text: &'a [u8]) -> Option<Self> {
        let mut list = [&text[..0]; 6];
        let mut count = 0;
        let mut depth = 0_usize;
        let (mut start, mut at) = (0, 0);
        let mut keep = |from: usize, to: usize| {
            let argument = text[from..to].trim_ascii();
            if count < list.len() && !(count == 0 && argument.is_empty()) {
                list[count] = argument;
                count += 1;
            }
        };
        loop {
            while !MEANS[usize::from(*text.get(at)?)] {
                at += 1;
            }
            match text[at] {
                b'"' => at = past_string(text, at)?,
                b'<' if at > 0 && matches!(text[at - 1], b'0'..=b'9' | b'D' | b'/') => {
                    at = past_annotation(text, at)?;
                }
                b'/' if text.get(at + 1) == Some(&b'*') => {
                    at += 2 + memchr::memmem::find(&text[at + 2..], b"*/")? + 1;
                }
                b'(' | b'[' | b'{' => depth += 1,
                b')' if depth == 0 => {
                    keep(start, at);
                    let rest = &text[at + 1..];
                    return Some(Self { list, count, rest });
                }
                b')' | b']' | b'}' => depth = depth.saturating_sub(1),
                b',' if depth == 0 => {
                    keep(start, at);
                    start = at + 1;
                }
                _ => {}
            }
            at += 1;
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<&'a [u8]> {
        self.list[..self.count].get(index).copied()
    }
}

/// The bytes that mean something between a call's brackets; all others are passed quickly.
const MEANS: [bool; 256] = {
    let mut means = [false; 256];
    let bytes = b"\"</()[]{},";
    let mut index = 0;
    while index < bytes.len() {
        means[bytes[index] as usize] = true;
        index += 1;
    }
    means
};

/// The last byte of the string that begins at `from`.
fn past_string(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// The last byte of a descriptor's annotation: `3</etc/hosts>`, `3<TCP:[1.2.3.4:5->6.7.8.9:10]>`,
/// `3</dev/null<char 1:3>>`. The second `<` if it isn't one: `21<<MAP_HUGE_SHIFT`. `None` without
/// an end, so that nothing is looked through twice.
fn past_annotation(text: &[u8], from: usize) -> Option<usize> {
    let is_path = text.get(from + 1) == Some(&b'/');
    let mut depth = 0_usize;
    for (at, byte) in text.iter().enumerate().skip(from) {
        match byte {
            b'<' if at == from + 1 => return Some(at),
            b'<' => depth += 1,
            b'>' if !is_path && text[at - 1] == b'-' => {}
            b'>' if depth <= 1 => return Some(at),
            b'>' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallOutcome<'a> {
    /// The kernel returned this; and the text behind, which may name the descriptor's file.
    Returned(u64, &'a [u8]),
    /// An error of this number.
    Failed(i32),
    /// `?`: the thread ended in the call.
    NotBack,
}

impl<'a> CallOutcome<'a> {
    /// Reads `   = RESULT …`.
    ///
    /// # References
    /// strace 6.1, `src/syscall.c`, `syscall_exiting_trace`
    pub(super) fn parse(text: &'a [u8]) -> Option<Self> {
        let text = text.trim_ascii_start().strip_prefix(b"=")?;
        let text = text.trim_ascii_start();
        match text {
            [b'0', b'x', rest @ ..] => {
                let (value, behind) = leading(rest, 16)?;
                Self::returned(address(value), behind)
            }
            [b'0'..=b'9', ..] => {
                let (value, behind) = leading(text, 10)?;
                Self::returned(value, behind)
            }
            [b'-', b'1', b' ', error @ ..] => failed(error).map(Self::Failed),
            [b'?', rest @ ..] => {
                let error = rest.strip_prefix(b" ").and_then(error_name);
                Some(error.map_or(Self::NotBack, Self::Failed))
            }
            _ => None,
        }
    }

    fn returned(value: u64, behind: &'a [u8]) -> Option<Self> {
        let goes_on = behind.first().is_some_and(u8::is_ascii_alphanumeric);
        (!goes_on).then_some(Self::Returned(value, behind))
    }
}

/// `ENOENT (No such file or directory)`, `(errno 524)`, or as qemu's user mode has it: `errno=2 (No
/// such file or directory)`.
fn failed(text: &[u8]) -> Option<i32> {
    let plain = || {
        let forms = [&b"(errno "[..], b"errno="].into_iter();
        let number = forms.filter_map(|form| text.strip_prefix(form)).next()?;
        i32::try_from(leading(number, 10)?.0).ok()
    };
    error_name(text).or_else(plain)
}

fn error_name(text: &[u8]) -> Option<i32> {
    let end = text.iter().position(|byte| !matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_'));
    error_number(&text[..end.unwrap_or(text.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> (Vec<&str>, &str) {
        let text_of = |bytes| str::from_utf8(bytes).unwrap();
        let arguments = Arguments::cut(text.as_bytes()).expect(text);
        let list = (0..6).map_while(|index| arguments.get(index));
        (list.map(text_of).collect(), text_of(arguments.rest))
    }

    #[test]
    fn at_commas_outside_of_everything() {
        for (text, list, rest) in [
            ("NULL)   = 0x1", vec!["NULL"], "   = 0x1"),
            (")  = 5", vec![], "  = 5"),
            (
                "AT_FDCWD</tmp/a, (b>, \"/x\\\"y), z\"..., O_RDONLY) = 3",
                vec!["AT_FDCWD</tmp/a, (b>", "\"/x\\\"y), z\"...", "O_RDONLY"],
                " = 3",
            ),
            (
                "{flags=A|B, stack=0x1} => {parent_tid=[2]}, 88) = 2",
                vec!["{flags=A|B, stack=0x1} => {parent_tid=[2]}", "88"],
                " = 2",
            ),
            ("3<TCP:[1.2.3.4:5->6.7.8.9:10]>) = 0", vec!["3<TCP:[1.2.3.4:5->6.7.8.9:10]>"], " = 0"),
            ("4</dev/null<char 1:3>>) = 0", vec!["4</dev/null<char 1:3>>"], " = 0"),
            (
                "0, MAP_HUGETLB|21<<MAP_HUGE_SHIFT, -1) = 0",
                vec!["0", "MAP_HUGETLB|21<<MAP_HUGE_SHIFT", "-1"],
                " = 0",
            ),
            ("0x3 /* a, b) */, 1) = 0", vec!["0x3 /* a, b) */", "1"], " = 0"),
        ] {
            assert_eq!(cut(text), (list, rest), "{text}");
        }
        for text in ["", "1, 2", "\"abc", "\"abc\\", "/* a )", "(((1)"] {
            assert_eq!(Arguments::cut(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn all_forms() {
        for (text, expected) in [
            ("              = 0x26b2000", Some(CallOutcome::Returned(0x26b_2000, b""))),
            (
                " = 3</etc/hosts> <0.000012>",
                Some(CallOutcome::Returned(3, b"</etc/hosts> <0.000012>")),
            ),
            (" = -1 ENOENT (No such file or directory)", Some(CallOutcome::Failed(libc::ENOENT))),
            (" = -1 (errno 524)", Some(CallOutcome::Failed(524))),
            (" = -1 errno=12 (Cannot allocate memory)", Some(CallOutcome::Failed(libc::ENOMEM))),
            ("  = 0xfffffffff72ec000", Some(CallOutcome::Returned(0xf72e_c000, b""))),
            (" = ? ERESTARTSYS (To be restarted)", Some(CallOutcome::Failed(512))),
            (" = ?", Some(CallOutcome::NotBack)),
            (" = ? <unavailable>", Some(CallOutcome::NotBack)),
            (" = ", None),
            ("", None),
            (" = 0xfffffffffffffffff", None),
            (" = -1 EWHATEVER (?)", None),
        ] {
            assert_eq!(CallOutcome::parse(text.as_bytes()), expected, "{text}");
        }
    }
}
