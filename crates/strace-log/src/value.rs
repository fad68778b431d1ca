//! One argument of a call: a number, names of bits, a descriptor, a path.

use super::constants::Names;

/// `AT_FDCWD` as a program hands it over: 32 bits of a register.
const AT_FDCWD: u64 = libc::AT_FDCWD as u32 as u64;

/// A number in any of strace's spellings. Structures, strings and other addresses that strace
/// looked behind count as 0, as the log no longer tells where they were.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    let text = without_comment(text);
    match text {
        b"NULL" | [b'{' | b'"' | b'[', ..] => Some(0),
        [b'0', b'x', digits @ ..] => based(digits, 16).map(address),
        [b'0', digits @ ..] if !digits.is_empty() => based(digits, 8),
        [b'-', digits @ ..] => based(digits, 10).map(u64::wrapping_neg),
        _ => based(text, 10),
    }
}

/// Bits by their names, joined by `|`. `Err` holds a name that nobody knows, and the rest.
pub(super) fn bits(text: &[u8], names: Names) -> Result<u64, (&[u8], u64)> {
    let mut sum = 0;
    let mut unknown = None;
    for part in without_comment(text).split(|byte| *byte == b'|') {
        match names(part).or_else(|| number(part)).or_else(|| shifted(part)) {
            Some(bits) => sum |= bits,
            None => unknown = unknown.or(Some(part)),
        }
    }
    unknown.map_or(Ok(sum), |name| Err((name, sum)))
}

/// A descriptor: `3`, `-1`, `AT_FDCWD`, with what it leads to or without.
pub(super) fn descriptor(text: &[u8]) -> Option<u64> {
    let end = memchr::memchr(b'<', text).unwrap_or(text.len());
    match without_comment(&text[..end]) {
        b"AT_FDCWD" => Some(AT_FDCWD),
        plain => number(plain).map(|number| number & u64::from(u32::MAX)),
    }
}

/// `21<<MAP_HUGE_SHIFT`
fn shifted(text: &[u8]) -> Option<u64> {
    let count = text.strip_suffix(b"<<MAP_HUGE_SHIFT")?;
    Some(number(count)? << libc::MAP_HUGE_SHIFT)
}

fn without_comment(text: &[u8]) -> &[u8] {
    if !text.ends_with(b"*/") {
        return text;
    }
    match memchr::memmem::find(text, b" /*") {
        Some(end) => &text[..end],
        None => text,
    }
}

/// An address of a 32-bit program as the program has it. On a 64-bit kernel strace has printed
/// results with the sign of their 32 bits (`0xfffffffff72ec000`) and arguments without; no program
/// has a page so high.
pub(super) fn address(number: u64) -> u64 {
    const LAST_PAGE: u64 = -4096_i64 as u64;
    match number {
        0xffff_ffff_8000_0000..=LAST_PAGE => number & u64::from(u32::MAX),
        other => other,
    }
}

/// Digits of a base and nothing else, with a sum that fits.
#[inline]
fn based(digits: &[u8], base: u8) -> Option<u64> {
    let (number, rest) = leading(digits, base)?;
    rest.is_empty().then_some(number)
}

/// The number that a text begins with, at least one digit of a base, with a sum that fits; and what
/// follows.
#[inline]
pub(super) fn leading(text: &[u8], base: u8) -> Option<(u64, &[u8])> {
    let (mut sum, mut end) = (0_u64, 0);
    while let Some(byte) = text.get(end)
        && let digit = DIGITS[usize::from(*byte)]
        && digit < base
    {
        // So many always fit.
        sum = match end < 16 {
            true => sum * u64::from(base) + u64::from(digit),
            false => sum.checked_mul(u64::from(base))?.checked_add(u64::from(digit))?,
        };
        end += 1;
    }
    (end > 0).then_some((sum, &text[end..]))
}

/// What each byte counts as a digit; 255 for none.
const DIGITS: [u8; 256] = {
    let mut digits = [u8::MAX; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value] as usize] = value as u8;
        digits[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    digits
};

/// A path as it was handed over: `"/etc/hosts"`, and whether strace cut it (`"/etc/ho"...`).
/// `None` if strace could not read it, or it is empty, which names no file.
pub(super) fn path(text: &[u8]) -> Option<(Vec<u8>, bool)> {
    let text = without_comment(text);
    let cut = text.ends_with(b"...");
    let inner = text.strip_suffix(b"...").unwrap_or(text);
    let inner = inner.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    (!inner.is_empty()).then(|| (unescaped(inner), cut))
}

