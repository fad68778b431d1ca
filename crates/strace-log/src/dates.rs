//! Dates, times and numbers of lines that others than strace write before a line.

use std::borrow::Cow;

/// Forms: a digit stands for a digit, `A` and `a` for a letter, anything else for itself.
const FORMS: [&[u8]; 5] = [
    b"0000-00-00T00:00:00",
    b"0000-00-00 00:00:00",
    b"Aaa 00 00:00:00",
    b"Aaa  0 00:00:00",
    b"00:00:00",
];

/// How long the date is that a text begins with, and the blank behind it: `2017-03-07T12:00:01.5Z `,
/// `Mar  7 12:00:01 `, `[2017-03-07 12:00:01,123] `, `[    1.234567] `.
pub(super) fn length(text: &[u8]) -> Option<usize> {
    let inner = text.strip_prefix(b"[");
    let rest = match inner {
        Some(inner) => past_date(inner).or_else(|| past_seconds(inner))?.strip_prefix(b"]")?,
        None => past_date(text)?,
    };
    matches!(rest.first(), Some(b' ' | b'\t')).then(|| text.len() - rest.len() + 1)
}

fn past_date(text: &[u8]) -> Option<&[u8]> {
    let form = FORMS.iter().find(|form| fits(text, form))?;
    let mut rest = &text[form.len()..];
    if let Some(fraction) = rest.strip_prefix(b".").or_else(|| rest.strip_prefix(b",")) {
        rest = past_digits(fraction);
    }
    Some(match rest {
        [b'Z', rest @ ..] => rest,
        [b'+' | b'-', zone @ ..] if fits(zone, b"00:00") => &zone[5..],
        [b'+' | b'-', zone @ ..] if fits(zone, b"0000") => &zone[4..],
        rest => rest,
    })
}

/// Seconds since the machine began, as the kernel and `journalctl -o short-monotonic` have them.
fn past_seconds(text: &[u8]) -> Option<&[u8]> {
    let seconds = text.trim_ascii_start();
    let fraction = past_digits(seconds).strip_prefix(b".")?;
    let rest = past_digits(fraction);
    (rest.len() < fraction.len()).then_some(rest)
}

fn past_digits(text: &[u8]) -> &[u8] {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    &text[digits..]
}

fn fits(text: &[u8], form: &[u8]) -> bool {
    let alike = |(byte, form): (&u8, &u8)| match form {
        b'0' => byte.is_ascii_digit(),
        b'A' => byte.is_ascii_uppercase(),
        b'a' => byte.is_ascii_lowercase(),
        other => byte == other,
    };
    text.len() >= form.len() && text.iter().zip(form).all(alike)
}

/// A number at the beginning of a line.
pub(super) struct LineMark<'a> {
    pub(super) number: u64,
    /// There are blanks before it.
    indented: bool,
    /// What follows it.
    pub(super) separator: u8,
    /// What follows that.
    pub(super) rest: &'a [u8],
}

/// So many lines that are numbered without a tab or colon can't be processes one after another.
const TELLING: usize = 3;

/// The number that a line begins with, if it may be its own.
pub(super) fn mark(line: &[u8]) -> Option<LineMark<'_>> {
    let text = line.trim_ascii_start();
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = str::from_utf8(&text[..digits]).ok()?.parse().ok()?;
    let (&separator, rest) = text[digits..].split_first()?;
    matches!(separator, b'\t' | b':' | b'-' | b' ').then_some(LineMark {
        number,
        indented: text.len() < line.len(),
        separator,
        rest,
    })
}

/// Whether nearly all lines begin with their numbers, and not with those of processes or a time of
/// day: numbers of lines rise with every line, and strace writes neither a tab nor a colon behind
/// the number of a process.
pub(super) fn numbers_are_before(lines: &[Cow<'_, [u8]>]) -> bool {
    let marks: Vec<LineMark<'_>> = lines.iter().filter_map(|line| mark(line)).collect();
    let Some(first) = marks.first() else {
        return false;
    };
    // `--` stands between what `grep -C` finds.
    if marks.len() * 10 < lines.len() * 9 {
        return false;
    }
    let mut pairs = marks.iter().zip(&marks[1..]);
    match first.separator {
        b'\t' => pairs.all(|(one, next)| next.number > one.number && next.separator == b'\t'),
        b':' | b'-' => {
            let is_time =
                |mark: &LineMark<'_>| matches!(mark.rest, [b'0'..=b'9', b'0'..=b'9', b':', ..]);
            let alike = |mark: &LineMark<'_>| matches!(mark.separator, b':' | b'-');
            pairs.all(|(one, next)| next.number > one.number && alike(next))
                && !(first.number < 24 && lines[0].get(2) == Some(&b':') && is_time(first))
        }
        _ => {
            marks.len() >= TELLING
                && (first.number == 1 || first.indented)
                && pairs.all(|(one, next)| {
                    one.number.checked_add(1) == Some(next.number) && next.separator == b' '
                })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms() {
        for date in [
            "2017-03-07T12:00:01.123456Z ",
            "2017-03-07T12:00:01+01:00 ",
            "2017-03-07T12:00:01+0100 ",
            "2017-03-07 12:00:01,123 ",
            "[2017-03-07T12:00:01.000Z] ",
            "Mar  7 12:00:01 ",
            "Mar 07 12:00:01.123456 ",
            "[   12.345678] ",
            "12:00:01\t",
        ] {
            let line = format!("{date}brk(NULL) = 0x1");
            assert_eq!(length(line.as_bytes()), Some(date.len()), "{line}");
        }
        for text in ["", "[", "brk(NULL)", "[pid 12] brk", "[00007f12] brk", "1795386975.53 brk"] {
            assert_eq!(length(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn told_from_processes_and_times() {
        for (numbered, lines) in [
            (true, &["1\tbrk(0)"][..]),
            (true, &["     7\tbrk(0)", "     9\tbrk(0)"]),
            (true, &["7:brk(0)", "12-brk(0)", "13:brk(0)"]),
            (true, &["9:12 brk(0)", "10:12 brk(0)"]),
            (true, &["7:12:00:01 brk(0)", "8:12:00:01 brk(0)"]),
            (true, &["1 brk(0)", "2 brk(0)", "3 brk(0)"]),
            (true, &["      5 brk(0)", "      6 brk(0)", "      7 brk(0)"]),
            (false, &["12:00:01 brk(0)", "13:00:01 brk(0)"]),
            (false, &["101 brk(0)", "102 brk(0)", "103 brk(0)"]),
            (false, &["1 brk(0)", "2 brk(0)"]),
            (false, &["1 brk(0)", "1 brk(0)", "1 brk(0)"]),
            (false, &["9\tbrk(0)", "8\tbrk(0)"]),
            (false, &["     0.000012 brk(0)", "     0.000013 brk(0)"]),
            (false, &["brk(0)"]),
            (false, &[]),
            (false, &[" 18446744073709551615 brk(0)", " 0 brk(0)", " 1 brk(0)"]),
        ] {
            let lines: Vec<_> = lines.iter().map(|line| Cow::Borrowed(line.as_bytes())).collect();
            assert_eq!(numbers_are_before(&lines), numbered, "{lines:?}");
        }
    }
}
