//! What stands behind a call's closing bracket.

use winnow::ascii::{digit1, hex_digit1, space0};
use winnow::combinator::{alt, not, opt, preceded};
use winnow::prelude::*;
use winnow::token::{one_of, rest, take_while};

use super::constants::error_number;
use super::value::{address, based};

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome<'a> {
    /// The kernel returned this; and the text behind, which may name the descriptor's file.
    Returned(u64, &'a [u8]),
    /// An error of this number.
    Failed(i32),
    /// `?`: the thread ended in the call.
    NotBack,
}

impl<'a> Outcome<'a> {
    /// Reads `   = RESULT …`.
    ///
    /// # References
    /// strace 6.1, `src/syscall.c`, `syscall_exiting_trace`
    pub(super) fn parse(text: &'a [u8]) -> Option<Self> {
        outcome.parse(text).ok()
    }
}

type Parsed<T> = winnow::Result<T>;

fn outcome<'a>(input: &mut &'a [u8]) -> Parsed<Outcome<'a>> {
    (space0, b'=', space0).void().parse_next(input)?;
    alt((returned, failed, unknown)).parse_next(input)
}

/// `?`, or `? ERESTARTSYS (To be restarted if SA_RESTART is set)`.
fn unknown<'a>(input: &mut &'a [u8]) -> Parsed<Outcome<'a>> {
    let name = preceded(b'?', opt(preceded(b' ', error_name))).parse_next(input)?;
    rest.void().parse_next(input)?;
    Ok(name.map_or(Outcome::NotBack, Outcome::Failed))
}

/// `-1 ENOENT (No such file or directory)`, `-1 (errno 524)`, or as qemu's user mode has it:
/// `-1 errno=2 (No such file or directory)`.
fn failed<'a>(input: &mut &'a [u8]) -> Parsed<Outcome<'a>> {
    let plain = preceded(alt((b"(errno ", b"errno=")), digit1.parse_to::<i32>());
    let number = preceded(b"-1 ", alt((error_name, plain))).parse_next(input)?;
    rest.void().parse_next(input)?;
    Ok(Outcome::Failed(number))
}

fn error_name(input: &mut &[u8]) -> Parsed<i32> {
    take_while(2.., (b'A'..=b'Z', b'0'..=b'9', b'_'))
        .verify_map(error_number)
        .parse_next(input)
}

fn returned<'a>(input: &mut &'a [u8]) -> Parsed<Outcome<'a>> {
    let hexadecimal =
        preceded(b"0x", hex_digit1).verify_map(|digits: &[u8]| based(digits, 16).map(address));
    let decimal = digit1.verify_map(|digits: &[u8]| based(digits, 10));
    let value = alt((hexadecimal, decimal)).parse_next(input)?;
    not(one_of(|byte: u8| byte.is_ascii_alphanumeric())).parse_next(input)?;
    let behind = rest.parse_next(input)?;
    Ok(Outcome::Returned(value, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms() {
        for (text, expected) in [
            (
                "              = 0x26b2000",
                Some(Outcome::Returned(0x26b_2000, b"")),
            ),
            (
                " = 3</etc/hosts> <0.000012>",
                Some(Outcome::Returned(3, b"</etc/hosts> <0.000012>")),
            ),
            (
                " = -1 ENOENT (No such file or directory)",
                Some(Outcome::Failed(libc::ENOENT)),
            ),
            (" = -1 (errno 524)", Some(Outcome::Failed(524))),
            (
                " = -1 errno=12 (Cannot allocate memory)",
                Some(Outcome::Failed(libc::ENOMEM)),
            ),
            (
                "  = 0xfffffffff72ec000",
                Some(Outcome::Returned(0xf72e_c000, b"")),
            ),
            (
                " = ? ERESTARTSYS (To be restarted)",
                Some(Outcome::Failed(512)),
            ),
            (" = ?", Some(Outcome::NotBack)),
            (" = ? <unavailable>", Some(Outcome::NotBack)),
            (" = ", None),
            ("", None),
            (" = 0xfffffffffffffffff", None),
            (" = -1 EWHATEVER (?)", None),
        ] {
            assert_eq!(Outcome::parse(text.as_bytes()), expected, "{text}");
        }
    }
}