/// The file that strace found behind a returned descriptor: `</etc/hosts>` (`-y`, `-yy`).
pub(super) fn annotated_path(behind: &[u8]) -> Option<Vec<u8>> {
    let inner = behind.strip_prefix(b"<")?;
    // A device says more: `</dev/null<char 1:3>>`.
    let end = memchr::memchr2(b'<', b'>', inner)?;
    let mut path = unescaped(&inner[..end]);
    if inner[end..].starts_with(b">(deleted)") {
        path.extend_from_slice(b" (deleted)");
    }
    (!path.is_empty()).then_some(path)
}

/// Undoes C's escapes.
///
/// # References
/// strace 6.1, `src/util.c`, `string_quote`
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        let Some((&escaped, after)) = after.split_first().filter(|_| first == b'\\') else {
            bytes.push(first);
            continue;
        };
        let (base, longest, digits) = match escaped {
            b'x' => (16, 2, after),
            b'0'..=b'7' => (8, 3, rest),
            _ => {
                rest = after;
                bytes.push(match escaped {
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'r' => b'\r',
                    b'v' => 0x0b,
                    b'f' => 0x0c,
                    other => other,
                });
                continue;
            }
        };
        let (mut value, mut count) = (0, 0);
        while let Some(byte) = digits.get(count).filter(|_| count < longest)
            && let Some(digit) = char::from(*byte).to_digit(base)
        {
            value = value * base + digit;
            count += 1;
        }
        rest = &digits[count..];
        bytes.push(value as u8);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::constants::{mapping, protection};
    use super::*;

    #[test]
    fn numbers() {
        for (text, expected) in [
            ("NULL", Some(0)),
            ("0", Some(0)),
            ("0x26d3000", Some(0x26d_3000)),
            ("1048576", Some(1_048_576)),
            ("0644", Some(0o644)),
            ("0xfffffffff72ec000", Some(0xf72e_c000)),
            ("0xffffffffffffffff", Some(u64::MAX)),
            ("-1", Some(u64::MAX)),
            ("0x3 /* PROT_READ|PROT_WRITE */", Some(3)),
            ("{flags=O_RDONLY}", Some(0)),
            ("", None),
            ("18446744073709551616", None),
            ("x", None),
        ] {
            assert_eq!(number(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(descriptor(b"-1"), Some(0xffff_ffff));
        assert_eq!(descriptor(b"AT_FDCWD</tmp>"), Some(0xffff_ff9c));
        assert_eq!(descriptor(b"-100 /* AT_FDCWD */"), Some(0xffff_ff9c));
        assert_eq!(descriptor(b"5<socket:[1]>"), Some(5));
    }

    #[test]
    fn names_of_bits() {
        assert_eq!(bits(b"PROT_READ|PROT_WRITE", protection), Ok(3));
        assert_eq!(bits(b"MAP_PRIVATE|MAP_ANONYMOUS|0x4000000", mapping), Ok(0x400_0022));
        assert_eq!(
            bits(b"MAP_PRIVATE|MAP_HUGETLB|21<<MAP_HUGE_SHIFT", mapping),
            Ok(0x40002 | 21 << 26)
        );
        assert_eq!(bits(b"MAP_PRIVATE|MAP_NEW", mapping), Err((&b"MAP_NEW"[..], 2)));
    }

    #[test]
    fn paths() {
        let path_of = |text: &str| path(text.as_bytes());
        assert_eq!(path_of(r#""/a\"b\\\303\251\n""#), Some((b"/a\"b\\\xc3\xa9\n".to_vec(), false)));
        assert_eq!(path_of(r#""\x2f\x61"..."#), Some((b"/a".to_vec(), true)));
        assert_eq!(path_of("0x7ffe"), None);
        assert_eq!(annotated_path(b"</dev/null<char 1:3>>"), Some(b"/dev/null".to_vec()));
        assert_eq!(annotated_path(b"</a>(deleted)"), Some(b"/a (deleted)".to_vec()));
        assert_eq!(annotated_path(b" <0.000012>"), None);
    }
}
