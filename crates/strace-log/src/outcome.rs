//! What stands behind a call's closing bracket.

use super::constants::error_number;
use super::value::{address, leading};

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
    let end = text
        .iter()
        .position(|byte| !matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_'));
    error_number(&text[..end.unwrap_or(text.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms() {
        for (text, expected) in [
            (
                "              = 0x26b2000",
                Some(CallOutcome::Returned(0x26b_2000, b"")),
            ),
            (
                " = 3</etc/hosts> <0.000012>",
                Some(CallOutcome::Returned(3, b"</etc/hosts> <0.000012>")),
            ),
            (
                " = -1 ENOENT (No such file or directory)",
                Some(CallOutcome::Failed(libc::ENOENT)),
            ),
            (" = -1 (errno 524)", Some(CallOutcome::Failed(524))),
            (
                " = -1 errno=12 (Cannot allocate memory)",
                Some(CallOutcome::Failed(libc::ENOMEM)),
            ),
            (
                "  = 0xfffffffff72ec000",
                Some(CallOutcome::Returned(0xf72e_c000, b"")),
            ),
            (
                " = ? ERESTARTSYS (To be restarted)",
                Some(CallOutcome::Failed(512)),
            ),
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
